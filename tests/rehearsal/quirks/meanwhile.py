"""Quirks of concurrent changes: mail and folders that appear, disappear and change while a client works."""

from __future__ import annotations

from typing import ClassVar

from tests.rehearsal.quirks.mail import Folder, Mailbox, Message, internaldate, letter
from tests.rehearsal.quirks.registry import quirk
from tests.rehearsal.quirks.session import Session


@quirk("mail-arrives-while-fetching")
class MailArrivesWhileFetching(Session):
    """A message arrives in INBOX while its contents are fetched, and EXISTS reports it between the
    responses."""

    arrived: ClassVar[bool] = False

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        cls.arrived = False

    def fetch_lines(self, number: int, message: Message, items: list[tuple[bytes, bytes]]) -> bytes:
        line = super().fetch_lines(number, message, items)
        if type(self).arrived or self.folder is not self.box.inbox or len(line) < 500:
            return line
        type(self).arrived = True
        self.box.inbox.add(letter(990, "late"), [], internaldate(3))
        return line + b"* %d EXISTS\r\n* 1 RECENT\r\n" % len(self.box.inbox.messages)


@quirk("folder-renamed-meanwhile")
class FolderRenamedMeanwhile(Session):
    """Another client renames Projects to Projects-2 as soon as the content of INBOX is fetched."""

    def fetch_lines(self, number: int, message: Message, items: list[tuple[bytes, bytes]]) -> bytes:
        line = super().fetch_lines(number, message, items)
        if b"Projects" in self.box.folders and len(line) > 500:
            self.box.rename(b"Projects", b"Projects-2")
        return line


@quirk("renumbered-while-fetching")
class RenumberedWhileFetching(Session):
    """INBOX is rebuilt after the first three contents: another UIDVALIDITY, other UIDs for the same mail, and
    `* OK [UIDVALIDITY n]` in between; the following responses have the new UIDs."""

    given = 0
    rebuilt: ClassVar[bool] = False

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        cls.rebuilt = False

    def fetch_lines(self, number: int, message: Message, items: list[tuple[bytes, bytes]]) -> bytes:
        line = super().fetch_lines(number, message, items)
        if self.folder is not self.box.inbox or len(line) < 500 or type(self).rebuilt:
            return line
        self.given += 1
        if self.given == 3:
            type(self).rebuilt = True
            self.folder.uidvalidity += 1000
            self.folder.messages.reverse()
            self.folder.renumber(1)
            line += b"* OK [UIDVALIDITY %d] rebuilt\r\n" % self.folder.uidvalidity
        return line


@quirk("folder-removed-while-storing")
class FolderRemovedWhileStoring(Session):
    """At a destination: another client deletes Sent, once, as soon as it contains a message."""

    removed: ClassVar[bool] = False

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        cls.removed = False

    def append_code(self, folder: Folder, uids: list[int]) -> bytes:
        code = super().append_code(folder, uids)
        if folder.name == b"Sent" and not type(self).removed:
            type(self).removed = True
            del self.box.folders[b"Sent"]
        return code


@quirk("others-store-meanwhile")
class OthersStoreMeanwhile(Session):
    """At a destination: after each APPEND another client stores a message of its own into that folder."""

    others = 0

    def append_code(self, folder: Folder, uids: list[int]) -> bytes:
        code = super().append_code(folder, uids)
        self.others += 1
        folder.add(letter(self.others, f"other {self.number} {folder.name.decode()}"), [], internaldate(3))
        return code


@quirk("mail-arrives-between-runs")
class MailArrivesBetweenRuns(Session):
    """INBOX gets a message between two runs."""

    @classmethod
    def next_stage(cls, box: Mailbox, stage: int) -> None:
        box.inbox.add(letter(970 + stage, "between"), [], internaldate(4))


@quirk("mailbox-made-anew")
class MailboxMadeAnew(Session):
    """At a destination: between two runs the mailbox is deleted and created again, and gets mail. The server
    numbers the folders of each mailbox alike."""

    @classmethod
    def next_stage(cls, box: Mailbox, stage: int) -> None:
        old, box.folders = box.folders, {}
        for name in (b"INBOX", b"Sent"):
            box.create(name).uidvalidity = old[name].uidvalidity
            for number in range(3 * (name == b"INBOX")):
                box.folders[name].add(letter(number, "new mailbox"), [], internaldate(number))


@quirk("folder-made-anew")
class FolderMadeAnew(Session):
    """At a destination: between two runs INBOX is emptied and gets another mailbox's mail, of fewer messages;
    the server numbers it from 1, and its UIDVALIDITY stays."""

    @classmethod
    def next_stage(cls, box: Mailbox, stage: int) -> None:
        box.inbox.messages.clear()
        box.inbox.uidnext = 1
        for number in range(5):
            box.inbox.add(letter(number, "another"), [], internaldate(number))


@quirk("restored-and-grown")
class RestoredAndGrown(Session):
    """Between two runs INBOX is restored from a backup that lacks its last three messages, and six others
    arrive, with UIDs that were assigned before."""

    @classmethod
    def next_stage(cls, box: Mailbox, stage: int) -> None:
        inbox = box.inbox
        del inbox.messages[-3:]
        inbox.uidnext -= 3
        for number in range(6):
            inbox.add(letter(40 + number, "after the restoration"), [], internaldate(20 + number))
