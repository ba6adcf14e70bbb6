"""Logging in as a master user: at a real Dovecot in both spellings, and at a real Cyrus."""

from __future__ import annotations

import traceback
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_urlsafe

import pytest

from importer.adapters.imap.factory import ImapSessions
from importer.adapters.imap.imapclient_adapter import Timeouts
from importer.adapters.imap.reader import ImapReader
from importer.adapters.imap.writer import ImapWriter
from importer.domain.model import Account
from providers.endpoint import Endpoint, Secret
from providers.errors import MasterRefused, Side
from providers.grants import MasterLogin
from tests.conftest import MakeUser
from tests.english import said
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.checker import compare
from tests.rehearsal.cyrus import Cyrus
from tests.rehearsal.dovecot import Dovecot, DovecotOptions, dovecot
from tests.rehearsal.fill import INBOX, Stored
from tests.rehearsal.hosts import User, new_user
from tests.rehearsal.installation import Installation
from tests.rehearsal.sample import FOLDER_MAP, sample_mailbox
from tests.rehearsal.scripted import scripted_server, usual_answer

GRACE = "grace@new.example"
PASSWORD = token_urlsafe()  # so that no line of the source contains it
FORMS = {"authorisation identity": "", "both names": "*"}
MAIL = Stored(INBOX, (), datetime(2020, 1, 1, tzinfo=UTC), b"Subject: one\r\n\r\none\r\n")


@pytest.fixture(scope="module")
def host(ca: CertificateAuthority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dovecot]:
    options = DovecotOptions(masters=True, master_separator="*")
    with dovecot(tmp_path_factory.mktemp("masters"), options, ca=ca) as server:
        server.add_master("overseer", PASSWORD)
        yield server


@pytest.fixture
def grace(host: Dovecot) -> User:
    return new_user(host, GRACE)


def opened(ca_file: Path | None, account: Account, login: MasterLogin) -> ImapWriter:
    sessions = ImapSessions(ca_file=ca_file, timeouts=Timeouts(io_s=5.0))
    return sessions.open_destination(account, login)


def messages(session: ImapReader) -> int:
    try:
        return session.status("INBOX").messages
    finally:
        session.close()


@pytest.mark.parametrize("separator", FORMS.values(), ids=FORMS)
def test_a_master_user_opens_the_requested_mailbox(host: Dovecot, grace: User, separator: str) -> None:
    grace.fill([MAIL])
    new_user(host, "ada@new.example")
    login = MasterLogin("overseer", Secret(PASSWORD), separator)
    assert messages(opened(host.ca_file, grace.account, login)) == grace.read().count() > 0
    assert messages(opened(host.ca_file, host.account("ada@new.example"), login)) == 0


def test_cyrus_accepts_the_authorisation_identity_of_an_admin(cyrus_host: Cyrus) -> None:
    cyrus_host.add_user("cyrus-admin", PASSWORD)
    user = new_user(cyrus_host, GRACE)
    user.fill([MAIL])
    login = MasterLogin("cyrus-admin", Secret(PASSWORD))
    assert messages(opened(cyrus_host.ca_file, user.account, login)) == 1


@pytest.mark.parametrize("separator", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize(
    ("name", "password"),
    [("overseer", "wrong"), ("nobody", PASSWORD), (GRACE, PASSWORD), ("ada\0x", "x")],
    ids=["wrong password", "nobody", "an owner", "NUL in the name"],  # PASSWORD differs between workers
)
def test_a_wrong_master_name_or_password_opens_nothing(
    host: Dovecot, grace: User, separator: str, name: str, password: str
) -> None:
    login = MasterLogin(name, Secret(password), separator)
    with pytest.raises(MasterRefused) as refused:
        opened(host.ca_file, grace.account, login)
    assert "MASTER_USER" in said(refused.value)
    assert refused.value.side is Side.DESTINATION


def test_an_owners_password_is_no_master_password(host: Dovecot, grace: User) -> None:
    ada = new_user(host, "ada@new.example")
    for separator in FORMS.values():
        login = MasterLogin(ada.account.login, Secret(ada.password), separator)
        with pytest.raises(MasterRefused):
            opened(host.ca_file, grace.account, login)


def test_a_mailbox_name_with_nul_is_not_sent(host: Dovecot) -> None:
    """A NUL would end the authorisation identity and begin another name."""
    account = Account(GRACE, f"{GRACE}\0overseer", host.imaps)
    for separator in FORMS.values():
        with pytest.raises(MasterRefused):
            opened(host.ca_file, account, MasterLogin("overseer", Secret(PASSWORD), separator))


def test_without_plain_the_error_names_the_separator_setting() -> None:
    def answer(command: str) -> bytes | None:
        return usual_answer(command, "IMAP4rev1") if command == "CAPABILITY" else None

    with scripted_server(answer) as server:
        account = Account(GRACE, GRACE, server.endpoint)
        with pytest.raises(MasterRefused) as refused:
            opened(None, account, MasterLogin("overseer", Secret(PASSWORD)))
        assert "MASTER_SEPARATOR" in said(refused.value)
        opened(None, account, MasterLogin("overseer", Secret(PASSWORD), "*")).close()
    assert f'LOGIN "{GRACE}*overseer" "{PASSWORD}"' in server.commands


@pytest.mark.parametrize("separator", FORMS.values(), ids=FORMS)
def test_a_command_echoed_by_the_server_does_not_reveal_the_password(separator: str) -> None:
    def repeats(command: str) -> bytes | None:
        if command.startswith("AUTHENTICATE"):
            return f"TAG NO Error in command: {command} {PASSWORD}\r\n".encode()
        return usual_answer(command, "IMAP4rev1 AUTH=PLAIN SASL-IR")

    with scripted_server(repeats) as server:
        account = Account(GRACE, GRACE, server.endpoint)
        with pytest.raises(MasterRefused) as refused:
            opened(None, account, MasterLogin("overseer", Secret(PASSWORD), separator))
        [sent] = [command for command in server.commands if command.startswith("AUTHENTICATE")]
    shown = f"{refused.value} {refused.value.server_text} {traceback.format_exception(refused.value)}"
    assert "Error in command" in shown
    assert PASSWORD not in shown
    assert sent.rpartition(" ")[2] not in shown


# --- From the file to the mailbox -------------------------------------------------------------------

HEAD = "source_address,source_password,source_server,destination_address,destination_password\n"


def installed(root: Path, server: Endpoint, ca_file: Path, **overrides: str) -> Installation:
    settings = {
        "CA_FILE": str(ca_file),
        "DESTINATION_SERVER": str(server),
        "DESTINATION_MASTER_USER": "overseer",
        "DESTINATION_MASTER_PASSWORD": PASSWORD,
        "TICK_SECONDS": "1",
        "LOG_LEVEL": "debug",
    }
    return Installation(root, settings | overrides)


def rows(old: User, *addresses: str) -> str:
    source = f"{old.account.address},{old.password},{old.account.endpoint}"
    return HEAD + "".join(f"{source},{address},\n" for address in addresses)


@pytest.mark.parametrize("separator", FORMS.values(), ids=FORMS)
def test_a_file_without_destination_passwords_is_copied_undone_and_run_again(
    tmp_path: Path, host: Dovecot, old_host: Dovecot, make_user: MakeUser, separator: str
) -> None:
    old, new = make_user(old_host), new_user(host, f"new{len(separator)}@new.example")
    old.fill(sample_mailbox())
    installation = installed(tmp_path, host.imaps, host.ca_file, DESTINATION_MASTER_SEPARATOR=separator)
    file = tmp_path / "people.csv"
    file.write_text(rows(old, new.account.address, "nobody-there@new.example"), encoding="utf-8")
    [batch] = installation.json("batch", str(file))
    good, wrong = (row["id"] for row in batch["rows"])
    changed = f"{PASSWORD}-changed"
    installation.settings["DESTINATION_MASTER_PASSWORD"] = changed  # while imports are under way
    host.add_master("overseer", changed)
    try:
        with installation.worker():
            installation.run("watch", batch["batch_id"], ends=3)
            assert compare(old.read(), new.read(), folder_map=FOLDER_MAP) == []
            stopped = next(import_ for import_ in installation.json("list") if import_["id"] == wrong)
            assert (stopped["state"], stopped["problem"]["code"]) == ("stopped", "master_refused")
            installation.run("undo", good, "--yes")
            assert new.read().count() == 0
            installation.run("retry", good, "--from-password-env", "OLD", environment={"OLD": old.password})
            again = installation.json("list")[0]["id"]
            installation.run("watch", again)
            assert compare(old.read(), new.read(), folder_map=FOLDER_MAP) == []
    finally:
        host.add_master("overseer", PASSWORD)
    stored = b"".join(path.read_bytes() for path in installation.data.rglob("*") if path.is_file())
    seen = stored + installation.log().encode() + "".join(installation.transcript).encode()
    assert PASSWORD.encode() not in seen
    assert b64encode(f"\0overseer\0{PASSWORD}".encode())[8:-8] not in seen


def test_the_master_password_is_sent_to_no_other_host(
    tmp_path: Path, host: Dovecot, new_host: Dovecot, old_host: Dovecot, make_user: MakeUser
) -> None:
    """Neither a row nor a setting that names another host while an import is under way leads it there."""
    old = make_user(old_host)
    new_user(new_host, GRACE)
    installation = installed(tmp_path, host.imaps, host.ca_file)
    file = tmp_path / "people.csv"
    head, row = rows(old, GRACE).splitlines()
    elsewhere = f"{head},destination_server\n{row},{new_host.imaps}\n"
    file.write_text(elsewhere, encoding="utf-8")
    [problem] = installation.json("batch", str(file), ends=2)["problems"]
    assert (problem["line"], problem["column"]) == (2, "destination_password")
    assert problem["rule"] == "master_elsewhere"
    file.write_text(rows(old, GRACE), encoding="utf-8")
    [batch] = installation.json("batch", str(file))
    installation.settings["DESTINATION_SERVER"] = str(new_host.imaps)
    with installation.worker():
        installation.run("watch", batch["batch_id"], ends=3)
    [stopped] = installation.json("list")
    assert stopped["problem"]["code"] == "master_refused"
    assert "overseer" not in new_host.log()
