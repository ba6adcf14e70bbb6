"""Quirks of LIST: folders that it lists on request alone, or that only LSUB lists."""

from __future__ import annotations

from collections.abc import Sequence

from tests.rehearsal.quirks.hooks import PLAIN
from tests.rehearsal.quirks.mail import Folder, Mailbox, fill
from tests.rehearsal.quirks.registry import quirk
from tests.rehearsal.quirks.session import Session
from tests.rehearsal.quirks.wire import Words


@quirk("second-namespace-on-request", "(RFC 2342 section 6, UW-IMAP)")
class SecondNamespaceOnRequest(Session):
    """The user has a second namespace, `#mh/`, with folders on three levels. LIST lists them only for
    patterns that begin with it, and reports no children."""

    prefix = b"#mh/"
    hidden = True

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        for number, name in enumerate((b"lists", b"lists/python", b"lists/python/dev")):
            fill(box, cls.prefix + name, 2, first=701 + 10 * number)

    def capabilities(self) -> bytes:
        return PLAIN.encode()

    def do_namespace(self, tag: bytes, _arguments: Words) -> None:
        self.say(b'* NAMESPACE (("" "/")("#mh/" "/")) NIL NIL')
        self.ok(tag, b"NAMESPACE")

    def do_list(self, tag: bytes, arguments: Words) -> None:
        self.hidden = not arguments[1].startswith(self.prefix)
        super().do_list(tag, arguments)

    def list_folders(self, command: bytes, returning: Sequence[object]) -> list[Folder]:
        folders = super().list_folders(command, returning)
        return [one for one in folders if not (self.hidden and one.name.startswith(self.prefix))]


@quirk("shared-prefix-without-delimiter")
class SharedPrefixWithoutDelimiter(Session):
    """The prefix of the shared namespace is `Public`, without the delimiter. There is a folder in it, and one
    of the user's own that begins alike."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        fill(box, b"Publications", 2, first=701)
        fill(box, b"Public/all", 2, first=711)

    def do_namespace(self, tag: bytes, _arguments: Words) -> None:
        self.say(b'* NAMESPACE (("" "/")) NIL (("Public" "/"))')
        self.ok(tag, b"NAMESPACE")


@quirk("lsub-lists-more")
class LsubListsMore(Session):
    """The mailbox has 130 further folders with one message each. LIST lists only INBOX, LSUB lists all."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        for number in range(130):
            fill(box, b"Folder %03d" % number, 1, first=1001 + number)
        box.folders[b"Projects"].subscribed = True

    def capabilities(self) -> bytes:
        return PLAIN.encode()

    def list_folders(self, command: bytes, returning: Sequence[object]) -> list[Folder]:
        folders = super().list_folders(command, returning)
        return folders if command == b"LSUB" else [self.box.inbox]
