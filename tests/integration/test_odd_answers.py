"""Odd or contradictory responses of a server: each costs at most one item."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from importer.adapters.imap.factory import ImapSessions
from importer.adapters.imap.imapclient_adapter import Timeouts
from importer.adapters.imap.login_limiter import BURST, PER_MINUTE, LoginLimiter
from importer.adapters.imap.reader import ImapReader
from importer.compact.uid_set import Uid, UidSet, UidValidity
from importer.domain.folder_mapping.label_rules import LabelRule
from importer.domain.mailbox_content import FolderRef, FolderStatus, Message, NotHandedOut, Outgoing, Stored
from importer.domain.messages.message_body import whole
from importer.domain.model import Account
from importer.ports.mailbox import LabelView
from providers.endpoint import Secret
from providers.errors import ConnectionLost
from tests.english import reason_said
from tests.rehearsal.scripted import ScriptedServer, scripted_server

_WAIT = LoginLimiter.wait
INBOX = FolderRef("INBOX", UidValidity(9))
ALL = UidSet.parse("1:8")
PARTS = b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\none\r\n"
WHOLE = PARTS + b"--x--\r\n"


@dataclass
class Box:
    """INBOX with UIDs 1 to 8, as one method for each way of asking."""

    esearch: bytes = b" ALL 1:8"
    uid_fetch: Sequence[int] = range(1, 9)
    by_number: Sequence[int] = range(1, 9)
    search: bytes = b"1 2 3 4 5 6 7 8"
    exists: int = 8
    content: Callable[[int, str], bytes | None] = lambda _uid, _item: None  # of an item of a message
    items: Callable[[int], bytes] = lambda _uid: b'FLAGS () INTERNALDATE "01-Feb-2003 04:05:06 +0000"'
    size: Callable[[int], bytes] = lambda _uid: b"5"
    frame: Callable[[int, bytes], bytes] = lambda uid, items: (
        b"* %d FETCH (UID %d %s)\r\n" % (uid, uid, items)
    )
    asked: list[str] = field(default_factory=list)

    def answer(self, command: str) -> bytes | None:
        words = command.split(" ")
        self.asked.append(command)
        answer: bytes | None = None
        match words:
            case ["CAPABILITY"]:
                answer = b"* CAPABILITY IMAP4rev1 AUTH=PLAIN ESEARCH UNSELECT\r\n"
            case ["EXAMINE", *_]:
                answer = b"* %d EXISTS\r\n* OK [UIDVALIDITY 9] x\r\n* OK [UIDNEXT 100] x\r\n" % self.exists
            case ["UID", "SEARCH", "RETURN", *_]:
                answer = b'* ESEARCH (TAG "TAG") UID%s\r\n' % self.esearch
            case ["UID", "SEARCH", *_]:
                answer = b"* SEARCH %s\r\n" % self.search
            case ["UID", "FETCH", _, "(UID)"]:
                answer = told(self.uid_fetch)
            case ["FETCH", _, "(UID)"]:
                answer = told(self.by_number)
            case ["UID", "FETCH", uids, *_]:
                answer = self.fetched(UidSet.parse(uids), command)
        return None if answer is None else answer + b"TAG OK done\r\n"

    def fetched(self, uids: UidSet, command: str) -> bytes:
        item = next(iter(re.findall(r"BODY\.PEEK\[\]<0|BODY\.PEEK\[\]|RFC822(?=\))", command)), "")
        name = {"BODY.PEEK[]<0": b"BODY[]<0>", "BODY.PEEK[]": b"BODY[]", "RFC822": b"RFC822"}.get(item, b"")
        lines = []
        for uid in uids:
            items = self.items(uid) + b" RFC822.SIZE " + self.size(uid)
            content = self.content(uid, item)
            if name and content is not None:
                items += b" %s %s" % (name, content)
            elif name:
                items += b" %s {5}\r\nbytes" % name
            lines.append(self.frame(uid, items))
        return b"".join(lines)


def told(uids: Sequence[int]) -> bytes:
    return b"".join(b"* %d FETCH (UID %d)\r\n" % (uid, uid) for uid in uids)


def literal(content: bytes) -> bytes:
    return b"{%d}\r\n%s" % (len(content), content)


@contextmanager
def session_on(box: Box) -> Iterator[tuple[ImapReader, ScriptedServer]]:
    with scripted_server(box.answer) as server:
        account = Account("ada@old.example", "ada@old.example", server.endpoint)
        session = ImapSessions(timeouts=Timeouts(io_s=5)).open_source(account, Secret("secret"))
        try:
            yield session, server
        finally:
            session.close()


def read(box: Box, uids: UidSet = ALL) -> tuple[dict[Uid, Message], dict[Uid, str], ScriptedServer]:
    with session_on(box) as (session, server):
        came = list(session.messages(INBOX, uids))
    messages = {message.uid: message for message in came if isinstance(message, Message)}
    refused = {
        message.uid: reason_said(message.reason) for message in came if isinstance(message, NotHandedOut)
    }
    assert len(messages) + len(refused) == len(came)
    return messages, refused, server


# --- Listing and storing ----------------------------------------------------------------------------------


@pytest.mark.parametrize("capabilities", ["", " LIST-EXTENDED LIST-STATUS"])
@pytest.mark.parametrize("exists", [0, 8])
def test_folders_without_messages_are_opened_before_that_is_believed(capabilities: str, exists: int) -> None:
    status = b'* STATUS "%b" (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 9)\r\n'
    asked: list[str] = []

    def answer(command: str) -> bytes | None:
        asked.append(command)
        match command.split(" "):
            case ["CAPABILITY"]:
                offered = f"IMAP4rev1 AUTH=PLAIN UNSELECT{capabilities}"
                return f"* CAPABILITY {offered}\r\nTAG OK done\r\n".encode()
            case ["LIST", *words]:
                listed = b'* LIST () "/" "INBOX"\r\n* LIST () "/" "Sent"\r\n'
                told = status % b"INBOX" + status % b"Sent" if "RETURN" in words else b""
                return listed + told + b"TAG OK done\r\n"
            case ["STATUS", folder, *_]:
                return status % folder.strip('"').encode() + b"TAG OK done\r\n"
            case ["EXAMINE", *_]:
                numbers = b"* OK [UIDVALIDITY 9] x\r\n* OK [UIDNEXT 9] x\r\n"
                return b"* %d EXISTS\r\n" % exists + numbers + b"TAG OK done\r\n"
        return None

    with scripted_server(answer) as server:
        account = Account("ada@old.example", "ada@old.example", server.endpoint)
        session = ImapSessions(timeouts=Timeouts(io_s=5)).open_source(account, Secret("secret"))
        try:
            statuses = session.listing().statuses
        finally:
            session.close()
    counts = {name: status.messages for name, status in statuses.items() if isinstance(status, FolderStatus)}
    assert counts == {"INBOX": exists, "Sent": exists}
    if not exists:  # one round trip more, and nothing else
        assert [command.partition(" ")[0] for command in asked].count("EXAMINE") == 2


def test_an_append_whose_form_is_refused_is_sent_in_the_old_form_over_a_new_connection() -> None:
    refusals = iter([b"TAG BAD invalid literal\r\n"])

    def answer(command: str) -> bytes | None:
        return next(refusals, None) if command.startswith("APPEND") else None

    with scripted_server(answer) as server:
        account = Account("ada@new.example", "ada@new.example", server.endpoint)
        sessions = ImapSessions(timeouts=Timeouts(io_s=5))
        message = Outgoing(Uid(1), (), "", b"bytes")
        first = sessions.open_destination(account, Secret("secret"))
        assert first.has_capability("LITERAL+")
        with pytest.raises(ConnectionLost, match="connection_lost"):
            first.append(INBOX, [message])
        assert not first.has_capability("LITERAL+")
        results = first.append(INBOX, [message])
        first.close()
    assert [type(result) for result in results] == [Stored]
    assert server.connections == 2


# --- Gmail -----------------------------------------------------------------------------------------------


@dataclass
class Labelled(Box):
    """All Mail of a Gmail mailbox, each message with two labels."""

    items: Callable[[int], bytes] = lambda _uid: (
        b'X-GM-LABELS ("work" "later") FLAGS () INTERNALDATE "01-Feb-2003 04:05:06 +0000"'
    )

    def answer(self, command: str) -> bytes | None:
        match command.split(" "):
            case ["CAPABILITY"]:
                return b"* CAPABILITY IMAP4rev1 AUTH=PLAIN UNSELECT X-GM-EXT-1\r\nTAG OK done\r\n"
            case ["LIST" | "LSUB", *_]:
                lines = b'* %b (\\All) "/" "[Gmail]/All Mail"\r\n* %b () "/" "work"\r\nTAG OK done\r\n'
                name = command.partition(" ")[0].encode()
                return lines % (name, name)
            case ["STATUS", *_]:
                folder = command[len("STATUS ") : command.index(" (")].encode()
                return b"* STATUS %b (MESSAGES 8 UIDNEXT 9 UIDVALIDITY 9)\r\nTAG OK done\r\n" % folder
        return super().answer(command)


@pytest.mark.parametrize("rule", LabelRule)
@pytest.mark.parametrize("odd", [b"{0}\r\n", b"NIL"])
def test_an_empty_content_of_a_labelled_message_is_asked_for_in_another_way(
    rule: LabelRule, odd: bytes
) -> None:
    box = Labelled(content=lambda uid, item: odd if uid == 4 and item != "RFC822" else None)
    with scripted_server(box.answer) as server:
        account = Account("ada@gmail.example", "ada@gmail.example", server.endpoint)
        sessions = ImapSessions(timeouts=Timeouts(io_s=5))
        session = sessions.open_source(account, Secret("secret"), LabelView(rule, lambda: ()))
        try:
            came = {
                message.uid: message for message in session.messages(FolderRef("later", UidValidity(9)), ALL)
            }
        finally:
            session.close()
    flags = ("work",) if rule is LabelRule.KEYWORDS else ()
    assert came[Uid(4)] == Message(Uid(4), flags, "01-Feb-2003 04:05:06 +0000", b"bytes")
    assert len(came) == 8


# --- Finding messages -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "box",
    [
        Box(esearch=b""),
        Box(esearch=b" ALL 2:5"),
        Box(esearch=b" ALL 1:4", uid_fetch=(5, 6), by_number=(7, 8)),
        Box(esearch=b"", uid_fetch=()),
        Box(esearch=b"", uid_fetch=(), by_number=()),
        Box(esearch=b"", uid_fetch=(), by_number=(), search=b"8 7 6 5 4 3 2 1 0"),
    ],
)
def test_messages_are_found_if_any_way_of_asking_names_them(box: Box) -> None:
    with session_on(box) as (session, _):
        assert session.uids(INBOX) == ALL
        assert session.unlisted(INBOX) == 0


def test_messages_that_no_way_names_are_counted() -> None:
    box = Box(exists=9)
    with session_on(box) as (session, _):
        assert session.uids(INBOX) == ALL
        assert session.unlisted(INBOX) == 1
        box.exists = 8
        assert session.uids(INBOX) == ALL
        assert session.unlisted(INBOX) == 0


def test_where_the_first_answers_agree_nothing_else_is_asked() -> None:
    box = Box()
    with session_on(box) as (session, _):
        box.asked.clear()
        session.uids(INBOX)
        assert len(box.asked) == 2
        assert len(list(session.messages(INBOX, ALL))) == 8
        assert len(box.asked) == 3


def test_the_way_that_was_right_is_the_first_from_then_on() -> None:
    box = Box(esearch=b"")
    with session_on(box) as (session, _):
        session.uids(INBOX)
        box.asked.clear()
        assert session.uids(INBOX) == ALL
        assert not any("SEARCH" in command for command in box.asked)


# --- Reading messages --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "items", [b"FLAGS () INTERNALDATE NIL", b"FLAGS ()", b"FLAGS (\\ ) INTERNALDATE (1 2)"]
)
@pytest.mark.parametrize("size", [b"5", b"NIL", b"-2", b'"many"'])
def test_a_message_without_date_or_size_is_a_message(items: bytes, size: bytes) -> None:
    messages, refused, server = read(Box(items=lambda _uid: items, size=lambda _uid: size))
    assert (len(messages), refused, server.connections) == (8, {}, 1)
    assert messages[Uid(4)]._replace(header=b"") == Message(Uid(4), (), "", b"bytes")


@pytest.mark.parametrize(
    "frame",
    [
        lambda uid, items: b"*  %d FETCH (UID %d %s)\r\n" % (uid, uid, items),
        lambda uid, items: b"* %d FETCH (UID %d %s)\r\n\r\n" % (uid, uid, items),
        lambda uid, items: b"* %d FETCH (UID %d %s\r\n)\r\n" % (uid, uid, items),
        lambda uid, items: b"still here\r\n* %d FETCH (UID %d %s)\r\n" % (uid, uid, items),
        lambda uid, items: b"* \r\n* 8 EXISTS)\r\n* %d FETCH (UID %d %s)\r\n" % (uid, uid, items),
    ],
)
def test_odd_lines_between_and_in_responses_cost_nothing(frame: Callable[[int, bytes], bytes]) -> None:
    messages, refused, server = read(Box(frame=frame))
    assert (len(messages), refused, server.connections) == (8, {}, 1)


@pytest.mark.parametrize("odd", [b"{0}\r\n", b'""', b"NIL"])
def test_an_empty_content_is_asked_for_in_another_way(odd: bytes) -> None:
    def content(uid: int, item: str) -> bytes | None:
        return odd if uid == 4 and item != "RFC822" else None

    messages, refused, _ = read(Box(content=content))
    assert (messages[Uid(4)].body, len(messages), refused) == (b"bytes", 8, {})


def test_parts_are_asked_for_last() -> None:
    def content(uid: int, item: str) -> bytes | None:
        return b"{0}\r\n" if uid == 4 and item != "BODY.PEEK[]<0" else None

    messages, refused, _ = read(Box(content=content))
    assert (messages[Uid(4)].body, refused) == (b"bytes", {})


@pytest.mark.parametrize("odd", [b"{0}\r\n", b'""', b"NIL"])
def test_a_content_that_stays_empty_is_refused_and_blamed_on_the_source(odd: bytes) -> None:
    messages, refused, server = read(Box(content=lambda uid, _item: odd if uid == 4 else None))
    assert (len(messages), list(refused), server.connections) == (7, [4], 1)
    assert refused[Uid(4)] == "localhost delivered no content for it, although it states a size of 5 bytes"


def test_a_message_that_is_empty_by_its_size_too_is_copied() -> None:
    box = Box(content=lambda uid, _item: b"{0}\r\n" if uid == 4 else None)
    box.size = lambda uid: b"0" if uid == 4 else b"5"
    messages, refused, _ = read(box)
    assert (messages[Uid(4)].body, refused) == (b"", {})
    assert not any("RFC822)" in command for command in box.asked)


@pytest.mark.parametrize("size", [len(PARTS), len(WHOLE)])  # Courier states the wrong size too
def test_a_content_that_ends_early_is_asked_for_in_another_way(size: int) -> None:
    def content(uid: int, item: str) -> bytes | None:
        return literal(WHOLE if item == "RFC822" else PARTS) if uid == 4 else None

    messages, refused, _ = read(Box(content=content, size=lambda uid: b"%d" % size if uid == 4 else b"5"))
    assert (messages[Uid(4)].body, refused) == (WHOLE, {})


def test_a_multipart_message_that_never_had_an_end_is_copied_as_it_is() -> None:
    box = Box(content=lambda uid, _item: literal(PARTS), size=lambda uid: b"%d" % len(PARTS))
    messages, refused, _ = read(box)
    assert ({whole(m.body) for m in messages.values()}, refused) == ({PARTS}, {})
    assert sum("FETCH" in command for command in box.asked) == 2


def test_a_part_of_a_message_is_refused_where_all_other_sizes_are_exact() -> None:
    messages, refused, server = read(Box(size=lambda uid: b"50" if uid == 4 else b"5"))
    assert (len(messages), list(refused), server.connections) == (7, [4], 1)
    assert refused[Uid(4)] == "localhost delivered only 5 bytes of it, although it states 50 bytes"


def test_other_messages_tell_whether_a_size_is_believed() -> None:
    box = Box(size=lambda uid: b"50" if uid == 4 else b"5")
    assert list(read(box, UidSet.parse("4"))[1]) == [4]
    box = Box(size=lambda _uid: b"50")
    assert list(read(box, UidSet.parse("4"))[0]) == [4]


def test_sizes_that_are_all_wrong_are_not_believed_after_a_few() -> None:
    box = Box(size=lambda _uid: b"15")
    messages, refused, _ = read(box)
    assert (len(messages), refused) == (8, {})
    before = len(box.asked)
    assert before < 12
    with session_on(box) as (session, _):
        list(session.messages(INBOX, ALL))
        box.asked.clear()
        list(session.messages(INBOX, ALL))
    assert sum("FETCH" in command for command in box.asked) == 1


def test_line_feeds_that_count_as_two_raise_no_doubt() -> None:
    box = Box(content=lambda _uid, _item: literal(b"a\nb\n"), size=lambda _uid: b"6")
    read(box)
    assert sum("FETCH" in command for command in box.asked) == 1


def test_a_message_that_was_not_sent_is_asked_for_again() -> None:
    def frame(uid: int, items: bytes) -> bytes:
        if uid == 4 and b"RFC822 {" not in items:
            return b"* 4 FETCH (UID 4 nonsense)\r\n"
        return b"* %d FETCH (UID %d %s)\r\n" % (uid, uid, items)

    messages, refused, server = read(Box(frame=frame))
    assert (len(messages), refused, server.connections) == (8, {}, 1)


# --- Hammering --------------------------------------------------------------------------------


def announced_wrongly(only: Callable[[int], bool]) -> Callable[[int, str], bytes | None]:
    """A literal with more content than it announces."""
    return lambda uid, _item: b"{2}\r\nbytes\r\nand more" if only(uid) else None


def test_the_same_violation_twice_ends_the_attempts_for_that_message() -> None:
    messages, refused, server = read(Box(content=announced_wrongly(lambda uid: uid == 4)))
    assert (len(messages), list(refused)) == (7, [4])
    assert server.connections <= 6


def test_a_folder_full_of_violations_costs_a_few_logins_and_no_other_folder() -> None:
    box = Box(content=announced_wrongly(lambda _uid: True))
    with session_on(box) as (session, server):
        assert all(isinstance(message, NotHandedOut) for message in session.messages(INBOX, ALL))
        logins = server.connections
        assert logins <= 25
        list(session.messages(INBOX, ALL))
        assert server.connections == logins
        assert session.uids(INBOX) == ALL


@pytest.fixture
def _delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LoginLimiter, "wait", _WAIT)  # as it is outside of tests


@pytest.mark.usefixtures("_delays")
def test_an_account_is_logged_in_to_some_ten_times_a_minute_at_most() -> None:
    now = [0.0]
    limiter = LoginLimiter(lambda: now[0], lambda seconds: now.__setitem__(0, now[0] + seconds))
    limiter.count()
    logins = []
    for _ in range(60):
        limiter.wait()
        logins.append(now[0])
    assert max(sum(start <= at < start + 60 for at in logins) for start in range(400)) <= BURST + PER_MINUTE
    assert 240 < now[0] < 400


@pytest.mark.usefixtures("_delays")
def test_connections_that_bring_messages_may_follow_each_other_faster() -> None:
    now = [0.0]
    limiter = LoginLimiter(lambda: now[0], lambda seconds: now.__setitem__(0, now[0] + seconds))
    for _ in range(200):
        limiter.wait(progress=True)
    assert now[0] < 320


@pytest.mark.parametrize("whole_by", ["RFC822", "BODY.PEEK[]<0"])
def test_the_flags_are_those_from_before_a_message_was_asked_for_in_another_way(whole_by: str) -> None:
    def items(_uid: int) -> bytes:
        # RFC822 is no PEEK. GNU mailutils sets \Seen for the session although the folder is open read-only.
        opened = max(n for n, command in enumerate(box.asked) if command.startswith("EXAMINE"))
        seen = any("RFC822)" in command for command in box.asked[opened:])
        flags = b"\\Seen" if seen else b"\\Draft"
        return b'FLAGS (%s) INTERNALDATE "01-Feb-2003 04:05:06 +0000"' % flags

    box = Box(content=lambda _uid, item: literal(WHOLE if item == whole_by else PARTS), items=items)
    box.size = lambda _uid: b"%d" % len(WHOLE)
    with session_on(box) as (session, _):
        for _again in range(2):
            assert [*session.messages(INBOX, UidSet.parse("4"))] == [
                Message(Uid(4), ("\\Draft",), "01-Feb-2003 04:05:06 +0000", WHOLE)
            ]
