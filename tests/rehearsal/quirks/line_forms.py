"""Quirks of the form of lines: spaces, line ends, tags, NUL bytes, very long lines."""

from __future__ import annotations

from collections.abc import Sequence

from tests.rehearsal.quirks.hooks import PLAIN
from tests.rehearsal.quirks.mail import Folder, Message
from tests.rehearsal.quirks.registry import quirk
from tests.rehearsal.quirks.session import Session
from tests.rehearsal.quirks.wire import Words


@quirk("blanks-at-line-ends")
class BlanksAtLineEnds(Session):
    """Two spaces precede each line end."""

    def say(self, line: bytes) -> None:
        super().say(line + b"  ")

    def fetch_lines(self, number: int, message: Message, items: list[tuple[bytes, bytes]]) -> bytes:
        return super().fetch_lines(number, message, items).removesuffix(b"\r\n") + b"  \r\n"


@quirk("two-carriage-returns")
class TwoCarriageReturns(Session):
    """Lines end in CR CR LF."""

    def say(self, line: bytes) -> None:
        super().say(line + b"\r")

    def fetch_lines(self, number: int, message: Message, items: list[tuple[bytes, bytes]]) -> bytes:
        return super().fetch_lines(number, message, items).removesuffix(b"\r\n") + b"\r\r\n"


@quirk("tabs-for-blanks")
class TabsForBlanks(Session):
    """TABs separate the items of FETCH responses, and the parts of LIST."""

    def fetch_lines(self, number: int, message: Message, items: list[tuple[bytes, bytes]]) -> bytes:
        inside = b"\t".join(name + b"\t" + value for name, value in items)
        return b"* %d FETCH\t(%s)\r\n" % (number, inside)

    def list_line(self, command: bytes, folder: Folder, returning: Sequence[object]) -> bytes:
        return super().list_line(command, folder, returning).replace(b" ", b"\t", 3)


@quirk("tags-in-lower-case")
class TagsInLowerCase(Session):
    """Responses repeat the tag in lower case."""

    def say(self, line: bytes) -> None:
        tag, blank, rest = line.partition(b" ")
        super().say(tag.lower() + blank + rest)


@quirk("answers-without-text")
class AnswersWithoutText(Session):
    """Tagged responses consist of OK, NO or BAD, without text, code or space."""

    def capabilities(self) -> bytes:
        return PLAIN.encode()

    def ended_well(self, tag: bytes, command: bytes, text: bytes) -> None:
        self.say(tag + b" OK")


@quirk("tagged-answers-twice")
class TaggedAnswersTwice(Session):
    """The OK of STATUS, EXAMINE, FETCH and APPEND is sent twice."""

    def ended_well(self, tag: bytes, command: bytes, text: bytes) -> None:
        super().ended_well(tag, command, text)
        if command in (b"STATUS", b"EXAMINE", b"FETCH", b"APPEND"):
            super().ended_well(tag, command, text)


@quirk("keeps-alive-in-between")
class KeepsAliveInBetween(Session):
    """`* OK Still here` precedes each response to FETCH, LIST and STATUS, once with NULs, once with invalid
    UTF-8."""

    def fetch_lines(self, number: int, message: Message, items: list[tuple[bytes, bytes]]) -> bytes:
        line = b"* OK Still here\r\n* OK \0\0\r\n* OK gr\xfc\xdfe\r\n"
        return line + super().fetch_lines(number, message, items)

    def list_line(self, command: bytes, folder: Folder, returning: Sequence[object]) -> bytes:
        return b"OK Still \0 here\r\n* " + super().list_line(command, folder, returning)


@quirk("long-lines-in-between")
class LongLinesInBetween(Session):
    """The response to a login, and a line before each response to EXAMINE, have a text of 120,000 bytes."""

    def opening_lines(self, folder: Folder) -> list[bytes]:
        return [b"OK " + b"news " * 24_000, *super().opening_lines(folder)]

    def ended_well(self, tag: bytes, command: bytes, text: bytes) -> None:
        super().ended_well(tag, command, text + b" news" * 24_000 if command == b"LOGIN" else text)


@quirk("literals-with-zeros")
class LiteralsWithZeros(Session):
    """The length of a literal is written with leading zeros."""

    def item_content(self, message: Message, section: bytes, content: bytes) -> bytes | None:
        return b"{%012d}\r\n%s" % (len(content), content)


@quirk("data-after-the-answer")
class DataAfterTheAnswer(Session):
    """The OK of STATUS and SEARCH precedes the requested data, which follows immediately."""

    held: bytes | None = None

    def capabilities(self) -> bytes:
        return PLAIN.encode()

    def say(self, line: bytes) -> None:
        if line.startswith((b"* STATUS ", b"* SEARCH")):
            self.held = line
            return
        super().say(line)
        if self.held is not None:
            held, self.held = self.held, None
            super().say(held)


@quirk("capability-in-pieces")
class CapabilityInPieces(Session):
    """CAPABILITY responds in two lines; greeting and login announce no capabilities."""

    def greeting(self) -> bytes:
        return b"* OK ready"

    def ended_well(self, tag: bytes, command: bytes, text: bytes) -> None:
        super().ended_well(tag, command, b"welcome" if command == b"LOGIN" else text)

    def do_capability(self, tag: bytes, _arguments: Words) -> None:
        known = self.capabilities().split()
        self.say(b"* CAPABILITY " + b" ".join(known[:3]))
        self.say(b"* CAPABILITY " + b" ".join(known[3:]))
        self.ok(tag, b"CAPABILITY")


@quirk("nuls-between-lines")
class NulsBetweenLines(Session):
    """Two NULs precede each FETCH response except the first."""

    fetched = 0

    def fetch_lines(self, number: int, message: Message, items: list[tuple[bytes, bytes]]) -> bytes:
        self.fetched += 1
        return b"\0\0" * (self.fetched > 1) + super().fetch_lines(number, message, items)
