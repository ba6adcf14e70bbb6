"""Compares two mailboxes message by message. It reads both sides and trusts no receipt. The folder map gives
the destination folders; the rules of identity (`message_identity`, `canonical_form`) decide which messages
are equal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from importer.compact.uid_set import Uid, UidBitmap, UidSet
from importer.domain.mailbox_content import FolderRef, Message, NotHandedOut
from importer.domain.messages.flags import touched
from importer.domain.messages.message_key import MessageKey, identified
from importer.domain.messages.normalise import fit_internaldate, instant_of
from importer.domain.planning.message_batches import batches
from importer.domain.reporting.verification import Compared, ComparedAs
from importer.engine.existing_mail import ExistingMail, Wanted
from importer.ports.mailbox import MailboxReader
from importer.ports.mailbox_errors import FolderUnusable

_BATCH_MESSAGES: Final = 100
_BATCH_BYTES: Final = 8 << 20
_NONE: Final = UidSet()


@dataclass(slots=True)
class _There:
    """One folder of the new mailbox. `judged`: messages whose flags and date were compared with those of a
    source message; further equal source messages are duplicates, of which there is one copy."""

    ref: FolderRef
    mail: ExistingMail
    judged: UidBitmap = field(default_factory=UidBitmap)


class MailboxComparison:
    """Both sides of a comparison; sessions that only read. Methods raise what the sessions raise."""

    def __init__(self, source: MailboxReader, destination: MailboxReader, now: datetime) -> None:
        self._source = source
        self._destination = destination
        self._now = now
        self._folders: dict[str, _There | None] = {}
        self.missing = UidSet()  # of the last `compare`, once it is exhausted
        self.digests: dict[Uid, bytes] = {}  # of the messages that the last `find_elsewhere` did not find

    def compare(
        self, source: FolderRef, uids: UidSet, destination: str, duplicates: UidSet = _NONE
    ) -> Iterator[Compared]:
        """Findings about these messages of one folder, lazily. Messages that the destination folder does not
        hold are left out; see `missing`. `duplicates`: equal to a message that was copied with flags and date
        of its own, so that theirs are not compared. `destination` is "" for a folder that has none."""
        there = self._there(destination) if destination else None
        self.missing = UidSet()
        for chunk in self._chunks(source, uids):
            if there is None:
                self.missing |= chunk
                continue
            yield from self._compared(source, chunk, there, duplicates)

    def find_elsewhere(self, source: FolderRef, uids: UidSet, besides: str) -> Mapping[Uid, tuple[str, Uid]]:
        """The places of these messages in other folders of the new mailbox: folder and UID by source UID."""
        found: dict[Uid, tuple[str, Uid]] = {}
        self.digests = {}
        others = [name for name in self._names() if name != besides]
        for chunk in self._chunks(source, uids):
            read, _ = self._read(source, chunk)
            for name in others:
                there = self._there(name)
                open_ = [(key, message) for key, message in read if key.uid not in found]
                if there is None or not open_:
                    continue
                matches = there.mail.find(self._destination, [_wanted(*one) for one in open_]).matches
                for key, _ in open_:
                    if key.digest in matches:
                        found[key.uid] = (name, matches[key.digest].uid)
            self.digests |= {key.uid: key.digest for key, _ in read if key.uid not in found}
        return found

    def _compared(
        self, source: FolderRef, chunk: UidSet, there: _There, duplicates: UidSet
    ) -> Iterator[Compared]:
        name = there.ref.name
        read, unread = self._read(source, chunk)
        for uid in unread:
            yield Compared(ComparedAs.UNREADABLE, source.name, uid, name)
        findings = there.mail.find(self._destination, [_wanted(*one) for one in read])
        taken = UidSet.of(match.uid for match in findings.matches.values())
        flags = dict(self._destination.flags(there.ref, taken)) if taken else {}
        dates = (
            {one.uid: one.internaldate for one in self._destination.outlines(there.ref, taken)}
            if taken
            else {}
        )
        missing: list[Uid] = []
        for key, message in read:
            match = findings.matches.get(key.digest)
            if match is not None:
                form = ComparedAs.KNOWN_FORM if match.changed else ComparedAs.SAME
                others = []
                judged = key.uid in duplicates or match.uid in there.judged
                if not judged and match.uid in flags:
                    there.judged.add(match.uid)
                    others = self._differences(key, message, flags[match.uid], dates.get(match.uid, ""))
                for finding in others or [form]:
                    yield Compared(finding, source.name, key.uid, name, match.uid)
            elif key.digest in findings.unknown:
                yield Compared(ComparedAs.UNREADABLE, source.name, key.uid, name)
            elif altered := there.mail.altered(key.header, taken):
                yield Compared(ComparedAs.CONTENT, source.name, key.uid, name, min(altered))
            else:
                missing.append(key.uid)
        self.missing |= UidSet.of(missing)

    def _differences(
        self, key: MessageKey, message: Message, flags: tuple[str, ...], date: str
    ) -> list[ComparedAs]:
        findings = []
        if touched(message.flags, flags):
            findings.append(ComparedAs.FLAGS)
        sent, _ = fit_internaldate(message.internaldate, key.header, self._now)
        if instant_of(sent) != instant_of(date):
            findings.append(ComparedAs.DATE)
        return findings

    def _chunks(self, source: FolderRef, uids: UidSet) -> Iterator[UidSet]:
        sizes = self._source.sizes(source, uids) if uids else ()
        for batch in batches(sizes, max_messages=_BATCH_MESSAGES, max_bytes=_BATCH_BYTES):
            yield batch.uids

    def _read(self, source: FolderRef, uids: UidSet) -> tuple[list[tuple[MessageKey, Message]], list[Uid]]:
        """The messages with CRLF line ends, by UID, and those that the server does not hand out."""
        read: list[tuple[MessageKey, Message]] = []
        unread: list[Uid] = []
        for message in self._source.messages(source, uids):
            if isinstance(message, NotHandedOut):
                unread.append(message.uid)
            else:
                read.append(identified(message))
        return sorted(read, key=lambda one: one[0].uid), unread

    def _there(self, name: str) -> _There | None:
        """None if there is no such folder."""
        if name not in self._folders:
            try:
                ref = self._destination.status(name).ref(name)
                mail = ExistingMail(self._destination, ref, self._destination.uids(ref))
                self._folders[name] = _There(ref, mail)
            except FolderUnusable:
                self._folders[name] = None
        return self._folders[name]

    def _names(self) -> list[str]:
        return [folder.name for folder in self._destination.folders() if folder.selectable]


def _wanted(key: MessageKey, message: Message) -> Wanted:
    return key.digest, key.header, message.body
