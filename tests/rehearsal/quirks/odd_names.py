"""Quirks of folder names and of their lines in LIST, at a source."""

from __future__ import annotations

from collections.abc import Sequence

from tests.rehearsal.quirks.hooks import PLAIN
from tests.rehearsal.quirks.mail import Folder, Mailbox, fill
from tests.rehearsal.quirks.registry import quirk
from tests.rehearsal.quirks.session import Session
from tests.rehearsal.quirks.wire import Words


@quirk("list-lines-with-more")
class ListLinesWithMore(Session):
    """Lines of LIST continue after the name, with extended data (RFC 5258 section 6) and with words."""

    def list_line(self, command: bytes, folder: Folder, returning: Sequence[object]) -> bytes:
        more = b' ("CHILDINFO" ("SUBSCRIBED") X-LIST (a "b" (c)))'
        return super().list_line(command, folder, returning) + more


@quirk("every-folder-twice")
class EveryFolderTwice(Session):
    """LIST lists every folder twice, the second time without attributes."""

    def list_folders(self, command: bytes, returning: Sequence[object]) -> list[Folder]:
        return [folder for folder in super().list_folders(command, returning) for _ in range(2)]


@quirk("namespace-of-nothing")
class NamespaceOfNothing(Session):
    """NAMESPACE reports that there are no namespaces."""

    def do_namespace(self, tag: bytes, _arguments: Words) -> None:
        self.say(b"* NAMESPACE NIL NIL NIL")
        self.ok(tag, b"NAMESPACE")


@quirk("namespace-without-answer")
class NamespaceWithoutAnswer(Session):
    """NAMESPACE ends with OK and returns nothing."""

    def do_namespace(self, tag: bytes, _arguments: Words) -> None:
        self.ok(tag, b"NAMESPACE")


@quirk("namespace-with-another-prefix")
class NamespaceWithAnotherPrefix(Session):
    """NAMESPACE reports the prefix `INBOX.` and the delimiter dot; LIST has the folders at the top level,
    with /."""

    def do_namespace(self, tag: bytes, _arguments: Words) -> None:
        self.say(b'* NAMESPACE (("INBOX." ".")) NIL NIL')
        self.ok(tag, b"NAMESPACE")


@quirk("names-with-wildcards")
class NamesWithWildcards(Session):
    """At a source: folders whose names are or contain the wildcards of LIST."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        for at, name in enumerate((b"*", b"100%", b"a*b", b"A%")):
            fill(box, name, 2, first=701 + 100 * at)


@quirk("names-with-broken-base64")
class NamesWithBrokenBase64(Session):
    """At a source: names that are invalid modified UTF-7: unterminated base64, half a surrogate pair, and
    bytes that are not base64."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        for at, name in enumerate((b"Mail &AOk", b"Half &2D0- pair", b"No &,!- more")):
            fill(box, name, 2, first=701 + 100 * at)


@quirk("names-in-latin1")
class NamesInLatin1(Session):
    """At a source: a name in Latin-1, and one that differs from it only in that byte."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        fill(box, b"Gel\xf6scht", 2, first=701)
        fill(box, b"Gel\xfcscht", 3, first=801)


@quirk("names-with-blanks-around")
class NamesWithBlanksAround(Session):
    """At a source: names that differ only in spaces at their ends."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        for at, name in enumerate((b"Taxes", b"Taxes ", b" Taxes")):
            fill(box, name, 2, first=701 + 100 * at)


@quirk("a-long-name")
class ALongName(Session):
    """At a source: a name of 400 bytes, and a folder at the thirtieth level."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        fill(box, b"long " * 80, 2, first=701)
        fill(box, b"/".join([b"down"] * 30), 2, first=801)


@quirk("names-of-twenty-one-bytes")
class NamesOfTwentyOneBytes(Session):
    """At a source: two names that are the same up to their twentieth byte."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        fill(box, b"Correspondence with A", 2, first=701)
        fill(box, b"Correspondence with B", 3, first=801)


@quirk("listed-and-gone")
class ListedAndGone(Session):
    """LIST lists a folder without messages that neither STATUS nor EXAMINE find."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        box.create(b"Ghost")

    def capabilities(self) -> bytes:
        return PLAIN.encode()

    def named(self, name: bytes) -> Folder | None:
        return None if bytes(name) == b"Ghost" else super().named(name)
