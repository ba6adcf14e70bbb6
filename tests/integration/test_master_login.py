"""Logging in as a master user: at a real Dovecot in both spellings, and at a real Cyrus."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_urlsafe

import pytest

from importer.adapters.imap.client import Timeouts
from importer.adapters.imap.session import ImapSession, ImapSessions
from importer.domain.model import Account
from providers.errors import MasterRefused, Side
from providers.grants import MasterLogin
from providers.model import Secret
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.cyrus import Cyrus
from tests.rehearsal.dovecot import Dovecot, DovecotOptions, dovecot
from tests.rehearsal.fill import INBOX, Stored
from tests.rehearsal.hosts import User, new_user
from tests.rehearsal.scripted import scripted_server, usual_answer

GRACE = "grace@new.example"
PASSWORD = token_urlsafe()  # in no line of the source
FORMS = {"authorisation identity": "", "both names": "*"}
MAIL = Stored(INBOX, (), datetime(2020, 1, 1, tzinfo=UTC), b"Subject: one\r\n\r\none\r\n")


@pytest.fixture(scope="module")
def host(ca: CertificateAuthority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dovecot]:
    options = DovecotOptions(masters=True, master_separator="*")
    with dovecot(tmp_path_factory.mktemp("masters"), options, ca=ca) as server:
        server.add_master("ferryman", PASSWORD)
        yield server


@pytest.fixture
def grace(host: Dovecot) -> User:
    return new_user(host, GRACE)


def opened(ca_file: Path | None, account: Account, login: MasterLogin) -> ImapSession:
    sessions = ImapSessions(ca_file=ca_file, timeouts=Timeouts(io_s=5.0))
    return sessions.open(account, login, Side.DESTINATION)


def messages(session: ImapSession) -> int:
    try:
        return session.status("INBOX").messages
    finally:
        session.close()


@pytest.mark.parametrize("separator", FORMS.values(), ids=FORMS)
def test_a_master_user_opens_the_mailbox_that_is_asked_for(
    host: Dovecot, grace: User, separator: str
) -> None:
    grace.fill([MAIL])
    new_user(host, "ada@new.example")
    login = MasterLogin("ferryman", Secret(PASSWORD), separator)
    assert messages(opened(host.ca_file, grace.account, login)) == grace.read().count() > 0
    assert messages(opened(host.ca_file, host.account("ada@new.example"), login)) == 0


def test_cyrus_takes_the_authorisation_identity_of_an_admin(cyrus_host: Cyrus) -> None:
    cyrus_host.add_user("cyrus-admin", PASSWORD)
    user = new_user(cyrus_host, GRACE)
    user.fill([MAIL])
    login = MasterLogin("cyrus-admin", Secret(PASSWORD))
    assert messages(opened(cyrus_host.ca_file, user.account, login)) == 1


@pytest.mark.parametrize("separator", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize(
    ("name", "password"), [("ferryman", "wrong"), ("nobody", PASSWORD), (GRACE, PASSWORD), ("ada\0x", "x")]
)
def test_another_name_or_password_opens_nothing(
    host: Dovecot, grace: User, separator: str, name: str, password: str
) -> None:
    login = MasterLogin(name, Secret(password), separator)
    with pytest.raises(MasterRefused, match="MASTER_USER") as refused:
        opened(host.ca_file, grace.account, login)
    assert refused.value.side is Side.DESTINATION


def test_an_owners_password_is_no_master_users(host: Dovecot, grace: User) -> None:
    ada = new_user(host, "ada@new.example")
    for separator in FORMS.values():
        login = MasterLogin(ada.account.login, Secret(ada.password), separator)
        with pytest.raises(MasterRefused):
            opened(host.ca_file, grace.account, login)


def test_a_mailbox_that_no_command_can_carry_is_not_asked_for(host: Dovecot) -> None:
    """A NUL would end the authorisation identity and begin another name."""
    account = Account(GRACE, f"{GRACE}\0ferryman", host.imaps)
    for separator in FORMS.values():
        with pytest.raises(MasterRefused):
            opened(host.ca_file, account, MasterLogin("ferryman", Secret(PASSWORD), separator))


def test_without_plain_the_operator_is_told_of_the_other_spelling() -> None:
    def answer(command: str) -> bytes | None:
        return usual_answer(command, "IMAP4rev1") if command == "CAPABILITY" else None

    with scripted_server(answer) as server:
        account = Account(GRACE, GRACE, server.endpoint)
        with pytest.raises(MasterRefused, match="MASTER_SEPARATOR"):
            opened(None, account, MasterLogin("ferryman", Secret(PASSWORD)))
        opened(None, account, MasterLogin("ferryman", Secret(PASSWORD), "*")).close()
    assert f'LOGIN "{GRACE}*ferryman" "{PASSWORD}"' in server.commands


@pytest.mark.parametrize("separator", FORMS.values(), ids=FORMS)
def test_a_server_that_repeats_what_it_was_sent_gives_no_password_away(separator: str) -> None:
    def repeats(command: str) -> bytes | None:
        if command.startswith("AUTHENTICATE"):
            return f"TAG NO Error in command: {command} {PASSWORD}\r\n".encode()
        return usual_answer(command, "IMAP4rev1 AUTH=PLAIN SASL-IR")

    with scripted_server(repeats) as server:
        account = Account(GRACE, GRACE, server.endpoint)
        with pytest.raises(MasterRefused) as refused:
            opened(None, account, MasterLogin("ferryman", Secret(PASSWORD), separator))
        [sent] = [command for command in server.commands if command.startswith("AUTHENTICATE")]
    told = f"{refused.value} {refused.value.server_text} {traceback.format_exception(refused.value)}"
    assert "Error in command" in told
    assert PASSWORD not in told
    assert sent.rpartition(" ")[2] not in told
