"""Peculiarities of hosts, against servers that imitate them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from importer.adapters.imap import exchange_folders
from importer.adapters.imap.factory import ImapSessions
from importer.adapters.imap.imapclient_adapter import Timeouts
from importer.adapters.imap.reader import ImapReader
from importer.adapters.imap.writer import ImapWriter
from importer.compact.uid_set import Uid, UidSet
from importer.domain.mailbox_content import Message, NotHandedOut, Outgoing, Stored
from importer.domain.messages.skip_reason import SkipReason
from importer.domain.model import State
from importer.engine.survey import Survey, survey
from importer.ports.mailbox_errors import FolderLeftOut
from providers.endpoint import FolderRole, Secret
from providers.errors import LoginRejected, Throttled
from providers.provider import Provider, ProviderLimits
from tests.conftest import MakeUser
from tests.english import reason_said
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.copier import copier
from tests.rehearsal.dovecot import Dovecot
from tests.rehearsal.fill import Stored as FilledMessage
from tests.rehearsal.hosts import User
from tests.rehearsal.imitations import exchange, gmail, yahoo
from tests.rehearsal.imitations.exchange import LANGUAGES, Exchange
from tests.rehearsal.imitations.gmail import Gmail, GmailSettings
from tests.rehearsal.imitations.server import Imitation, imitation
from tests.rehearsal.imitations.talk import Dialect
from tests.rehearsal.imitations.yahoo import Yahoo

DATE = "02-Feb-2003 04:05:06 +0000"
WHEN = datetime(2003, 2, 2, 4, 5, 6, tzinfo=UTC)


def mail(number: int, header: bytes = b"", text: bytes = b"") -> bytes:
    return b"Message-ID: <%d@old.example>\r\nSubject: %d\r\n%s\r\n%s\r\n" % (number, number, header, text)


@contextmanager
def source_of(user: User) -> Iterator[ImapReader]:
    session = factory(user).open_source(user.account, Secret(user.password))
    yield session
    session.close()


@contextmanager
def destination_of(user: User) -> Iterator[ImapWriter]:
    session = factory(user).open_destination(user.account, Secret(user.password))
    yield session
    session.close()


def factory(user: User) -> ImapSessions:
    return ImapSessions(ca_file=user.ca_file, timeouts=Timeouts(io_s=5))


# --- Exchange ------------------------------------------------------------------------------------------


def appended(user: User, *messages: Outgoing) -> tuple[list[Stored], dict[Uid, set[str]]]:
    """The results of APPEND, and the flags that a new session then reads."""
    with destination_of(user) as session:
        inbox = session.status("INBOX").ref("INBOX")
        results = session.append(inbox, messages)
    with source_of(user) as session:
        fetched = session.messages(inbox, session.uids(inbox))
        flags = {message.uid: set(message.flags) for message in fetched if isinstance(message, Message)}
    assert all(isinstance(result, Stored) for result in results)
    return [result for result in results if isinstance(result, Stored)], flags


def test_exchange_gets_the_flagged_flag_after_the_append(
    exchange_host: Imitation, make_user: MakeUser
) -> None:
    user = make_user(exchange_host)
    stores = exchange_host.commands["UID STORE"]
    results, flags = appended(
        user,
        Outgoing(Uid(1), ("\\Seen", "\\Flagged"), DATE, mail(1)),
        Outgoing(Uid(2), ("\\Seen",), DATE, mail(2)),
        Outgoing(Uid(3), ("\\Flagged",), DATE, mail(3)),
    )
    assert [flags[result.uid] for result in results if result.uid] == [
        {"\\Seen", "\\Flagged"},
        {"\\Seen"},
        {"\\Flagged"},
    ]
    assert exchange_host.commands["UID STORE"] == stores + 1
    assert [result.keywords_dropped for result in results] == [0, 0, 0]


def test_a_flag_that_exchange_refuses_does_not_lose_the_message(
    exchange_host: Imitation, make_user: MakeUser
) -> None:
    user = make_user(exchange_host)
    exchange_host.says("UID STORE", "NO STORE failed.")
    results, flags = appended(
        user,
        Outgoing(Uid(1), ("\\Flagged",), DATE, mail(1)),
        Outgoing(Uid(2), (), DATE, mail(2)),
    )
    assert [result.keywords_dropped for result in results] == [1, 0]
    assert list(flags.values()) == [set(), set()]


def test_exchange_sends_no_second_read_receipt(exchange_host: Imitation, make_user: MakeUser) -> None:
    user = make_user(exchange_host)
    receipt_request = b"Disposition-Notification-To: grace@new.example\r\n"
    results, flags = appended(
        user,
        Outgoing(Uid(1), ("\\Seen",), DATE, mail(1, receipt_request)),
        Outgoing(
            Uid(2), (), DATE, mail(2, receipt_request)
        ),  # unread: its sender may still get a read receipt
        Outgoing(Uid(3), ("\\Seen",), DATE, mail(3)),
    )
    assert [flags[result.uid] for result in results if result.uid] == [
        {"\\Seen", "$MDNSent"},
        set(),
        {"\\Seen"},
    ]


def test_imap4rev2_is_never_enabled(tmp_path: Path, ca: CertificateAuthority, make_user: MakeUser) -> None:
    dialect = Exchange(advertises_rev2=True)
    with imitation(dialect, tmp_path, ca) as server:
        appended(make_user(server), Outgoing(Uid(1), (), DATE, mail(1)))
        assert dialect.enabled == []


def survey_of(user: User) -> Survey:
    with source_of(user) as session:
        return survey(session)


@pytest.mark.parametrize("language", LANGUAGES)
def test_folders_without_mail_are_left_out_in_any_language(
    tmp_path: Path, ca: CertificateAuthority, make_user: MakeUser, language: str
) -> None:
    with imitation(Exchange(language=language), tmp_path, ca) as server:
        user = make_user(server)
        calendar = next(
            f for f in server.mailbox(user.account.login).folders.values() if f.name.startswith("Calend")
        )
        server.mailbox(user.account.login).append(calendar, (), DATE, mail(1))
        surveyed = survey_of(user)
    roles = {folder.role for folder in surveyed.folders if folder.name in surveyed.statuses}
    assert roles == {*FolderRole} - {FolderRole.ALL, FolderRole.FLAGGED}
    assert len(surveyed.statuses) == 6
    left_out = {name: error for name, error in surveyed.unusable.items() if isinstance(error, FolderLeftOut)}
    assert len(left_out) == len(surveyed.unusable) == len(LANGUAGES[language]) - 5
    assert left_out[calendar.name].messages == 1


def test_a_folder_with_such_a_name_in_another_language_is_kept(
    tmp_path: Path, ca: CertificateAuthority, make_user: MakeUser
) -> None:
    with imitation(Exchange(language="fr"), tmp_path, ca) as server:
        user = make_user(server)
        for name in ("Tasks", "Calendar", "Projets", "Projets/Notes"):
            server.mailbox(user.account.login).create(name)
        assert {"Tasks", "Calendar", "Projets/Notes"} <= set(survey_of(user).statuses)


def test_a_calendar_folder_on_other_hosts_is_kept(new_host: Dovecot, make_user: MakeUser) -> None:
    user = make_user(new_host)
    user.fill([], folders=[("Calendar",), ("Contacts",)])
    assert {"Calendar", "Contacts"} <= set(survey_of(user).statuses)


def test_an_exchange_mailbox_is_complete_without_its_calendar(
    tmp_path: Path, ca: CertificateAuthority, make_user: MakeUser, new_host: Dovecot
) -> None:
    with imitation(Exchange(), tmp_path, ca) as server:
        old, new = make_user(server), make_user(new_host)
        mailbox = server.mailbox(old.account.login)
        for folder, number in (
            ("INBOX", 3),
            ("Sent Items", 2),
            ("Calendar", 4),
            ("Sync Issues/Conflicts", 1),
        ):
            for n in range(number):
                mailbox.append(mailbox.folders[folder], (), DATE, mail(hash(folder) % 1000 + n))
        with copier(tmp_path / "data", ca.ca_file) as copies:
            ended = copies.copy(old, new)
            report = copies.report(ended)
    assert ended.state is State.COMPLETE, ended.problem
    assert (report.totals.copied, dict(report.totals.skipped)) == (
        5,
        {SkipReason(exchange_folders.NO_MAIL.code): 5},
    )
    assert not report.refusals
    folders = new.read().folders
    assert {path: len(messages) for path, messages in folders.items() if messages} == {
        ("INBOX",): 3,
        ("Sent",): 2,
    }


def test_all_acceptable_mail_arrives_although_exchange_closes_after_ten_refusals(
    tmp_path: Path, ca: CertificateAuthority, make_user: MakeUser, new_host: Dovecot
) -> None:
    with imitation(Exchange(), tmp_path, ca) as server:
        old, new = make_user(new_host), make_user(server)
        long_line = b"x" * 20_000
        old.fill(
            FilledMessage(("INBOX",), (), WHEN, mail(number, text=long_line if number % 2 else b""))
            for number in range(50)
        )
        with copier(tmp_path / "data", ca.ca_file) as copies:
            ended = copies.copy(old, new)
            report = copies.report(ended)
        assert ended.state is State.INCOMPLETE, ended.problem
        assert (report.totals.copied, report.totals.failed) == (25, 25)
        assert "Command Argument Error" in reason_said(report.refusals[0].reason)
        assert len(server.mailbox(new.account.login).folders["INBOX"].letters) == 25


# --- Backoffs ------------------------------------------------------------------------------------------

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize("status", ["BAD", "NO"])
@pytest.mark.parametrize("command", ["EXAMINE", "UID FETCH", "STATUS", "LIST"])
def test_a_backoff_requested_by_exchange_is_applied_exactly(
    exchange_host: Imitation, make_user: MakeUser, status: str, command: str
) -> None:
    user = make_user(exchange_host)
    mailbox = exchange_host.mailbox(user.account.login)
    mailbox.append(mailbox.folders["INBOX"], (), DATE, mail(1))
    sessions = ImapSessions(ca_file=user.ca_file, now=lambda: NOW)
    session = sessions.open_source(user.account, Secret(user.password))
    inbox = session.status("INBOX").ref("INBOX")
    exchange_host.says(command, f"{status} {exchange.BACKOFF}", closes=exchange.CLOSED)

    def use() -> None:
        session.folders()
        session.status("INBOX")
        list(session.messages(inbox, UidSet.of([1])))

    with pytest.raises(Throttled) as caught:
        use()
    assert caught.value.until == NOW + timedelta(milliseconds=299_961)
    assert len(list(session.messages(inbox, UidSet.of([1])))) == 1  # the session works afterwards
    session.close()


def test_a_backoff_in_place_of_an_append_is_raised(exchange_host: Imitation, make_user: MakeUser) -> None:
    user = make_user(exchange_host)
    with destination_of(user) as session:
        inbox = session.status("INBOX").ref("INBOX")
        exchange_host.says("APPEND", f"BAD {exchange.BACKOFF}", skips=1)
        with pytest.raises(Throttled):
            session.append(inbox, [Outgoing(Uid(n), (), DATE, mail(n)) for n in range(1, 4)])


def test_the_connection_limit_of_gmail_is_throttling(
    tmp_path: Path, ca: CertificateAuthority, make_user: MakeUser
) -> None:
    with imitation(Gmail(GmailSettings(max_connections=1)), tmp_path, ca) as server:
        user = make_user(server)
        with (
            source_of(user),
            pytest.raises(Throttled, match=r"throttled\.connections"),
        ):
            ImapSessions(ca_file=user.ca_file).open_source(user.account, Secret(user.password))


def test_the_daily_limit_of_gmail_is_throttling(
    tmp_path: Path, ca: CertificateAuthority, make_user: MakeUser
) -> None:
    with imitation(Gmail(GmailSettings(daily_bytes=1000)), tmp_path, ca) as server:
        user = make_user(server)
        mailbox = server.mailbox(user.account.login)
        for number in range(20):
            mailbox.append(mailbox.folders["INBOX"], (), DATE, mail(number, text=b"x" * 100))
        came: list[object] = []
        with source_of(user) as session:
            inbox = session.status("INBOX").ref("INBOX")
            with pytest.raises(Throttled, match=r"throttled\.daily_cap"):
                came += session.messages(inbox, session.uids(inbox))


def test_a_throttled_response_of_gmail_is_not_a_failure(gmail_host: Imitation, make_user: MakeUser) -> None:
    user = make_user(gmail_host)
    with source_of(user) as session:
        gmail_host.says("STATUS", gmail.THROTTLED)
        assert session.status("INBOX").messages == 0
        gmail_host.says("UID FETCH", gmail.THROTTLED)
        assert list(session.messages(session.status("INBOX").ref("INBOX"), UidSet.of([1]))) == []


@pytest.mark.parametrize("said", [gmail.APP_PASSWORD, gmail.BROWSER, gmail.IMAP_OFF])
def test_gmails_password_refusals_are_rejected_logins(
    gmail_host: Imitation, make_user: MakeUser, said: str
) -> None:
    user = make_user(gmail_host)
    gmail_host.says("AUTHENTICATE", said)
    with pytest.raises(LoginRejected) as caught:
        ImapSessions(ca_file=user.ca_file).open_source(user.account, Secret(user.password))
    assert caught.value.server_text == said.removeprefix("NO ")


@dataclass
class Tokens:
    """Always returns the same token."""

    token: str

    def access_token(self, *, refused: bool = False) -> Secret:
        return Secret(self.token)


@pytest.mark.parametrize("dialect", [Gmail(), Exchange(passwords=False), Yahoo()], ids=lambda d: d.name)
def test_all_three_hosts_accept_access_tokens(
    tmp_path: Path, ca: CertificateAuthority, make_user: MakeUser, dialect: Dialect
) -> None:
    with imitation(dialect, tmp_path, ca, lambda user, token: token == f"token of {user}") as server:
        user = make_user(server)
        sessions = ImapSessions(ca_file=user.ca_file)
        good = sessions.open_source(user.account, Tokens(f"token of {user.account.login}"))
        assert good.status("INBOX").messages == 0
        good.close()
        with pytest.raises(LoginRejected):
            sessions.open_source(user.account, Tokens("another"))


# --- Yahoo ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("announced", [True, False])
def test_everything_is_read_from_a_server_that_does_only_part_of_each_command(
    tmp_path: Path, ca: CertificateAuthority, make_user: MakeUser, announced: bool
) -> None:
    dialect = Yahoo(message_limit=7, announces_limit=announced)
    with imitation(dialect, tmp_path, ca) as server:
        user = make_user(server)
        inbox = server.mailbox(user.account.login).folders["INBOX"]
        for number in range(100):
            server.mailbox(user.account.login).append(inbox, (), DATE, mail(number))
        for gone in (1, 5, 6, 7, 50, 100):
            del inbox.letters[gone]
        with source_of(user) as session:
            folder = session.status("INBOX").ref("INBOX")
            uids = session.uids(folder)
            assert uids == UidSet.of(inbox.letters)
            assert session.uids(folder, Uid(60)) == uids.at_or_above(60)
            assert [uid for uid, _ in session.sizes(folder, uids)] == list(uids)
            assert sorted(message.uid for message in session.headers(folder, uids)) == list(uids)
            assert sorted(
                message.uid for message in session.messages(folder, uids) if isinstance(message, Message)
            ) == list(uids)


@pytest.mark.parametrize("says", [yahoo.UNAVAILABLE, yahoo.TRY_LATER, yahoo.SERVER_BUG])
def test_a_message_that_yahoo_cannot_return_does_not_block_the_others(
    tmp_path: Path, ca: CertificateAuthority, make_user: MakeUser, says: str
) -> None:
    dialect = Yahoo(message_limit=10, broken_says=says)
    with imitation(dialect, tmp_path, ca) as server:
        user = make_user(server)
        inbox = server.mailbox(user.account.login).folders["INBOX"]
        for number in range(20):
            server.mailbox(user.account.login).append(inbox, (), DATE, mail(number))
        dialect.broken.add(inbox.letters[13].number)
        with source_of(user) as session:
            folder = session.status("INBOX").ref("INBOX")
            results = list(session.messages(folder, session.uids(folder)))
    assert sorted(result.uid for result in results if isinstance(result, Message)) == [
        *range(1, 13),
        *range(14, 21),
    ]
    assert [result.uid for result in results if isinstance(result, NotHandedOut)] == [13]


def test_more_of_a_folder_is_read_from_the_export_server(
    tmp_path: Path, ca: CertificateAuthority, make_user: MakeUser
) -> None:
    with (
        imitation(Yahoo(view_messages=10, message_limit=7), tmp_path, ca) as server,
        imitation(Yahoo(view_messages=10, message_limit=7, export=True), tmp_path, ca) as export,
    ):
        user = make_user(server)
        export.share_user(user.account.login, server)
        inbox = server.mailbox(user.account.login).folders["INBOX"]
        for number in range(30):
            server.mailbox(user.account.login).append(inbox, (), DATE, mail(number))
        provider = Provider("yahoo", "Yahoo", (), server.imaps, read_endpoint=export.imaps)
        sessions = ImapSessions(ca_file=user.ca_file, provider_of=lambda _host: provider)
        for opens, messages in ((sessions.open_source, 30), (sessions.open_destination, 10)):
            session = opens(user.account, Secret(user.password))
            assert session.status("INBOX").messages == messages
            assert len(session.uids(session.status("INBOX").ref("INBOX"))) == messages
            assert session.listing().partial == {}
            session.close()


def test_a_possibly_truncated_folder_is_reported(
    tmp_path: Path, ca: CertificateAuthority, make_user: MakeUser
) -> None:
    with imitation(Yahoo(view_messages=10), tmp_path, ca) as server:
        user = make_user(server)
        mailbox = server.mailbox(user.account.login)
        for folder, messages in (("INBOX", 12), ("Sent", 9)):
            for number in range(messages):
                mailbox.append(mailbox.folders[folder], (), DATE, mail(number))
        provider = Provider("yahoo", "Yahoo", (), server.imaps, limits=ProviderLimits(messages_per_folder=10))
        session = ImapSessions(ca_file=user.ca_file, provider_of=lambda _host: provider).open_source(
            user.account, Secret(user.password)
        )
        (partial,) = session.listing().partial.items()
        session.close()
    assert partial[0] == "INBOX"
    assert reason_said(partial[1]).startswith(
        "localhost shows at most 10 messages per folder, and exactly that many of this one"
    )


@pytest.mark.parametrize("named", ["usual", "export"])
def test_a_folder_truncated_by_the_export_server_is_reported(
    tmp_path: Path, ca: CertificateAuthority, make_user: MakeUser, named: str
) -> None:
    with (
        imitation(Yahoo(), tmp_path, ca) as server,
        imitation(Yahoo(export=True, export_view_messages=12), tmp_path, ca) as export,
    ):
        user = make_user(server)
        export.share_user(user.account.login, server)
        mailbox = server.mailbox(user.account.login)
        for folder, messages in (("INBOX", 14), ("Sent", 11)):
            for number in range(messages):
                mailbox.append(mailbox.folders[folder], (), DATE, mail(number))
        limits = ProviderLimits(messages_per_folder=10, read_messages_per_folder=12)
        provider = Provider("yahoo", "Yahoo", (), server.imaps, read_endpoint=export.imaps, limits=limits)
        account = replace(user.account, endpoint=(export if named == "export" else server).imaps)
        sessions = ImapSessions(ca_file=user.ca_file, provider_of=lambda _host: provider)
        session = sessions.open_source(account, Secret(user.password))
        (partial,) = session.listing().partial.items()
        session.close()
    assert partial[0] == "INBOX"
    assert "shows at most 12 messages per folder" in reason_said(partial[1])
