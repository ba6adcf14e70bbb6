"""Quirks of a destination's responses about stored messages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tests.rehearsal.quirks.hooks import MODERN, PLAIN
from tests.rehearsal.quirks.keeping import QuotaOfOneFolder
from tests.rehearsal.quirks.mail import Folder
from tests.rehearsal.quirks.registry import quirk
from tests.rehearsal.quirks.session import Session


@quirk("some-appends-without-uid", "ProtonMail/proton-bridge#170")
class SomeAppendsWithoutUid(Session):
    """At a destination: UIDPLUS is offered, and every third APPEND response has no APPENDUID."""

    answers = 0

    def capabilities(self) -> bytes:
        return PLAIN.encode()

    def append_code(self, folder: Folder, uids: list[int]) -> bytes:
        self.answers += 1
        return super().append_code(folder, uids) if self.answers % 3 else b""


@quirk("appenduid-left-out", "ProtonMail/proton-bridge#123")
class AppenduidLeftOut(Session):
    """At a destination: UIDPLUS is offered, and no APPEND response has APPENDUID."""

    def append_code(self, folder: Folder, uids: list[int]) -> bytes:
        return b""


@quirk("multiappend-names-the-first")
class MultiappendNamesTheFirst(Session):
    """At a destination: APPENDUID names the first of several messages; all are stored."""

    def append_code(self, folder: Folder, uids: list[int]) -> bytes:
        return super().append_code(folder, uids[:1])


@quirk("seen-of-append-ignored", "roundcube/roundcubemail#9805")
class SeenOfAppendIgnored(Session):
    r"""At a destination: APPEND keeps all flags but \Seen."""

    def store(self, folder: Folder, body: bytes, flags: Iterable[bytes], date: str) -> int:
        return super().store(folder, body, [flag for flag in flags if flag != rb"\Seen"], date)


_NO_ROOM = b"NO APPEND The 1500 MB storage limit has been exceeded."


@quirk("storage-limit-in-plain-words", "OfflineIMAP/offlineimap#29")
class StorageLimitInPlainWords(Session):
    """At a destination: there is room for five messages; further ones get GroupWise's NO."""

    def capabilities(self) -> bytes:
        return PLAIN.encode()

    def why_not_stored(self, folder: Folder, body: bytes, flags: Sequence[bytes]) -> bytes:
        full = sum(len(one.messages) for one in self.box.folders.values()) >= 5
        return _NO_ROOM if full else super().why_not_stored(folder, body, flags)


@quirk("storage-limit-of-one-folder", "OfflineIMAP/offlineimap#29")
class StorageLimitOfOneFolder(QuotaOfOneFolder):
    """The quota of one folder, in the words of GroupWise."""

    no_room = _NO_ROOM


@quirk("large-mail-cut", "(virus scanners)")
class LargeMailCut(Session):
    """At a destination: of a message of more than 40,000 bytes the first 1,000 are stored."""

    limit_bytes = 40_000

    def store(self, folder: Folder, body: bytes, flags: Iterable[bytes], date: str) -> int:
        cut = body[:1000] if len(body) > self.limit_bytes else body
        return super().store(folder, cut, flags, date)


@quirk("all-mail-cut", "(virus scanners)")
class AllMailCut(LargeMailCut):
    """At a destination: of each message the first 400 bytes are stored."""

    def store(self, folder: Folder, body: bytes, flags: Iterable[bytes], date: str) -> int:
        return super().store(folder, body[:400], flags, date)


# --- Gateways and servers that rewrite what they store ---------------------------------------------------


@quirk("footer-appended")
class FooterAppended(Session):
    """At a destination: an antivirus gateway appends a footer to each message; no UIDPLUS."""

    def capabilities(self) -> bytes:
        return MODERN.replace(" UIDPLUS", "").encode()

    def store(self, folder: Folder, body: bytes, flags: Iterable[bytes], date: str) -> int:
        return super().store(folder, body + b"-- \r\nScanned by gateway %d\r\n" % folder.uidnext, flags, date)


@quirk("subject-tagged")
class SubjectTagged(FooterAppended):
    """At a destination: a gateway puts [EXTERN] in front of each subject; no UIDPLUS."""

    def store(self, folder: Folder, body: bytes, flags: Iterable[bytes], date: str) -> int:
        return Session.store(self, folder, body.replace(b"Subject: ", b"Subject: [EXTERN] ", 1), flags, date)


@quirk("message-id-replaced", "(Lotus Domino)")
class MessageIdReplaced(FooterAppended):
    """At a destination: each message gets another Message-ID and its header fields in another order; no
    UIDPLUS."""

    def store(self, folder: Folder, body: bytes, flags: Iterable[bytes], date: str) -> int:
        header, _, text = body.partition(b"\r\n\r\n")
        kept = [line for line in header.split(b"\r\n") if not line.lower().startswith(b"message-id:")]
        new = b"\r\n".join([*reversed(kept), b"Message-ID: <OF%d@domino.example>" % folder.uidnext])
        return Session.store(self, folder, new + b"\r\n\r\n" + text, flags, date)


@quirk("quota-of-two-folders")
class QuotaOfTwoFolders(Session):
    """At a destination: INBOX and Sent have no room from the start."""

    def why_not_stored(self, folder: Folder, body: bytes, flags: Sequence[bytes]) -> bytes:
        if folder.name in (b"INBOX", b"Sent"):
            return b"NO [OVERQUOTA] the quota of this folder is used up"
        return super().why_not_stored(folder, body, flags)
