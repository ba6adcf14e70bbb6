"""Quirks of folder names at a source, and of their handling by a destination."""

from __future__ import annotations

import base64
import re
import unicodedata

from imapclient import imap_utf7

from tests.rehearsal.quirks.mail import Folder, Mailbox, fill
from tests.rehearsal.quirks.registry import quirk
from tests.rehearsal.quirks.session import Session
from tests.rehearsal.quirks.wire import InvalidCommand, Words


@quirk("folder-called-projekt", "IndySockets/Indy#329")
class FolderCalledProjekt(Session):
    """At a source: a folder whose name equals those of the two others truncated at the space."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        fill(box, b"Projekt", 2, first=901)


@quirk("two-folders-of-one-role", "stalwartlabs/vandelay#8")
class TwoFoldersOfOneRole(Session):
    r"""Two folders have the attribute \Sent."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        fill(box, b"Sent Items", 3, first=701).attributes.append(rb"\Sent")


@quirk("names-for-another-separator", "joeyates/imap-backup#223")
class NamesForAnotherSeparator(Session):
    """Folder names with dots, plus signs and such, for a destination whose delimiter is a dot."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        for at, name in enumerate((b"Person K.", b"a..b", b".x", b"1200+1201", b"100 % ok", b"a&-b")):
            fill(box, name, 2, first=701 + 100 * at)


@quirk("names-with-dots", "joeyates/imap-backup#223")
class NamesWithDots(Session):
    """At a source: folder names with dots in them, where the delimiter is a slash."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        for at, name in enumerate((b"Person K.", b"old.example", b"Archive/2024.10", b".x")):
            fill(box, name, 2, first=701 + 100 * at)


@quirk("names-with-umlauts", "stalwartlabs/stalwart#1606")
class NamesWithUmlauts(Session):
    """At a source: a folder whose name is not ASCII, in modified UTF-7 as it should be."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        fill(box, b"Gel&APY-scht", 2, first=701)


@quirk("two-names-that-differ-by-case", "imapsync/imapsync#519")
class TwoNamesThatDifferByCase(Session):
    """At a source: folders Ideas and ideas."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        fill(box, b"Ideas", 2, first=701)
        fill(box, b"ideas", 3, first=801)


@quirk("created-under-another-name", "stalwartlabs/stalwart#1697")
class CreatedUnderAnotherName(Session):
    """At a destination: CREATE accepts modified UTF-7 and creates a folder with the name in UTF-8. Only that
    name works afterwards."""

    def do_create(self, tag: bytes, arguments: Words) -> None:
        name = re.sub(rb"&([^-]*)-", self._decoded, bytes(arguments[0]))
        if self.box.find(name) is not None:
            return self.no(tag, b"[ALREADYEXISTS] there is one of that name")
        self.box.create(name)
        return self.ok(tag, b"CREATE")

    @staticmethod
    def _decoded(found: re.Match[bytes]) -> bytes:
        coded = found[1].replace(b",", b"/")
        if not coded:
            return b"&"
        return base64.b64decode(coded + b"=" * (-len(coded) % 4)).decode("utf-16-be").encode()


@quirk("create-minds-no-case", "OfflineIMAP/offlineimap#256")
class CreateMindsNoCase(Session):
    """At a destination: CREATE of a name that differs from another one only in case gets ALREADYEXISTS, and
    the folder is accessible only under the first name."""

    def do_create(self, tag: bytes, arguments: Words) -> None:
        if any(bytes(arguments[0]).lower() == name.lower() for name in self.box.folders):
            return self.no(tag, b"[ALREADYEXISTS] too much like the name of another folder")
        return super().do_create(tag, arguments)


@quirk("create-needs-inbox-prefix", "jakartaee/mail-api#558")
class CreateNeedsInboxPrefix(Session):
    """At a destination: CREATE gets NO unless the name begins with INBOX, although no namespace has that
    prefix."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        box.delimiter = b"."

    def do_create(self, tag: bytes, arguments: Words) -> None:
        if not bytes(arguments[0]).startswith(b"INBOX."):
            self.no(
                tag,
                b"Client tried to access nonexistent namespace. (Mailbox name should probably be prefixed"
                b" with: INBOX.)",
            )
            return
        super().do_create(tag, arguments)


@quirk("subscribe-refused", "stalwartlabs/vandelay#5")
class SubscribeRefused(Session):
    """At a destination: SUBSCRIBE gets BAD."""

    def do_subscribe(self, tag: bytes, arguments: Words) -> None:
        raise InvalidCommand("unknown command")


@quirk("appendable-after-reconnecting", "imapsync/imapsync#358")
class AppendableAfterReconnecting(Session):
    """At a destination: APPEND on the connection that created a folder does not find it."""

    def do_create(self, tag: bytes, arguments: Words) -> None:
        self._created = {*getattr(self, "_created", ()), bytes(arguments[0])}
        super().do_create(tag, arguments)

    def do_append(self, tag: bytes, arguments: Words) -> None:
        if bytes(arguments[0]) in getattr(self, "_created", ()):
            self.no(tag, b"[TRYCREATE] APPEND error finding folder")
            return
        super().do_append(tag, arguments)


@quirk("names-decomposed", "(HFS+, Cyrus on Mac OS X Server)")
class NamesDecomposed(Session):
    """At a destination: the server stores names of folders decomposed (NFD) and lists them so; every form
    of a name opens its folder."""

    def named(self, name: bytes) -> Folder | None:
        return super().named(_decomposed(bytes(name)))

    def do_create(self, tag: bytes, arguments: Words) -> None:
        super().do_create(tag, [_decomposed(bytes(arguments[0]))])


def _decomposed(name: bytes) -> bytes:
    decoded: str = imap_utf7.decode(name)
    encoded: bytes = imap_utf7.encode(unicodedata.normalize("NFD", decoded))
    return encoded
