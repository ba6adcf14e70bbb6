"""Mail that another program brought to the destination is recognised, whatever it changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from importer.compact.uid_set import Uid, UidSet
from importer.domain.mailbox_content import FolderRef, HeaderLines, Message, NotHandedOut
from importer.domain.model import ImportId
from importer.domain.receipts.folder_tally import RefusalCode
from importer.engine import existing_mail
from providers.text import Text
from tests.fakes.mailbox import MemoryReader
from tests.property.world import World, mail

SEPARATOR = b"From ada@old.example Mon Feb  2 10:00:00 1998\r\n"
CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda body: body,
    "mbsync": lambda body: body.replace(b"Subject:", b"X-TUID: 2nBQcJjxNzpR\r\nSubject:", 1),
    "Thunderbird": lambda body: b"X-Mozilla-Status: 0001\r\nX-Mozilla-Keys: $label1   \r\n" + body,
    "mbox": lambda body: (
        SEPARATOR + body.replace(b"Subject:", b"Status: RO\r\nX-UID: 3\r\nSubject:", 1) + b"\r\n"
    ),
    "line ends cut": lambda body: body.removesuffix(b"\r\n"),
    "line ends added": lambda body: body + b"\r\n\r\n",
    "LF": lambda body: body.replace(b"\r\n", b"\n"),
}


def bodies(number: int) -> list[bytes]:
    return [mail("report", f"{n:03} % full", f"r{n}" if n % 3 else None) for n in range(number)]


@given(st.lists(st.sampled_from(sorted(CHANGES)), min_size=1, max_size=12), st.integers(1, 3))
@settings(max_examples=60)
def test_nothing_is_doubled_or_lost_whatever_another_program_changed(changes: list[str], lanes: int) -> None:
    world = World()
    texts = bodies(len(changes) + 3)
    for body in texts:
        world.source.folders["INBOX"].add((), "", body)
    for body, change in zip(texts, changes, strict=False):
        world.destination.folders["INBOX"].add((), "", CHANGES[change](body))
    for copied in (3, 0):
        tally = world.run(lanes=lanes).tallies["INBOX"]
        assert (tally.copied, tally.present) == (copied, len(texts) - copied)
        assert tally.recognised == sum(change not in ("nothing", "LF") for change in changes)
        assert len(world.destination.folders["INBOX"].messages) == len(texts)


def test_messages_with_equal_headers_and_other_text_stay_two() -> None:
    world = World()
    world.source.folders["INBOX"].add((), "", mail("disk", "80% full", "cron"))
    world.destination.folders["INBOX"].add((), "", b"X-TUID: a\r\n" + mail("disk", "90% full", "cron"))
    assert world.run().tallies["INBOX"].copied == 1
    assert len(world.destination.folders["INBOX"].messages) == 2


def test_the_unchanged_message_is_preferred_to_a_changed_one() -> None:
    world = World()
    body = mail("disk", "80% full", "cron")
    world.source.folders["INBOX"].add((), "", body)
    for stored in (b"Status: RO\r\n" + body, body):
        world.destination.folders["INBOX"].add((), "", stored)
    tally = world.run().tallies["INBOX"]
    assert (tally.present, tally.recognised) == (1, 0)


# --- What the server does not tell -----------------------------------------------------------------------


@dataclass
class Odd:
    """Changes what the destination's sessions tell of their messages."""

    header: Callable[[bytes], bytes | None] = lambda header: header
    withheld: Callable[[bytes], bool] = lambda _body: False
    emptied: Callable[[bytes], bool] = lambda _body: False
    reads: list[int] = field(default_factory=list)

    def headers(self, session: MemoryReader, folder: FolderRef, uids: UidSet) -> Iterator[HeaderLines]:
        for lines in HEADERS(session, folder, uids):
            told = self.header(lines.header) if session.side.value == "destination" else lines.header
            if told is not None:
                yield lines if told is lines.header else HeaderLines(lines.uid, lines.size_bytes, told)

    def messages(
        self, session: MemoryReader, folder: FolderRef, uids: UidSet
    ) -> Iterator[Message | NotHandedOut]:
        for message in MESSAGES(session, folder, uids):
            if session.side.value != "destination" or isinstance(message, NotHandedOut):
                yield message
                continue
            self.reads.append(message.uid)
            if self.withheld(bytes(message.body)):  # type: ignore[arg-type]
                yield NotHandedOut(message.uid, Text("not_handed_out"))
            elif self.emptied(bytes(message.body)):  # type: ignore[arg-type]
                yield message._replace(body=b"")
            else:
                yield message


HEADERS, MESSAGES = MemoryReader.headers, MemoryReader.messages


@pytest.fixture
def odd(monkeypatch: pytest.MonkeyPatch) -> Odd:
    behaviour = Odd()

    def headers(*args: Any) -> Iterator[HeaderLines]:
        return behaviour.headers(*args)

    def messages(*args: Any) -> Iterator[Message | NotHandedOut]:
        return behaviour.messages(*args)

    monkeypatch.setattr(MemoryReader, "headers", headers)
    monkeypatch.setattr(MemoryReader, "messages", messages)
    return behaviour


@pytest.mark.parametrize(
    "told",
    [
        lambda _header: b"",
        lambda _header: None,
        lambda _header: b"\r\n",
        lambda header: header.replace(b"From: ada@old.example\r\n", b""),
        lambda header: b"".join(line for line in header.splitlines(True) if b"Message-ID" not in line),
        lambda header: header.replace(b"Message-ID: <", b"Message-ID: <x").replace(
            b"Subject: ", b"Subject: x"
        ),
        lambda header: header.replace(b"Message-ID: <", b"Message-ID: <x"),
    ],
    ids=["empty", "missing", "no field", "no From", "no Message-ID", "all else but the size", "another ID"],
)
def test_messages_are_found_however_oddly_the_server_tells_their_headers(
    odd: Odd, told: Callable[[bytes], bytes | None]
) -> None:
    world = World()
    for body in bodies(6):
        world.source.folders["INBOX"].add((), "", body)
        world.destination.folders["INBOX"].add((), "", body)
    odd.header = told
    tally = world.run().tallies["INBOX"]
    assert (tally.present, tally.copied) == (6, 0)


def test_messages_that_were_changed_are_found_without_their_header_lines(odd: Odd) -> None:
    world = World()
    for body in bodies(6):
        world.source.folders["INBOX"].add((), "", body)
        world.destination.folders["INBOX"].add((), "", CHANGES["mbsync"](body))
    odd.header = lambda _header: b""
    tally = world.run().tallies["INBOX"]
    assert (tally.present, tally.recognised) == (6, 6)


@pytest.mark.parametrize("headers", [True, False])
def test_a_message_that_may_be_there_is_reported_and_not_copied_blindly(odd: Odd, headers: bool) -> None:
    world = World()
    for body in bodies(6):
        world.source.folders["INBOX"].add((), "", body)
        world.destination.folders["INBOX"].add((), "", body)
    odd.withheld = lambda body: b"001 %" in body
    odd.header = lambda header: header if headers or b"<r1@" not in header else b""
    tally = world.run().tallies["INBOX"]
    assert (tally.present, tally.copied, tally.failed) == (5, 0, 1)
    (refusal,) = world.store.refusals(ImportId("import1"))
    assert (refusal.code, refusal.uid) == (RefusalCode.NOT_COMPARED, 2)
    odd.withheld = lambda _body: False
    assert world.run().tallies["INBOX"].present == 6


def test_a_message_of_which_only_the_size_is_told_may_be_any_of_that_size(odd: Odd) -> None:
    world = World()
    for text in ("1 % full", "100 % full"):
        world.source.folders["INBOX"].add((), "", mail("report", text, text))
    world.destination.folders["INBOX"].add((), "", mail("report", "1 % full", "1 % full"))
    odd.withheld = lambda _body: True
    odd.header = lambda _header: None
    tally = world.run(legs_of=100).tallies["INBOX"]
    assert (tally.copied, tally.failed) == (1, 1)


def test_a_changed_message_is_recognised_in_the_form_in_which_cyrus_stores_it() -> None:
    world = World()
    sent = "Message-ID: <1@old.example>\r\nSubject: Grüße\r\n\r\nGrüße\r\n".encode("latin-1")
    there = "X-TUID: 2nBQcJjxNzpR\r\nMessage-ID: <1@old.example>\r\nSubject: GrXXe\r\n\r\nGrüße\r\n\r\n"
    world.source.folders["INBOX"].add((), "", sent)
    world.destination.folders["INBOX"].add((), "", there.encode("latin-1"))
    tally = world.run().tallies["INBOX"]
    assert (tally.present, tally.recognised) == (1, 1)


@pytest.mark.parametrize("headers", [True, False])
def test_an_empty_body_is_believed_only_of_a_message_without_size(odd: Odd, headers: bool) -> None:
    world = World()
    for body in (mail("report", "1 % full", "r1"), b""):
        world.source.folders["INBOX"].add((), "", body)
        world.destination.folders["INBOX"].add((), "", body)
    odd.emptied = lambda body: b"1 %" in body
    odd.header = lambda header: header if headers else b""
    tally = world.run().tallies["INBOX"]
    assert (tally.present, tally.copied, tally.failed) == (1, 0, 1)


def test_a_message_that_was_removed_meanwhile_is_copied(odd: Odd) -> None:
    world = World()
    (body,) = bodies(1)
    world.source.folders["INBOX"].add((), "", body)
    uid = world.destination.folders["INBOX"].add((), "", body)

    def removed(header: bytes) -> bytes:
        world.destination.folders["INBOX"].messages.pop(uid, None)
        return header

    odd.header = removed
    assert world.run().tallies["INBOX"].copied == 1


def test_few_bodies_are_read_of_messages_that_only_have_the_same_size(
    odd: Odd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(existing_mail, "UNLIKELY_CANDIDATES", 5)
    world = World()
    for n in range(40):
        world.source.folders["INBOX"].add(
            (), "02-Feb-1998 10:00:00 +0100", mail(f"old {n:03}", "text", f"old{n:03}")
        )
        world.destination.folders["INBOX"].add((), "", mail(f"new {n:03}", "text", f"new{n:03}"))
    assert world.run(lanes=1, legs_of=100, batch=10).tallies["INBOX"].copied == 40
    assert len(odd.reads) == 5
    assert Uid(1) in odd.reads
