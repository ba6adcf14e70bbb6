"""Responses that real hosts are known to give, played by a scripted server: no test server gives them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from importer.adapters.imap import fetch
from importer.adapters.imap.connection import Connection
from importer.adapters.imap.factory import ImapSessions
from importer.adapters.imap.imapclient_adapter import Timeouts
from importer.adapters.imap.reader import ImapReader
from importer.adapters.imap.wire_events import WireEvent
from importer.adapters.imap.writer import ImapWriter
from importer.compact.uid_set import Uid, UidSet, UidValidity
from importer.domain.mailbox_content import (
    FolderRef,
    FolderStatus,
    HeaderLines,
    KeywordRule,
    Message,
    Outgoing,
    Rejected,
    Stored,
)
from importer.domain.model import Account
from importer.ports.mailbox import MailboxReader
from importer.ports.mailbox_errors import FolderChanged, FolderUnusable, QuotaExceeded
from providers.endpoint import Secret
from providers.errors import ConnectionLost, MailError, ProtocolViolation, ServerUnavailable, Side, Throttled
from providers.text import Text
from tests.english import reason_said
from tests.rehearsal.ports import PATIENCE_S
from tests.rehearsal.scripted import CAPABILITIES, Answer, ScriptedServer, scripted_server, usual_answer

NOW = datetime(2030, 1, 1, tzinfo=UTC)
INBOX = FolderRef("INBOX", UidValidity(9))
ALL = UidSet.of(range(1, 9))
BACKOFF = b"TAG BAD Request is throttled. Suggested Backoff Time: 299961 milliseconds\r\n"
Open = Callable[..., tuple[ImapReader, ScriptedServer]]
OpenWriter = Callable[..., tuple[ImapWriter, ScriptedServer]]


@contextmanager
def serving(
    answer: Answer, capabilities: str, max_bytes: int = 10_000
) -> Iterator[tuple[ScriptedServer, ImapSessions, Account]]:
    def scripted_answer(command: str) -> bytes | None:
        return usual_answer(command, capabilities) if command == "CAPABILITY" else answer(command)

    with scripted_server(scripted_answer) as server:
        sessions = ImapSessions(
            timeouts=Timeouts(connect_s=PATIENCE_S, io_s=5), now=lambda: NOW, max_message_bytes=max_bytes
        )
        yield server, sessions, Account("ada@old.example", "ada", server.endpoint)


@pytest.fixture
def scripted() -> Iterator[Open]:
    """Opens a source on a scripted server. Returns the session and the server."""
    with ExitStack() as stack:

        def opened(
            answer: Answer, *, capabilities: str = CAPABILITIES, max_bytes: int = 10_000
        ) -> tuple[ImapReader, ScriptedServer]:
            server, sessions, account = stack.enter_context(serving(answer, capabilities, max_bytes))
            session = sessions.open_source(account, Secret("secret"))
            stack.callback(session.close)
            return session, server

        yield opened


@pytest.fixture
def scripted_destination() -> Iterator[OpenWriter]:
    """Opens a destination on a scripted server. Returns the session and the server."""
    with ExitStack() as stack:

        def opened(answer: Answer, *, capabilities: str = CAPABILITIES) -> tuple[ImapWriter, ScriptedServer]:
            server, sessions, account = stack.enter_context(serving(answer, capabilities))
            session = sessions.open_destination(account, Secret("secret"))
            stack.callback(session.close)
            return session, server

        yield opened


def requested_uids(command: str) -> UidSet | None:
    match = re.match(r"UID FETCH ([0-9:,]+) \(UID FLAGS", command)
    return UidSet.parse(match[1]) & ALL if match else None


def message(uid: int, body: bytes = b"x") -> bytes:
    date = b'INTERNALDATE "01-Jan-2020 00:00:00 +0000"'
    return b"* %d FETCH (UID %d FLAGS (\\Recent a) %s BODY[] {%d}\r\n%s)\r\n" % (
        uid,
        uid,
        date,
        len(body),
        body,
    )


def read(session: MailboxReader, uids: UidSet = ALL) -> tuple[list[int], dict[int, str]]:
    """The UIDs of the messages received, and the reasons for those that were not."""
    received: list[int] = []
    reasons: dict[int, str] = {}
    for result in session.messages(INBOX, uids):
        if isinstance(result, Message):
            received.append(result.uid)
        else:
            reasons[result.uid] = reason_said(result.reason)
    return sorted(received), reasons


# --- Reading -------------------------------------------------------------------------------------------


def poisoned(poison: set[int], refusal: bytes, *, partly: bool) -> Answer:
    """Refuse each FETCH that names a poisoned message; with `partly`, after the messages before it."""

    def answer(command: str) -> bytes | None:
        uids = requested_uids(command)
        if uids is None:
            return None
        response = b""
        for uid in uids:
            if uid in poison:
                return (response if partly else b"") + refusal
            response += message(uid)
        return response + b"TAG OK done\r\n"

    return answer


@pytest.mark.parametrize("partly", [True, False])
@pytest.mark.parametrize(
    "refusal",
    [
        b"TAG NO [UNAVAILABLE] UID FETCH Server error - Please try again later\r\n",
        b"TAG NO [SERVERBUG] oops\r\n",
        b"TAG BAD Command Argument Error. 11\r\n",
    ],
)
@pytest.mark.parametrize("poison", [{4}, {1, 8}, {2, 3, 4}])
def test_a_message_that_breaks_the_command_is_isolated(
    scripted: Open, poison: set[int], refusal: bytes, partly: bool
) -> None:
    session, _ = scripted(poisoned(poison, refusal, partly=partly))
    received, reasons = read(session)
    assert received == [uid for uid in range(1, 9) if uid not in poison]
    assert set(reasons) == poison
    words = refusal.decode().split(" ", 2)[2].strip()
    assert set(reasons.values()) == {f"the old server lists it but does not deliver it ({words})"}


def test_a_server_that_refuses_every_message_is_unavailable(scripted: Open) -> None:
    session, _ = scripted(poisoned(set(ALL), b"TAG NO [UNAVAILABLE] later\r\n", partly=False))
    with pytest.raises(ServerUnavailable):
        read(session)


CLOSES_CONNECTION = b"* BYE FETCH failed\r\n"


@pytest.fixture
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "pause", lambda _losses: None)


@pytest.mark.usefixtures("without_pauses")
@pytest.mark.parametrize("partly", [True, False])
@pytest.mark.parametrize("poison", [{4}, {1, 8}, {2, 3, 4}])
def test_a_message_that_ends_the_connection_is_isolated(
    scripted: Open, poison: set[int], partly: bool
) -> None:
    session, _ = scripted(poisoned(poison, CLOSES_CONNECTION, partly=partly))
    received, reasons = read(session)
    assert received == [uid for uid in range(1, 9) if uid not in poison]
    assert set(reasons) == poison
    assert set(reasons.values()) == {"the connection to the old server ends each time it is requested"}


def test_a_message_whose_connection_ends_by_chance_is_not_broken(scripted: Open) -> None:
    losses = iter([CLOSES_CONNECTION, CLOSES_CONNECTION])

    def answer(command: str) -> bytes | None:
        uids = requested_uids(command)
        return next(losses, message(*uids) + b"TAG OK done\r\n") if uids else None

    session, _ = scripted(answer)
    assert read(session, UidSet.of([4])) == ([4], {})


@pytest.mark.usefixtures("without_pauses")
def test_a_server_that_ends_the_connection_at_every_message_is_a_lost_connection(
    scripted: Open,
) -> None:
    session, server = scripted(poisoned(set(ALL), CLOSES_CONNECTION, partly=False))
    with pytest.raises(ConnectionLost):
        read(session)
    assert server.connections < 25


def test_a_connection_lost_twice_in_a_row_is_reopened(scripted: Open) -> None:
    losses = iter(["UID FETCH", "EXAMINE"])
    next_loss = next(losses)

    def answer(command: str) -> bytes | None:
        nonlocal next_loss
        if next_loss and command.startswith(next_loss):
            next_loss = next(losses, "")
            return CLOSES_CONNECTION
        return poisoned(set(), b"", partly=False)(command)

    session, _ = scripted(answer)
    assert read(session) == (list(ALL), {})


def test_a_connection_that_cannot_be_reopened_is_given_up(scripted: Open) -> None:
    gone = False

    def answer(command: str) -> bytes | None:
        nonlocal gone
        gone = gone or command.startswith("UID FETCH")
        return b"* BYE closed\r\n" if gone else None

    session, server = scripted(answer)
    with pytest.raises(MailError) as caught:
        read(session)
    assert caught.value.side is Side.SOURCE
    assert server.connections <= 5


def test_repeated_connection_losses_stop_at_the_time_budget(
    scripted: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(command: str) -> bytes | None:
        if not requested_uids(command):
            return None
        time.sleep(0.2)
        return CLOSES_CONNECTION

    monkeypatch.setattr(fetch, "LOST_CONNECTION_BUDGET_S", 0.5)
    session, server = scripted(answer)
    with pytest.raises(ConnectionLost):
        read(session)
    assert server.connections <= 3


@pytest.mark.parametrize("refusal", [b"TAG NO Some messages could not be FETCHed\r\n", CLOSES_CONNECTION])
def test_a_message_without_a_reported_size_still_exists(
    scripted: Open, without_pauses: None, refusal: bytes
) -> None:
    def answer(command: str) -> bytes | None:
        match = re.match(r"UID FETCH ([0-9:,]+) \(UID RFC822.SIZE\)", command)
        if not match:
            return None
        uids = UidSet.parse(match[1])
        sizes = b"".join(b"* %d FETCH (UID %d RFC822.SIZE 70)\r\n" % (uid, uid) for uid in uids if uid != 7)
        return refusal if 3 in uids else sizes + b"TAG OK done\r\n"  # 7 was removed

    session, _ = scripted(answer)
    assert list(session.sizes(INBOX, ALL)) == [(1, 70), (2, 70), (3, 0), (4, 70), (5, 70), (6, 70), (8, 70)]


@pytest.mark.usefixtures("without_pauses")
def test_a_message_whose_size_ends_the_connection_is_read_without_it(scripted: Open) -> None:
    def answer(command: str) -> bytes | None:
        match = re.match(r"UID FETCH ([0-9:,]+) \(.*RFC822.SIZE", command)
        if match and 3 in UidSet.parse(match[1]):
            return CLOSES_CONNECTION
        return poisoned(set(), b"", partly=False)(command)

    session, server = scripted(answer)
    assert dict(session.sizes(INBOX, UidSet.of([3]))) == {3: 0}
    connections = server.connections
    assert read(session) == (list(ALL), {})
    assert dict(session.sizes(INBOX, UidSet.of([3]))) == {3: 0}
    assert server.connections == connections + 1


def test_contents_that_come_only_alone_are_requested_alone(scripted: Open) -> None:
    def answer(command: str) -> bytes | None:
        uids = requested_uids(command)
        if uids is None:
            return None
        return b"".join(map(message, uids if len(uids) == 1 else ())) + b"TAG OK done\r\n"

    session, server = scripted(answer)
    assert read(session) == (list(ALL), {})
    before = len(server.commands)
    assert read(session) == (list(ALL), {})
    assert len(server.commands) == before + 9  # EXAMINE, too


@pytest.mark.parametrize("capabilities", [CAPABILITIES, "IMAP4rev1"])
def test_a_limit_of_messages_makes_commands_smaller(scripted: Open, capabilities: str) -> None:
    def answer(command: str) -> bytes | None:
        match = re.match(r"(?:UID )?FETCH ([0-9:,*]+) ", command)
        if match and len(UidSet.parse(match[1].replace("*", "8")) & ALL) > 3:
            return b"TAG NO [LIMIT] too many messages for one command\r\n"
        if command == "UID SEARCH ALL":
            return b"* SEARCH 1 2 3 4 5 6 7 8\r\nTAG OK done\r\n"
        return poisoned(set(), b"", partly=False)(command)

    session, server = scripted(answer, capabilities=capabilities)
    assert session.uids(INBOX) == ALL
    assert read(session) == (list(ALL), {})
    before = len(server.commands)
    assert read(session) == (list(ALL), {})
    assert len(server.commands) == before + 4  # of two messages each


def test_a_limit_for_one_message_is_a_pause(scripted: Open) -> None:
    session, _ = scripted(poisoned(set(ALL), b"TAG NO [LIMIT] come back later\r\n", partly=False))
    with pytest.raises(Throttled):
        read(session)


def test_a_backoff_requested_while_reading_is_raised(scripted: Open) -> None:
    session, _ = scripted(poisoned({4}, BACKOFF, partly=True))
    with pytest.raises(Throttled) as caught:
        read(session)
    assert caught.value.until == NOW + timedelta(milliseconds=299961)


def test_a_daily_read_limit_is_throttling_and_not_a_full_mailbox(scripted: Open) -> None:
    session, _ = scripted(poisoned({1}, b"TAG NO [OVERQUOTA] too much today\r\n", partly=False))
    with pytest.raises(Throttled):
        read(session)


def test_a_message_without_content_is_reported(scripted: Open) -> None:
    def answer(command: str) -> bytes | None:
        if requested_uids(command) is None:
            return None
        withheld = b'* 2 FETCH (UID 2 FLAGS () INTERNALDATE "01-Jan-2020 00:00:00 +0000" BODY[] NIL)\r\n'
        return message(1) + withheld + message(3) + b"TAG OK done\r\n"

    session, _ = scripted(answer)
    received, reasons = read(session)
    assert received == [1, 3]
    assert set(reasons) == {2}


def test_an_oversized_message_is_reported_and_the_others_are_read(scripted: Open) -> None:
    def answer(command: str) -> bytes | None:
        uids = requested_uids(command)
        if uids is None:
            return None
        return b"".join(message(u, b"x" * (20_000 if u == 5 else 50)) for u in uids) + b"TAG OK done\r\n"

    session, _ = scripted(answer)
    received, reasons = read(session)
    assert received == [1, 2, 3, 4, 6, 7, 8]
    assert reasons == {
        5: "larger than Mailhaul copies (20\N{NO-BREAK SPACE}kB; the limit is 10\N{NO-BREAK SPACE}kB)"
    }


def test_a_recreated_folder_is_not_mistaken_for_broken_messages(scripted: Open) -> None:
    remade = False

    def answer(command: str) -> bytes | None:
        nonlocal remade
        if command.startswith("EXAMINE") and remade:
            return b"* 8 EXISTS\r\n* OK [UIDVALIDITY 10] x\r\nTAG OK done\r\n"
        remade = remade or command.startswith("UID FETCH")
        return b"TAG BAD No mailbox selected\r\n" if command.startswith("UID FETCH") else None

    session, _ = scripted(answer)
    with pytest.raises(FolderChanged):
        read(session)


def test_gibberish_instead_of_replies_costs_the_folder_alone(scripted: Open) -> None:
    session, server = scripted(lambda command: b"TAG ?!\r\n" if requested_uids(command) else None)
    received, reasons = read(session)
    assert (received, len(reasons)) == ([], 8)
    assert server.connections < 30
    assert session.status("INBOX").messages == 8


def test_gibberish_before_silence_is_quoted(scripted: Open) -> None:
    session, server = scripted(lambda command: b"pardon?\r\n" if command.startswith("STATUS") else None)
    with pytest.raises(ProtocolViolation) as caught:
        session.status("INBOX")
    assert caught.value.server_text == "pardon?"
    assert server.connections <= 3


def test_unrequested_messages_are_not_returned(scripted: Open) -> None:
    def answer(command: str) -> bytes | None:
        if requested_uids(command) is None:
            return None
        split = (
            b'* 3 FETCH (UID 3 FLAGS (b))\r\n* 3 FETCH (UID 3 INTERNALDATE "01-Jan-2020 00:00:00 +0000")\r\n'
            b"* 3 FETCH (UID 3 BODY[] {1}\r\ny)\r\n"
        )
        noise = (
            b"* 4 FETCH (FLAGS (\\Seen))\r\n* 9 EXISTS\r\n* 4 EXPUNGE\r\n* VANISHED 7\r\n* OK [ALERT] hi\r\n"
        )
        return message(2) + message(77) + noise + split + message(2) + b"TAG OK done\r\n"

    session, _ = scripted(answer)
    messages = [item for item in session.messages(INBOX, UidSet.of([2, 3])) if isinstance(item, Message)]
    contents = sorted((item.uid, item.flags, item.body) for item in messages)
    assert contents == [(2, ("a",), b"x"), (3, ("b",), b"y")]


def test_an_unavailable_header_is_returned_empty(scripted: Open) -> None:
    def answer(command: str) -> bytes | None:
        if "HEADER.FIELDS" not in command:
            return None
        if command.startswith("UID FETCH 1 "):
            header = b"BODY[HEADER.FIELDS (Message-ID Date From Subject)] {4}\r\n\r\n\r\n RFC822.SIZE 5"
            return b"* 1 FETCH (UID 1 " + header + b")\r\nTAG OK done\r\n"
        return b"TAG NO [SERVERBUG] oops\r\n"

    session, _ = scripted(answer)
    headers = list(session.headers(INBOX, UidSet.of([1, 2])))
    assert headers == [HeaderLines(Uid(1), 5, b"\r\n\r\n"), HeaderLines(Uid(2), 0, b"")]


def test_uids_come_from_fetch_where_search_fails(scripted: Open) -> None:
    def answer(command: str) -> bytes | None:
        if command.startswith("UID SEARCH"):
            return b"TAG NO not today\r\n"
        if command == "UID FETCH 6:* (UID)":
            return b"* 3 FETCH (UID 5)\r\n* 7 FETCH (UID 7)\r\n* 8 FETCH (FLAGS ())\r\nTAG OK done\r\n"
        return None

    for capabilities in (CAPABILITIES, f"{CAPABILITIES} ESEARCH"):
        session, _ = scripted(answer, capabilities=capabilities)
        assert session.uids(INBOX, Uid(6)) == UidSet.of([7])


@pytest.mark.parametrize("made_up", [b"1:4294967295", b"x", b"1:8:9", b"(1 2)", b""])
def test_invalid_search_results_are_replaced_by_fetch(scripted: Open, made_up: bytes) -> None:
    def answer(command: str) -> bytes | None:
        if command.startswith("UID SEARCH"):
            return b'* ESEARCH (TAG "M2") UID ALL ' + made_up + b"\r\nTAG OK done\r\n"
        if command.startswith("UID FETCH"):
            return b"* 1 FETCH (UID 3)\r\n* 2 FETCH (UID 7)\r\nTAG OK done\r\n"
        return None

    session, _ = scripted(answer, capabilities=f"{CAPABILITIES} ESEARCH")
    assert session.uids(INBOX) == UidSet.of([3, 7])


def test_a_million_uids_are_read_from_one_line(scripted: Open) -> None:
    uids = UidSet.of(range(1, 2_000_000, 2))

    def answer(command: str) -> bytes | None:
        if command.startswith("EXAMINE"):
            return b"* 1000000 EXISTS\r\n* OK [UIDVALIDITY 9] x\r\nTAG OK done\r\n"
        if command.startswith("UID SEARCH"):
            return b'* ESEARCH (TAG "M2") UID ALL ' + str(uids).encode() + b"\r\nTAG OK done\r\n"
        return None

    session, _ = scripted(answer, capabilities=f"{CAPABILITIES} ESEARCH")
    assert session.uids(INBOX) == uids


def test_the_source_is_never_opened_for_writing(scripted: Open) -> None:
    session, server = scripted(poisoned(set(), b"", partly=False))
    read(session)
    session.uids(INBOX)
    session.status("INBOX")
    session.close()
    verbs = {command.split(" ")[0] for command in server.commands}
    assert not verbs & {"SELECT", "CLOSE", "EXPUNGE", "STORE"}
    assert not any("BODY[" in command for command in server.commands)


@pytest.mark.parametrize(
    "count", [lambda session: session.status("INBOX"), lambda session: session.statuses(["INBOX"])]
)
def test_the_open_folder_is_unselected_before_status_and_reopened_to_read(
    scripted: Open, count: Callable[[ImapReader], object]
) -> None:
    session, server = scripted(lambda _command: None)
    session.uids(INBOX)
    count(session)
    list(session.sizes(INBOX, ALL))
    verbs = [command.split(" ")[0] for command in server.commands]
    assert verbs[-5:] == ["UID", "UNSELECT", "STATUS", "EXAMINE", "UID"]


def test_a_folder_that_cannot_be_unselected_is_still_counted(scripted: Open) -> None:
    session, _ = scripted(lambda command: b"TAG BAD not now\r\n" if command == "UNSELECT" else None)
    session.uids(INBOX)
    assert session.status("INBOX").messages == 8
    assert session.statuses(["INBOX"])["INBOX"] == session.status("INBOX")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"TAG NO [NONEXISTENT] Unknown Mailbox\r\n", FolderUnusable),
        (b"TAG BAD [CLIENTBUG] no\r\n", FolderUnusable),
        (b"* 1 EXISTS\r\nTAG OK without UIDVALIDITY\r\n", FolderUnusable),
        (b"* 1 EXISTS\r\n* OK [UIDVALIDITY 10] x\r\nTAG OK done\r\n", FolderChanged),
        (b"TAG NO [INUSE] locked\r\n", ServerUnavailable),
        (BACKOFF, Throttled),
        (b"* BYE\r\n", FolderUnusable),
    ],
)
def test_a_folder_that_does_not_open_raises_the_matching_error(
    scripted: Open, answer: bytes, kind: type[MailError]
) -> None:
    session, _ = scripted(lambda command: answer if command.startswith("EXAMINE") else None)
    for use in (lambda: read(session), lambda: session.uids(INBOX)):
        with pytest.raises(kind) as caught:
            use()
        assert caught.value.side is Side.SOURCE


# --- Many folders --------------------------------------------------------------------------------------


def counted(name: str, messages: int) -> bytes:
    return f"* STATUS {name} (MESSAGES {messages} UIDNEXT 99 UIDVALIDITY 9)\r\n".encode()


def test_status_commands_are_pipelined(scripted: Open) -> None:
    names = ["A", "B", "C"]

    def answer(command: str) -> bytes | None:
        if not command.startswith("STATUS"):
            return None
        if '"C"' not in command:
            return b""  # no response before the last command has arrived
        return b"".join(counted(name, n) + b"M%d OK done\r\n" % n for n, name in enumerate(names, start=1))

    session, _ = scripted(answer)
    statuses = session.statuses(names)
    assert {
        name: status.messages for name, status in statuses.items() if isinstance(status, FolderStatus)
    } == {
        "A": 1,
        "B": 2,
        "C": 3,
    }


ESEARCH = CAPABILITIES + " ESEARCH"
SEARCHED = b'* ESEARCH (TAG "x") UID ALL 1:8\r\nTAG OK done\r\n'
FOLDERS = [FolderRef(name, UidValidity(9)) for name in ("A", "B", "C")]


def test_several_folders_are_listed_in_one_round_trip(scripted: Open) -> None:
    asked: list[str] = []

    def answer(command: str) -> bytes | None:
        if not command.startswith(("EXAMINE", "UID SEARCH")):
            return None
        asked.append(command)
        if len(asked) < 6:
            return b""  # no response before the last command has arrived
        said = (SEARCHED if n % 2 == 0 else usual_answer("EXAMINE") for n in range(1, 7))
        return b"".join(words.replace(b"TAG OK", b"M%d OK" % n) for n, words in enumerate(said, start=1))

    session, _ = scripted(answer, capabilities=ESEARCH)
    assert session.uids_of(FOLDERS) == dict.fromkeys(FOLDERS, ALL)


@pytest.mark.parametrize(
    ("command", "response"),
    [
        ('EXAMINE "B"', b"TAG NO [NONEXISTENT] gone\r\n"),
        ('EXAMINE "B"', usual_answer("EXAMINE").replace(b"8 EXISTS", b"9 EXISTS")),
        ('EXAMINE "B"', usual_answer("EXAMINE").replace(b"UIDVALIDITY 9", b"UIDVALIDITY 8")),
        ('EXAMINE "B"', b"* OK [UIDVALIDITY 9] x\r\nTAG OK done\r\n"),
    ],
)
def test_a_folder_of_which_not_everything_agrees_is_not_listed_with_the_others(
    scripted: Open, command: str, response: bytes
) -> None:
    def answer(asked: str) -> bytes | None:
        if asked.startswith("UID SEARCH"):
            return SEARCHED
        return response if asked == command else None

    session, _ = scripted(answer, capabilities=ESEARCH)
    assert session.uids_of(FOLDERS) == {FOLDERS[0]: ALL, FOLDERS[2]: ALL}


def test_after_a_bad_among_several_folders_each_is_listed_alone(scripted: Open) -> None:
    searches = 0

    def answer(command: str) -> bytes | None:
        nonlocal searches
        if not command.startswith("UID SEARCH"):
            return None
        searches += 1
        return b"TAG BAD wait for the answer\r\n" if searches == 2 else SEARCHED

    session, server = scripted(answer, capabilities=ESEARCH)
    assert session.uids_of(FOLDERS) == {FOLDERS[0]: ALL, FOLDERS[2]: ALL}
    before = len(server.commands)
    assert session.uids_of(FOLDERS) == {}
    assert len(server.commands) == before
    assert session.uids(FOLDERS[1]) == ALL


def test_a_connection_that_ends_among_several_folders_costs_no_answer(scripted: Open) -> None:
    def answer(command: str) -> bytes | None:
        if command.startswith("UID SEARCH"):
            return SEARCHED if server.connections > 1 else b"* BYE\r\n"
        return None

    session, server = scripted(answer, capabilities=ESEARCH)
    assert session.uids_of(FOLDERS) == {}
    assert session.uids(FOLDERS[0]) == ALL


SIZED = (
    b"".join(b"* %d FETCH (UID %d RFC822.SIZE 100)\r\n" % (n, n) for n in range(1, 9)) + b"TAG OK done\r\n"
)
SIZES = [(uid, 100) for uid in range(1, 9)]


def test_the_sizes_of_several_folders_are_listed_in_one_round_trip(scripted: Open) -> None:
    asked: list[str] = []

    def answer(command: str) -> bytes | None:
        if not command.startswith(("EXAMINE", "UID FETCH")):
            return None
        asked.append(command)
        if len(asked) < 6:
            return b""  # no response before the last command has arrived
        said = (SIZED if n % 2 == 0 else usual_answer("EXAMINE") for n in range(1, 7))
        return b"".join(words.replace(b"TAG OK", b"M%d OK" % n) for n, words in enumerate(said, start=1))

    session, _ = scripted(answer)
    assert session.sizes_of(FOLDERS) == dict.fromkeys(FOLDERS, SIZES)


@pytest.mark.parametrize(
    ("command", "response"),
    [
        ('EXAMINE "B"', b"TAG NO [NONEXISTENT] gone\r\n"),
        ('EXAMINE "B"', usual_answer("EXAMINE").replace(b"8 EXISTS", b"9 EXISTS")),
        ('EXAMINE "B"', usual_answer("EXAMINE").replace(b"UIDVALIDITY 9", b"UIDVALIDITY 8")),
        ("UID FETCH", SIZED.replace(b"(UID 3 RFC822.SIZE 100)", b"(UID 3)")),
        ("UID FETCH", SIZED.replace(b"UID 3 RFC822.SIZE 100", b"UID 3 RFC822.SIZE 9223372036854775808")),
    ],
)
def test_a_folder_of_which_not_every_size_is_told_is_not_listed_with_the_others(
    scripted: Open, command: str, response: bytes
) -> None:
    opened = ""

    def answer(asked: str) -> bytes | None:
        nonlocal opened
        opened = asked if asked.startswith("EXAMINE") else opened
        if asked.startswith(command) and opened == 'EXAMINE "B"':
            return response
        return SIZED if asked.startswith("UID FETCH") else None

    session, _ = scripted(answer)
    assert session.sizes_of(FOLDERS) == {FOLDERS[0]: SIZES, FOLDERS[2]: SIZES}


def test_after_a_connection_that_ended_among_several_folders_each_is_asked_alone(
    scripted_destination: OpenWriter,
) -> None:
    def answer(command: str) -> bytes | None:
        if command == 'SELECT "B"':
            return usual_answer("SELECT") if server.connections > 1 else b"* BYE\r\n"
        return None

    session, server = scripted_destination(answer)
    names = [folder.name for folder in FOLDERS]
    assert session.open_each_for_appending(names) == {}
    before = len(server.commands)
    assert session.open_each_for_appending(names) == {}
    assert session.sizes_of(FOLDERS) == {}
    assert len(server.commands) == before
    assert session.open_for_appending("A")[0].messages == 8


@pytest.mark.parametrize(
    ("command", "response"),
    [
        ('SELECT "B"', b"TAG NO [NONEXISTENT] gone\r\n"),
        ('SELECT "B"', usual_answer("SELECT").replace(b"* OK [UIDNEXT 9] x\r\n", b"")),
        ('SELECT "B"', usual_answer("SELECT").replace(b"* 8 EXISTS\r\n", b"")),
    ],
)
def test_a_folder_of_which_not_all_is_told_is_not_opened_with_the_others(
    scripted_destination: OpenWriter, command: str, response: bytes
) -> None:
    selected = usual_answer("SELECT").replace(b" [READ-ONLY]", b"")

    def answer(asked: str) -> bytes | None:
        return response if asked == command else selected if asked.startswith("SELECT") else None

    session, _ = scripted_destination(answer)
    opened = session.open_each_for_appending(["A", "B", "C"])
    assert opened == {name: (FolderStatus(UidValidity(9), Uid(9), 8), KeywordRule()) for name in ("A", "C")}


@pytest.mark.parametrize("last", ["C", "B"])
def test_the_folder_that_stays_open_after_several_is_left_before_an_append_into_it(
    scripted_destination: OpenWriter, last: str
) -> None:
    appended = appends({}, b"TAG OK [APPENDUID 9 9] done\r\n")
    session, server = scripted_destination(appended, capabilities=f"{CAPABILITIES} UNSELECT")
    session.open_each_for_appending([name for name in ("A", "B", "C") if name <= last])
    session.append(FolderRef("A", UidValidity(9)), batch(b"a"))
    assert "UNSELECT" not in server.commands
    session.append(FolderRef(last, UidValidity(9)), batch(b"a"))
    before = server.commands.index("UNSELECT")
    assert [command.split()[:2] for command in server.commands[before + 1 :]] == [["APPEND", f'"{last}"']]


def test_a_folder_may_be_open_after_a_select_that_was_not_understood(
    scripted_destination: OpenWriter,
) -> None:
    appended = appends({}, b"TAG OK [APPENDUID 9 9] done\r\n")

    def answer(command: str) -> bytes | None:
        return b"TAG BAD what\r\n" if command == 'SELECT "B"' else appended(command)

    session, server = scripted_destination(answer, capabilities=f"{CAPABILITIES} UNSELECT")
    assert list(session.open_each_for_appending(["A", "B"])) == ["A"]
    session.append(FolderRef("A", UidValidity(9)), batch(b"a"))
    assert [command.split()[0] for command in server.commands[-2:]] == ["UNSELECT", "APPEND"]


def test_hundreds_of_folders_are_counted_with_one_command_each(scripted: Open) -> None:
    def answer(command: str) -> bytes | None:
        match = re.match(r'STATUS "F(\d+)"', command)
        return counted(f"F{match[1]}", int(match[1])) + b"TAG OK done\r\n" if match else None

    names = [f"F{n}" for n in range(250)]
    session, server = scripted(answer)
    statuses = session.statuses(names)
    assert [status.messages for status in statuses.values() if isinstance(status, FolderStatus)] == list(
        range(250)
    )
    assert list(statuses) == names
    assert sum(command.startswith("STATUS") for command in server.commands) == 250


def test_out_of_order_status_responses_are_matched_by_folder_name(scripted: Open) -> None:
    commands: list[str] = []

    def answer(command: str) -> bytes | None:
        if not command.startswith("STATUS"):
            return None
        commands.append(command)
        match len(commands), command.split(" ")[1]:
            case 1, _:
                return counted("B", 2) + b"TAG OK done\r\n"
            case 2, _:
                return counted("A", 1) + b"TAG OK done\r\n"
            case 3, _:
                return b"TAG OK done\r\n" + counted("C", 3)
            case _, name:
                return counted(name, "_ABCD".index(name[1])) + b"TAG OK done\r\n"

    session, _ = scripted(answer)
    statuses = session.statuses(["A", "B", "C", "D"])
    assert [status.messages for status in statuses.values() if isinstance(status, FolderStatus)] == [
        1,
        2,
        3,
        4,
    ]


def test_a_requested_backoff_does_not_make_a_folder_unusable(scripted: Open) -> None:
    session, _ = scripted(lambda command: BACKOFF if command.startswith('STATUS "B"') else None)
    with pytest.raises(Throttled):
        session.statuses(["INBOX", "B", "C"])


RAW_UTF8 = "Entwürfe".encode().decode("latin-1")  # as `ScriptedServer.commands` records it


def test_folders_with_equal_decoded_names_are_distinguished_in_every_session() -> None:
    def answer(command: str) -> bytes | None:
        if command.startswith("LIST"):
            lines = [b'* LIST () "/" "Entw&APw-rfe"', '* LIST () "/" "Entwürfe"'.encode(), b"TAG OK done"]
            return b"".join(line + b"\r\n" for line in lines)
        return None

    with scripted_server(answer) as server, ExitStack() as stack:
        sessions = ImapSessions(timeouts=Timeouts(connect_s=PATIENCE_S, io_s=5))
        account = Account("ada@old.example", "ada", server.endpoint)
        lister, reader = (sessions.open_source(account, Secret("secret")) for _ in range(2))
        stack.callback(lister.close)
        stack.callback(reader.close)
        names = [folder.name for folder in lister.folders()]
        assert names == ["INBOX", "Entwürfe", "Entwürfe (2)"]
        for name in names[1:]:
            reader.uids(FolderRef(name, UidValidity(9)))
        opened = [command for command in server.commands if command.startswith("EXAMINE")]
        assert list(dict.fromkeys(opened)) == ['EXAMINE "Entw&APw-rfe"', f'EXAMINE "{RAW_UTF8}"']


# --- Writing -------------------------------------------------------------------------------------------


def batch(*bodies: bytes) -> list[Outgoing]:
    return [Outgoing(Uid(n), ("\\Seen",), "", body) for n, body in enumerate(bodies)]


def appends(answers: dict[int, bytes], otherwise: bytes) -> Answer:
    """Answer the n-th APPEND, counted from 1."""
    count = 0

    def answer(command: str) -> bytes | None:
        nonlocal count
        if not command.startswith("APPEND"):
            return None
        count += 1
        return answers.get(count, otherwise.replace(b"NUMBER", b"%d" % count))

    return answer


STORED = b"TAG OK [APPENDUID 9 NUMBER] done\r\n"


@pytest.mark.parametrize("literals", ["LITERAL+", "LITERAL-", ""])
def test_single_appends_keep_their_order_and_their_refusals(
    scripted_destination: OpenWriter, literals: str
) -> None:
    capabilities = f"IMAP4rev1 AUTH=PLAIN UIDPLUS {literals}"
    answer = appends({3: b"TAG NO virus\r\n"}, STORED)
    session, _ = scripted_destination(answer, capabilities=capabilities)
    bodies = [b"x" * size for size in (10, 5000, 10, 4096, 4097, *[10] * 20)]
    results = session.append(INBOX, batch(*bodies))
    assert results[2] == Rejected(Text("not_taken", words="virus"))
    uids = [result.uid for result in results if isinstance(result, Stored)]
    assert uids == [1, 2, *range(4, 26)]


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        (b"TAG NO [TRYCREATE] no such folder", FolderUnusable),
        (b"TAG NO [OVERQUOTA] no room", QuotaExceeded),
        (b"TAG NO full: it is time to find a bigger place", QuotaExceeded),
        (b"TAG NO Mailbox size limit exceeded", QuotaExceeded),
        (b"TAG NO [OVERQUOTA] Account exceeded command or bandwidth limits.", Throttled),
        (BACKOFF.strip(), Throttled),
        (b"TAG NO [UNAVAILABLE] later", ServerUnavailable),
        (b"* BYE going down", ConnectionLost),
        (b"gibberish", ConnectionLost),
    ],
)
@pytest.mark.parametrize(
    "capabilities", [CAPABILITIES, "IMAP4rev1 AUTH=PLAIN", f"{CAPABILITIES} MULTIAPPEND"]
)
def test_a_refusal_that_is_not_the_messages_fault_ends_the_append(
    scripted_destination: OpenWriter, capabilities: str, refusal: bytes, kind: type[MailError]
) -> None:
    session, server = scripted_destination(appends({}, refusal + b"\r\n"), capabilities=capabilities)
    with pytest.raises(kind) as caught:
        session.append(INBOX, batch(b"a", b"b"))
    assert type(caught.value) is kind
    assert caught.value.side is Side.DESTINATION
    assert session.status("INBOX").messages == 8  # the session is usable again
    assert server.connections == (2 if kind is ConnectionLost else 1)


def examined(uidvalidity: int) -> bytes:
    numbers = b"* OK [UIDVALIDITY %d] number\r\n* OK [UIDNEXT 9] next\r\n" % uidvalidity
    return b"* 8 EXISTS\r\n" + numbers + b"TAG OK [READ-ONLY] done\r\n"


@pytest.mark.parametrize(("now", "changed"), [(9, False), (10, True)])
def test_a_uidvalidity_in_appenduid_is_confirmed_by_the_folder(
    scripted_destination: OpenWriter, now: int, changed: bool
) -> None:
    appended = appends({}, b"TAG OK [APPENDUID 10 1] done\r\n")

    def answer(command: str) -> bytes | None:
        if command.startswith("STATUS") and any(c.startswith("APPEND") for c in server.commands):
            return b'* STATUS "INBOX" (MESSAGES 8 UIDNEXT 9 UIDVALIDITY %d)\r\nTAG OK done\r\n' % now
        if command.startswith("EXAMINE"):
            return examined(now)
        return appended(command)

    session, server = scripted_destination(answer)
    if changed:
        with pytest.raises(FolderChanged):
            session.append(INBOX, batch(b"a", b"b"))
        return
    for _ in range(2):
        assert session.append(INBOX, batch(b"a", b"b")) == [Stored(None), Stored(None)]
    assert server.connections == 1
    assert sum(command.startswith("STATUS") for command in server.commands) == 2


@pytest.mark.parametrize(
    "refusal",
    [
        b"TAG NO [TOOBIG] no",
        b"TAG NO [LIMIT] Mail size is larger than the maximum size allowed by server configuration",
        b"TAG NO Maximum size of appendable message has been exceeded",
        b"TAG BAD maximum message size exceeded",
        b"TAG NO Message contains NUL characters",
        b"TAG BAD invalid rfc5322 message: x",
    ],
)
def test_a_refusal_of_one_message_affects_only_that_message(
    scripted_destination: OpenWriter, refusal: bytes
) -> None:
    session, _ = scripted_destination(appends({1: refusal + b"\r\n"}, STORED))
    results = session.append(INBOX, batch(b"a", b"b"))
    assert isinstance(results[0], Rejected)
    assert results[1] == Stored(Uid(2))


SERVER_FAILURES = [b"TAG NO [SERVERBUG] Internal error occurred\r\n", b"TAG NO [UNAVAILABLE] later\r\n"]
APPENDING = [CAPABILITIES, "IMAP4rev1 AUTH=PLAIN", f"{CAPABILITIES} MULTIAPPEND"]


def drafts(refused: set[int], count: int) -> list[Outgoing]:
    """Messages; those in `refused` carry the flag that `fails_on_drafts` refuses."""
    return [Outgoing(Uid(n), ("\\Draft",) if n in refused else (), "", b"x") for n in range(count)]


def fails_on_drafts(refusal: bytes) -> Answer:
    def answer(command: str) -> bytes | None:
        if not command.startswith("APPEND"):
            return None
        return refusal if "\\Draft" in command else b"TAG OK done\r\n"

    return answer


@pytest.mark.parametrize("refusal", SERVER_FAILURES)
@pytest.mark.parametrize("capabilities", APPENDING)
@pytest.mark.parametrize("refused", [{4}, {0, 12}, {3, 4, 5, 6}, {0, 2, 4, 6, 8, 10, 12}])
def test_a_message_that_the_server_fails_on_does_not_block_the_others(
    scripted_destination: OpenWriter, refused: set[int], capabilities: str, refusal: bytes
) -> None:
    session, _ = scripted_destination(fails_on_drafts(refusal), capabilities=capabilities)
    results = session.append(INBOX, drafts(refused, 13))
    assert {n for n, result in enumerate(results) if isinstance(result, Rejected)} == refused
    words = refusal.decode().split(" ", 2)[2].strip()
    assert {result.reason for result in results if isinstance(result, Rejected)} == {
        Text("not_taken", words=words)
    }


@pytest.mark.parametrize("refusal", SERVER_FAILURES)
@pytest.mark.parametrize("capabilities", APPENDING)
@pytest.mark.parametrize(("refused", "count"), [(range(3), 3), (range(100), 100), (range(20, 100), 100)])
def test_a_server_that_stores_nothing_more_is_unavailable(
    scripted_destination: OpenWriter, capabilities: str, refusal: bytes, refused: range, count: int
) -> None:
    session, server = scripted_destination(fails_on_drafts(refusal), capabilities=capabilities)
    with pytest.raises(ServerUnavailable):
        session.append(INBOX, drafts(set(refused), count))
    assert session.status("INBOX").messages == 8
    assert sum(command.startswith("APPEND") for command in server.commands) < 40


@pytest.mark.parametrize(
    "refusal",
    [
        b"TAG BAD Command Argument Error. 11\r\n",
        b"TAG NO Too many user flags in mailbox\r\n",
        b"TAG NO [LIMIT] Too many keywords\r\n",
        b"TAG NO [SERVERBUG] Permission denied for flag\r\n",
    ],
)
def test_a_refused_keyword_is_dropped_to_store_the_message(
    scripted_destination: OpenWriter, refusal: bytes
) -> None:
    session, server = scripted_destination(appends({1: refusal}, STORED))
    results = session.append(INBOX, [Outgoing(Uid(1), ("\\Seen", "odd", "odder"), "", b"a")])
    assert results == [Stored(Uid(2), keywords_dropped=2)]
    sent = [command for command in server.commands if command.startswith("APPEND")]
    assert [("odd" in command, "\\Seen" in command) for command in sent] == [(True, True), (False, True)]


@pytest.mark.parametrize(
    "answer",
    [
        b"TAG OK done",
        b"TAG OK [APPENDUID 9 1:3] done",
        b"TAG OK [APPENDUID 9 x] done",
        b"TAG OK [APPENDUID 9 5,5] done",
    ],
)
def test_missing_or_mismatched_appenduids_are_unknown(
    scripted_destination: OpenWriter, answer: bytes
) -> None:
    session, _ = scripted_destination(appends({}, answer + b"\r\n"))
    assert session.append(INBOX, batch(b"a")) == [Stored(None)]


@pytest.mark.parametrize("offers", ["LITERAL+", "LITERAL+ MULTIAPPEND", ""])
def test_an_append_interrupted_by_ctrl_c_is_not_sent_again(
    scripted_destination: OpenWriter, monkeypatch: pytest.MonkeyPatch, offers: str
) -> None:
    """Later use of the session does not resend it, because the outcome of the first command is unknown."""
    capabilities = f"IMAP4rev1 AUTH=PLAIN {offers}"
    session, server = scripted_destination(appends({}, STORED), capabilities=capabilities)
    session.status("INBOX")
    usual = Connection.next_event

    def interrupted(_connection: Connection) -> WireEvent:
        raise KeyboardInterrupt

    monkeypatch.setattr(Connection, "next_event", interrupted)
    with pytest.raises(KeyboardInterrupt):
        session.append(INBOX, batch(b"a", b"b"))
    monkeypatch.setattr(Connection, "next_event", usual)
    time.sleep(0.05)
    sent = [command for command in server.commands if command.startswith("APPEND")]
    session.status("INBOX")
    assert [command for command in server.commands if command.startswith("APPEND")] == sent


# --- Destinations that mind what is open, or what is created ------------------------------------------------


def minds_the_open_folder(*, unselects: bool) -> Answer:
    """Refuses to store into the folder that is open, as Courier does."""
    state = {"open": ""}

    def answer(command: str) -> bytes | None:
        verb, _, rest = command.partition(" ")
        if verb in ("SELECT", "EXAMINE"):
            state["open"] = rest.strip('"')
        elif verb == "AUTHENTICATE":
            state["open"] = ""
        elif verb == "UNSELECT":
            if not unselects:
                return b"TAG BAD unknown\r\n"
            state["open"] = ""
        elif verb == "APPEND":
            into = rest.split(" ")[0].strip('"')
            refused = into == state["open"]
            return b"TAG NO Current box is selected READ-ONLY.\r\n" if refused else b"TAG OK stored\r\n"
        elif verb == "STATUS":
            name = rest.split(" ")[0]
            return f"* STATUS {name} (MESSAGES 8 UIDNEXT 9 UIDVALIDITY 9)\r\nTAG OK done\r\n".encode()
        return None

    return answer


@pytest.mark.parametrize("unselects", [True, False])
@pytest.mark.parametrize("others", [[], ["Sent"]])
def test_messages_are_stored_into_a_folder_that_is_not_open(
    scripted_destination: OpenWriter, unselects: bool, others: list[str]
) -> None:
    capabilities = CAPABILITIES if unselects else CAPABILITIES.replace(" UNSELECT", "")
    server_answer = minds_the_open_folder(unselects=unselects)
    session, server = scripted_destination(server_answer, capabilities=capabilities)
    for name in others:
        session.status(name)
    session.open_for_appending("INBOX")
    session.uids(INBOX)
    assert session.append(INBOX, [Outgoing(Uid(1), (), "", b"x"), Outgoing(Uid(2), (), "", b"x")]) == [
        Stored(None),
        Stored(None),
    ]
    assert not any(command.startswith("CLOSE") for command in server.commands)
    if unselects or others:
        assert server.connections == 1


def test_servers_that_are_known_to_be_safe_keep_the_folder_open(scripted_destination: OpenWriter) -> None:
    session, server = scripted_destination(
        lambda command: b"TAG OK stored\r\n" if command.startswith("APPEND") else None,
        capabilities=f"{CAPABILITIES} THREAD=REFS",
    )
    session.open_for_appending("INBOX")
    session.append(INBOX, [Outgoing(Uid(1), (), "", b"x")])
    assert "UNSELECT" not in server.commands


@pytest.mark.parametrize("code", ["APPENDUID 12 9", "APPENDUID 4711 12"])
def test_an_appenduid_that_contradicts_the_folder_is_not_believed(
    scripted_destination: OpenWriter, code: str
) -> None:
    def answer(command: str) -> bytes | None:
        return f"TAG OK [{code}] stored\r\n".encode() if command.startswith("APPEND") else None

    session, server = scripted_destination(answer)
    session.status("INBOX")
    for uid in (1, 2, 3):
        assert session.append(INBOX, [Outgoing(Uid(uid), (), "", b"x")]) == [Stored(None)]
    assert sum(command.startswith("STATUS") for command in server.commands) == 2
    assert server.connections == 1


def test_an_appenduid_of_a_folder_that_was_recreated_is_believed(scripted_destination: OpenWriter) -> None:
    uidvalidity = [9]

    def answer(command: str) -> bytes | None:
        if command.startswith("APPEND"):
            uidvalidity[0] = 10
            return b"TAG OK [APPENDUID 10 1] stored\r\n"
        if command.startswith("STATUS"):
            return (
                b'* STATUS "INBOX" (MESSAGES 8 UIDNEXT 9 UIDVALIDITY %d)\r\nTAG OK done\r\n' % uidvalidity[0]
            )
        return examined(uidvalidity[0]) if command.startswith("EXAMINE") else None

    session, _ = scripted_destination(answer)
    session.status("INBOX")
    with pytest.raises(FolderChanged):
        session.append(INBOX, [Outgoing(Uid(1), (), "", b"x")])


def test_a_create_that_ends_the_connection_is_a_refusal_of_that_folder(
    scripted_destination: OpenWriter,
) -> None:
    def answer(command: str) -> bytes | None:
        if command == 'CREATE "Bad"':
            return b"* BYE no such names\r\n"
        return b"TAG NO none\r\n" if command.endswith('"Bad"') or command.startswith('STATUS "Bad"') else None

    session, server = scripted_destination(answer)
    assert session.create_and_subscribe(["One", "Bad", "Two"], ["One", "Two"]) == ["Bad"]
    for command in ('CREATE "One"', 'CREATE "Two"', 'SUBSCRIBE "Two"'):
        assert command in server.commands
    with pytest.raises(FolderUnusable) as refused:
        session.create("Bad")
    assert refused.value.server_text == "no such names"


def test_the_words_of_a_goodbye_behind_a_message_are_kept(scripted_destination: OpenWriter) -> None:
    session, _ = scripted_destination(
        lambda command: b"* BYE a forbidden character\r\n" if command.startswith("APPEND") else None,
    )
    session.status("INBOX")
    with pytest.raises(ConnectionLost) as lost:
        session.append(INBOX, [Outgoing(Uid(1), (), "", b"x")])
    assert lost.value.announced
    assert lost.value.server_text == "a forbidden character"


@pytest.mark.parametrize("command", ["SELECT", "SUBSCRIBE", "UNSELECT"])
def test_a_command_that_ends_each_connection_is_done_without(
    scripted_destination: OpenWriter, command: str
) -> None:
    session, server = scripted_destination(
        lambda sent: CLOSES_CONNECTION if sent.split(" ")[0] == command else None
    )
    for _ in range(5):
        assert session.create_and_subscribe([], ["INBOX"]) == []
        assert session.open_for_appending("INBOX")[0].messages == 8
        assert session.status("INBOX").messages == 8
    assert server.connections <= 5
