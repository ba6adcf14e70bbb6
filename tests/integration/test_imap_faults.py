"""Answers that real hosts are known to give and that no server here gives of itself, on a scripted one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest

from importer.adapters.imap.client import Timeouts
from importer.adapters.imap.session import ImapSessions
from importer.domain.model import Account, FolderRef, HeaderLines, Message, Outgoing, Rejected, Stored
from importer.domain.uidset import Uid, UidSet, UidValidity
from importer.ports import MailboxSession
from providers.errors import (
    ConnectionLost,
    FolderChanged,
    FolderUnusable,
    MailError,
    ProtocolViolation,
    QuotaExceeded,
    ServerUnavailable,
    Side,
    Throttled,
)
from providers.model import Secret
from tests.rehearsal.scripted import CAPABILITIES, Answer, ScriptedServer, scripted_server, usual_answer

NOW = datetime(2030, 1, 1, tzinfo=UTC)
INBOX = FolderRef("INBOX", UidValidity(9))
ALL = UidSet.of(range(1, 9))
BACKOFF = b"TAG BAD Request is throttled. Suggested Backoff Time: 299961 milliseconds\r\n"
Open = Callable[..., tuple[MailboxSession, ScriptedServer]]


@pytest.fixture
def scripted() -> Iterator[Open]:
    """A session on a server that answers as told, and the server."""
    with ExitStack() as stack:

        def opened(
            answer: Answer,
            *,
            side: Side = Side.SOURCE,
            capabilities: str = CAPABILITIES,
            max_bytes: int = 10_000,
        ) -> tuple[MailboxSession, ScriptedServer]:
            def told(command: str) -> bytes | None:
                return usual_answer(command, capabilities) if command == "CAPABILITY" else answer(command)

            server = stack.enter_context(scripted_server(told))
            account = Account("ada@old.example", "ada", server.endpoint)
            sessions = ImapSessions(
                timeouts=Timeouts(connect_s=2, io_s=5), now=lambda: NOW, max_message_bytes=max_bytes
            )
            session = sessions.open(account, Secret("secret"), side)
            stack.callback(session.close)
            return session, server

        yield opened


def asked_for(command: str) -> UidSet | None:
    found = re.match(r"UID FETCH ([0-9:,]+) \(UID FLAGS", command)
    return UidSet.parse(found[1]) & ALL if found else None


def message(uid: int, body: bytes = b"x") -> bytes:
    date = b'INTERNALDATE "01-Jan-2020 00:00:00 +0000"'
    return b"* %d FETCH (UID %d FLAGS (\\Recent a) %s BODY[] {%d}\r\n%s)\r\n" % (
        uid,
        uid,
        date,
        len(body),
        body,
    )


def read(session: MailboxSession, uids: UidSet = ALL) -> tuple[list[int], dict[int, str]]:
    """The UIDs of the messages that came, and the reasons for those that did not."""
    came: list[int] = []
    reasons: dict[int, str] = {}
    for one in session.messages(INBOX, uids):
        if isinstance(one, Message):
            came.append(one.uid)
        else:
            reasons[one[0]] = one[1]
    return sorted(came), reasons


# --- Reading -------------------------------------------------------------------------------------------


def poisoned(poison: set[int], refusal: bytes, *, partly: bool) -> Answer:
    """Refuses each FETCH that names a poisoned message, `partly` after those before it."""

    def answer(command: str) -> bytes | None:
        uids = asked_for(command)
        if uids is None:
            return None
        told = b""
        for uid in uids:
            if uid in poison:
                return (told if partly else b"") + refusal
            told += message(uid)
        return told + b"TAG OK done\r\n"

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
def test_a_message_that_breaks_the_command_stands_alone_in_the_end(
    scripted: Open, poison: set[int], refusal: bytes, partly: bool
) -> None:
    session, _ = scripted(poisoned(poison, refusal, partly=partly))
    came, reasons = read(session)
    assert came == [uid for uid in range(1, 9) if uid not in poison]
    assert set(reasons) == poison
    words = refusal.decode().split(" ", 2)[2].strip()
    assert set(reasons.values()) == {f"The source server localhost does not hand out this message: {words}"}


def test_a_server_that_hands_out_nothing_is_unavailable_and_no_message_is_blamed(scripted: Open) -> None:
    session, _ = scripted(poisoned(set(ALL), b"TAG NO [UNAVAILABLE] later\r\n", partly=False))
    with pytest.raises(ServerUnavailable):
        read(session)


def test_a_pause_that_is_asked_for_while_reading_is_told(scripted: Open) -> None:
    session, _ = scripted(poisoned({4}, BACKOFF, partly=True))
    with pytest.raises(Throttled) as caught:
        read(session)
    assert caught.value.until == NOW + timedelta(milliseconds=299961)


def test_the_daily_cap_of_reading_is_no_full_mailbox(scripted: Open) -> None:
    session, _ = scripted(poisoned({1}, b"TAG NO [OVERQUOTA] too much today\r\n", partly=False))
    with pytest.raises(Throttled):
        read(session)


def test_a_message_without_content_is_reported(scripted: Open) -> None:
    def answer(command: str) -> bytes | None:
        if asked_for(command) is None:
            return None
        withheld = b'* 2 FETCH (UID 2 FLAGS () INTERNALDATE "01-Jan-2020 00:00:00 +0000" BODY[] NIL)\r\n'
        return message(1) + withheld + message(3) + b"TAG OK done\r\n"

    session, _ = scripted(answer)
    came, reasons = read(session)
    assert came == [1, 3]
    assert set(reasons) == {2}


def test_a_message_larger_than_we_hold_is_reported_and_the_others_come(scripted: Open) -> None:
    def answer(command: str) -> bytes | None:
        uids = asked_for(command)
        if uids is None:
            return None
        return b"".join(message(u, b"x" * (20_000 if u == 5 else 50)) for u in uids) + b"TAG OK done\r\n"

    session, _ = scripted(answer)
    came, reasons = read(session)
    assert came == [1, 2, 3, 4, 6, 7, 8]
    assert reasons == {
        5: "The source server localhost does not hand out this message: a literal of 20000 bytes"
    }


def test_a_folder_that_was_made_anew_is_not_taken_for_broken_messages(scripted: Open) -> None:
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


def test_gibberish_without_end_is_a_violation(scripted: Open) -> None:
    session, _ = scripted(lambda command: b"?!\r\n" if asked_for(command) else None)
    with pytest.raises(ProtocolViolation) as caught:
        read(session)
    assert "?!" in caught.value.server_text


def test_what_was_not_asked_for_is_not_handed_out(scripted: Open) -> None:
    def answer(command: str) -> bytes | None:
        if asked_for(command) is None:
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
    found = [one for one in session.messages(INBOX, UidSet.of([2, 3])) if isinstance(one, Message)]
    assert [(one.uid, one.flags, one.body) for one in found] == [(2, ("a",), b"x"), (3, ("b",), b"y")]


def test_a_header_that_cannot_be_had_is_like_no_other(scripted: Open) -> None:
    def answer(command: str) -> bytes | None:
        if "HEADER.FIELDS" not in command:
            return None
        if command.startswith("UID FETCH 1 "):
            header = b"BODY[HEADER.FIELDS (Message-ID Date From Subject)] {4}\r\n\r\n\r\n RFC822.SIZE 5"
            return b"* 1 FETCH (UID 1 " + header + b")\r\nTAG OK done\r\n"
        return b"TAG NO [SERVERBUG] oops\r\n"

    session, _ = scripted(answer)
    found = list(session.headers(INBOX, UidSet.of([1, 2])))
    assert found == [HeaderLines(Uid(1), 5, b"\r\n\r\n"), HeaderLines(Uid(2), 0, b"")]


def test_uids_come_from_fetch_where_searching_is_not_to_be_had(scripted: Open) -> None:
    def answer(command: str) -> bytes | None:
        if command.startswith("UID SEARCH"):
            return b"TAG NO not today\r\n"
        if command == "UID FETCH 6:* (UID)":
            return b"* 3 FETCH (UID 5)\r\n* 7 FETCH (UID 7)\r\n* 8 FETCH (FLAGS ())\r\nTAG OK done\r\n"
        return None

    for capabilities in (CAPABILITIES, f"{CAPABILITIES} ESEARCH"):
        session, _ = scripted(answer, capabilities=capabilities)
        assert session.uids(INBOX, Uid(6)) == UidSet.of([7])


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
    session.keyword_rule(INBOX)
    session.status("INBOX")
    session.close()
    verbs = {command.split(" ")[0] for command in server.commands}
    assert not verbs & {"SELECT", "CLOSE", "EXPUNGE", "STORE"}
    assert not any("BODY[" in command for command in server.commands)


def test_the_open_folder_is_left_before_it_is_counted_and_opened_again_to_read(scripted: Open) -> None:
    session, server = scripted(lambda _command: None)
    session.uids(INBOX)
    session.status("INBOX")
    list(session.sizes(INBOX, ALL))
    verbs = [command.split(" ")[0] for command in server.commands]
    assert verbs[-5:] == ["UID", "UNSELECT", "STATUS", "EXAMINE", "UID"]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"TAG NO [NONEXISTENT] Unknown Mailbox\r\n", FolderUnusable),
        (b"TAG BAD [CLIENTBUG] no\r\n", FolderUnusable),
        (b"* 1 EXISTS\r\nTAG OK without UIDVALIDITY\r\n", FolderUnusable),
        (b"* 1 EXISTS\r\n* OK [UIDVALIDITY 10] x\r\nTAG OK done\r\n", FolderChanged),
        (b"TAG NO [INUSE] locked\r\n", ServerUnavailable),
        (BACKOFF, Throttled),
        (b"* BYE\r\n", ConnectionLost),
    ],
)
def test_a_folder_that_does_not_open_says_why(scripted: Open, answer: bytes, kind: type[MailError]) -> None:
    session, _ = scripted(lambda command: answer if command.startswith("EXAMINE") else None)
    for use in (lambda: read(session), lambda: session.uids(INBOX)):
        with pytest.raises(kind) as caught:
            use()
        assert caught.value.side is Side.SOURCE


# --- Writing -------------------------------------------------------------------------------------------


def batch(*bodies: bytes) -> list[Outgoing]:
    return [Outgoing(Uid(n), ("\\Seen",), "", body) for n, body in enumerate(bodies)]


def appends(answers: dict[int, bytes], otherwise: bytes) -> Answer:
    """Answers the n-th APPEND, from 1."""
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
def test_single_appends_keep_their_order_and_their_refusals(scripted: Open, literals: str) -> None:
    capabilities = f"IMAP4rev1 AUTH=PLAIN UIDPLUS {literals}"
    answer = appends({3: b"TAG NO virus\r\n"}, STORED)
    session, _ = scripted(answer, side=Side.DESTINATION, capabilities=capabilities)
    bodies = [b"x" * size for size in (10, 5000, 10, 4096, 4097, *[10] * 20)]
    results = session.append(INBOX, batch(*bodies))
    assert results[2] == Rejected("The destination server localhost refused the message: virus")
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
        (b"TAG OK [APPENDUID 10 1] done", FolderChanged),
        (b"* BYE going down", ConnectionLost),
        (b"gibberish", ConnectionLost),
    ],
)
@pytest.mark.parametrize(
    "capabilities", [CAPABILITIES, "IMAP4rev1 AUTH=PLAIN", f"{CAPABILITIES} MULTIAPPEND"]
)
def test_a_refusal_that_is_not_the_messages_fault_ends_the_append(
    scripted: Open, capabilities: str, refusal: bytes, kind: type[MailError]
) -> None:
    session, server = scripted(
        appends({}, refusal + b"\r\n"), side=Side.DESTINATION, capabilities=capabilities
    )
    with pytest.raises(kind) as caught:
        session.append(INBOX, batch(b"a", b"b"))
    assert type(caught.value) is kind
    assert caught.value.side is Side.DESTINATION
    assert session.status("INBOX").messages == 8  # the session is of use again
    assert server.connections == (2 if kind is ConnectionLost else 1)


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
def test_a_refusal_that_is_the_messages_fault_is_its_own(scripted: Open, refusal: bytes) -> None:
    session, _ = scripted(appends({1: refusal + b"\r\n"}, STORED), side=Side.DESTINATION)
    results = session.append(INBOX, batch(b"a", b"b"))
    assert isinstance(results[0], Rejected)
    assert results[1] == Stored(Uid(2))


def test_a_keyword_that_the_server_calls_bad_is_given_up_for_the_message(scripted: Open) -> None:
    answer = appends({1: b"TAG BAD Command Argument Error. 11\r\n"}, STORED)
    session, server = scripted(answer, side=Side.DESTINATION)
    assert session.append(INBOX, [Outgoing(Uid(1), ("\\Seen", "odd"), "", b"a")]) == [Stored(Uid(2))]
    sent = [command for command in server.commands if command.startswith("APPEND")]
    assert [("odd" in command, "\\Seen" in command) for command in sent] == [(True, True), (False, True)]


@pytest.mark.parametrize(
    "answer", [b"TAG OK done", b"TAG OK [APPENDUID 9 1:3] done", b"TAG OK [APPENDUID 9 x] done"]
)
def test_uids_that_are_not_told_or_do_not_fit_are_unknown(scripted: Open, answer: bytes) -> None:
    session, _ = scripted(appends({}, answer + b"\r\n"), side=Side.DESTINATION)
    assert session.append(INBOX, batch(b"a")) == [Stored(None)]
