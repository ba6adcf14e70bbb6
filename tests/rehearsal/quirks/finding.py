"""Quirks of UIDs and of commands that find messages."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tests.rehearsal.quirks.hooks import PLAIN
from tests.rehearsal.quirks.mail import Folder, Mailbox, Message, fill, internaldate, letter
from tests.rehearsal.quirks.registry import quirk
from tests.rehearsal.quirks.session import Session
from tests.rehearsal.quirks.wire import InvalidCommand, Words


@quirk("esearch-names-nobody", "codefuturist/email-mcp#91")
class EsearchNamesNobody(Session):
    """ESEARCH responses never have ALL, even if there are messages."""

    def esearch_items(self, numbers: list[int], returning: Sequence[bytes]) -> bytes:
        return b""

    @classmethod
    def next_stage(cls, box: Mailbox, stage: int) -> None:
        fill(box, b"INBOX", 1, first=900 + stage)


@quirk("uid-fetch-names-nobody", "maathimself/mailflow#472")
class UidFetchNamesNobody(Session):
    """UID FETCH of UIDs alone, over an open range, returns no message; ESEARCH is not offered."""

    def capabilities(self) -> bytes:
        return PLAIN.encode()

    def do_fetch(self, tag: bytes, arguments: Words, *, by_uid: bool = False) -> None:
        if by_uid and arguments[0].endswith(b"*"):
            self.opened()
            return self.ok(tag, b"FETCH")
        return super().do_fetch(tag, arguments, by_uid=by_uid)

    @classmethod
    def next_stage(cls, box: Mailbox, stage: int) -> None:
        fill(box, b"INBOX", 1, first=900 + stage)


@quirk("high-uids", "codefuturist/email-mcp#91")
class HighUids(Session):
    """UIDs are far above the number of messages, so that a client has to search for them."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        for folder in box.folders.values():
            folder.renumber(5001)


@quirk("uidnext-goes-back", "chatmail/core#2188")
class UidnextGoesBack(Session):
    """Between two visits, INBOX is renumbered from 1 and gets another message; UIDVALIDITY stays."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        box.inbox.renumber(492)

    @classmethod
    def next_stage(cls, box: Mailbox, stage: int) -> None:
        box.inbox.renumber(1)
        fill(box, b"INBOX", 1, first=900 + stage)


@quirk("uidnext-goes-back-onto-old-uids", "chatmail/core#2188")
class UidnextGoesBackOntoOldUids(Session):
    """INBOX has forty messages. Between two visits, all except eight are removed, the others are renumbered
    from 1, and a new message gets UID 9, which denoted another message before. UIDVALIDITY stays."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        fill(box, b"INBOX", 32, first=10_001)

    @classmethod
    def next_stage(cls, box: Mailbox, stage: int) -> None:
        del box.inbox.messages[:-8]
        box.inbox.renumber(1)
        fill(box, b"INBOX", 1, first=900 + stage)


@quirk("uidnext-far-ahead", "rustmailer/bichon#342")
class UidnextFarAhead(Session):
    """UIDNEXT is far above the highest UID."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        for folder in box.folders.values():
            folder.uidnext += 70_000


@quirk("uids-swap-contents", "ProtonMail/proton-bridge#220")
class UidsSwapContents(Session):
    """Between two visits, UIDs 1 and 2 of INBOX swap their contents; all numbers stay."""

    @classmethod
    def next_stage(cls, box: Mailbox, stage: int) -> None:
        first, second = box.inbox.messages[:2]
        first.body, second.body = second.body, first.body


@quirk("uid-zero", "rnwood/smtp4dev#2116")
class UidZero(Session):
    """An additional message in INBOX has the UID 0."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        box.inbox.messages.insert(0, Message(0, letter(990, "zero"), [], internaldate(1)))


@quirk("empty-folder-refuses-search", "ProtonMail/gluon#478")
class EmptyFolderRefusesSearch(Session):
    """SEARCH and FETCH get NO in an empty folder; LSUB does not list INBOX."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        box.create(b"Empty")

    def may_begin(self, tag: bytes, command: bytes) -> bool:
        if command in (b"UID SEARCH", b"UID FETCH", b"SEARCH", b"FETCH") and not self.view:
            self.no(tag, b"there is nothing here")
            return False
        return super().may_begin(tag, command)

    def list_folders(self, command: bytes, returning: Sequence[object]) -> list[Folder]:
        found = super().list_folders(command, returning)
        return [folder for folder in found if command != b"LSUB" or folder is not self.box.inbox]


@quirk("no-descending-sets", "modern-email/defects#40")
class NoDescendingSets(Session):
    """A sequence set that is not ascending gets BAD."""

    def chosen(self, text: bytes, *, by_uid: bool) -> list[tuple[int, Message]]:
        numbers = [int(number) for number in re.findall(rb"[0-9]+", text)]
        if numbers != sorted(numbers):
            raise InvalidCommand("numbers have to ascend")
        return super().chosen(text, by_uid=by_uid)


@quirk("every-message-twice", "OfflineIMAP/offlineimap#676")
class EveryMessageTwice(Session):
    """SEARCH and FETCH return each message twice."""

    def found_by_search(self, messages: list[Message]) -> list[Message]:
        return [message for message in messages for _ in range(2)]

    def esearch_items(self, numbers: list[int], returning: Sequence[bytes]) -> bytes:
        return b" ALL " + b",".join(b"%d" % number for number in numbers) if numbers else b""

    def fetch_lines(self, number: int, message: Message, items: list[tuple[bytes, bytes]]) -> bytes:
        return super().fetch_lines(number, message, items) * 2


@quirk("search-in-pieces", "mjl-/mox#389")
class SearchInPieces(Session):
    """SEARCH responds in lines of three numbers, and FETCH of UIDs alone returns no message."""

    def capabilities(self) -> bytes:
        return PLAIN.encode()

    def search_lines(self, numbers: list[int]) -> None:
        for start in range(0, len(numbers), 3):
            super().search_lines(numbers[start : start + 3])

    def fetch_one(self, number: int, message: Message, items: list[bytes]) -> None:
        if items != [b"UID"]:
            super().fetch_one(number, message, items)


@quirk("listed-and-not-fetched", "OfflineIMAP/offlineimap#62")
class ListedAndNotFetched(Session):
    """One message is counted, and every command that finds UIDs returns it; FETCH of its items returns
    nothing."""

    def fetch_one(self, number: int, message: Message, items: list[bytes]) -> None:
        if self.folder is not self.box.inbox or message.uid != 4 or items == [b"UID"]:
            super().fetch_one(number, message, items)


@quirk("expunged-while-fetching", "hmailserver/hmailserver#458")
class ExpungedWhileFetching(Session):
    """A message disappears while the contents of those before it are sent."""

    def fetch_lines(self, number: int, message: Message, items: list[tuple[bytes, bytes]]) -> bytes:
        lines = super().fetch_lines(number, message, items)
        inbox = self.box.inbox
        wants_content = any(name == b"BODY[]" for name, _ in items)
        gone = [one for one in inbox.messages if one.uid == 5]
        if self.folder is inbox and message.uid == 3 and wants_content and gone:
            inbox.messages.remove(gone[0])
            self.view.remove(gone[0])
            self._gone = gone[0]
            lines += b"* 5 EXPUNGE\r\n"
        return b"" if message is getattr(self, "_gone", None) else lines
