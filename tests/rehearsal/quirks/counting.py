"""Quirks of inconsistent numbers: EXISTS, STATUS, UIDNEXT, UIDs, and the responses of FETCH and SEARCH."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from tests.rehearsal.quirks.hooks import PLAIN
from tests.rehearsal.quirks.mail import Folder, Mailbox, Message
from tests.rehearsal.quirks.registry import quirk
from tests.rehearsal.quirks.session import Session
from tests.rehearsal.quirks.wire import HangUp, InvalidCommand, Words

MOST = 5


@quirk("status-refused")
class StatusRefused(Session):
    """STATUS of every folder gets BAD, and LIST-STATUS is not offered; EXAMINE works."""

    def capabilities(self) -> bytes:
        return PLAIN.encode()

    def do_status(self, tag: bytes, arguments: Words) -> None:
        raise InvalidCommand("unknown command")


@quirk("status-numbers-odd")
class StatusNumbersOdd(Session):
    """STATUS returns -1 for MESSAGES, and 0 for UIDNEXT and UIDVALIDITY; EXAMINE returns the right values."""

    def status_numbers(self, folder: Folder) -> dict[bytes, bytes]:
        return {b"MESSAGES": b"-1", b"RECENT": b"0", b"UIDNEXT": b"0", b"UIDVALIDITY": b"0", b"UNSEEN": b"-1"}


@quirk("exists-left-out")
class ExistsLeftOut(Session):
    """SELECT and EXAMINE do not send EXISTS; STATUS returns MESSAGES."""

    def opening_lines(self, folder: Folder) -> list[bytes]:
        return [line for line in super().opening_lines(folder) if not line.endswith(b" EXISTS")]


@quirk("exists-counts-ghosts")
class ExistsCountsGhosts(Session):
    """STATUS and EXAMINE of INBOX count two messages more than any command can find."""

    def status_numbers(self, folder: Folder) -> dict[bytes, bytes]:
        more = 2 * (folder is self.box.inbox)
        return {**super().status_numbers(folder), b"MESSAGES": b"%d" % (len(folder.messages) + more)}

    def opening_lines(self, folder: Folder) -> list[bytes]:
        more = 2 * (folder is self.box.inbox)
        count = b"%d EXISTS" % (len(folder.messages) + more)
        return [count if line.endswith(b" EXISTS") else line for line in super().opening_lines(folder)]


@quirk("exists-shrinks")
class ExistsShrinks(Session):
    """During FETCH of contents, EXISTS decreases without any EXPUNGE; the messages stay."""

    def fetch_lines(self, number: int, message: Message, items: list[tuple[bytes, bytes]]) -> bytes:
        lines = super().fetch_lines(number, message, items)
        return lines + b"* %d EXISTS\r\n" % max(1, number - 1) if _has_content(items) else lines


@quirk("expunge-of-nothing")
class ExpungeOfNothing(Session):
    """During FETCH, the server sends EXPUNGE 0 and EXPUNGE of a message number that does not exist."""

    def fetch_lines(self, number: int, message: Message, items: list[tuple[bytes, bytes]]) -> bytes:
        nothing = b"* 0 EXPUNGE\r\n* %d EXPUNGE\r\n" % (len(self.view) + 40)
        return nothing + super().fetch_lines(number, message, items)


@quirk("uidnext-too-low")
class UidnextTooLow(Session):
    """UIDNEXT is 2 in every folder, in STATUS and EXAMINE, independent of the highest UID."""

    def status_numbers(self, folder: Folder) -> dict[bytes, bytes]:
        return {**super().status_numbers(folder), b"UIDNEXT": b"2"}

    def opening_lines(self, folder: Folder) -> list[bytes]:
        return [
            b"OK [UIDNEXT 2] next" if b"UIDNEXT" in line else line for line in super().opening_lines(folder)
        ]


@quirk("uids-descending")
class UidsDescending(Session):
    """UIDs descend: the first message has the highest. SEARCH and FETCH respond in the order of message
    numbers."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        for folder in box.folders.values():
            for message, uid in zip(folder.messages, range(len(folder.messages), 0, -1), strict=True):
                message.uid = uid

    def esearch_items(self, numbers: list[int], returning: Sequence[bytes]) -> bytes:
        return b" ALL " + b",".join(b"%d" % number for number in numbers) if numbers else b""


@quirk("uids-repeated")
class UidsRepeated(Session):
    """Two messages of INBOX have the same UID."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        box.inbox.messages[3].uid = box.inbox.messages[2].uid


@quirk("uids-never-told")
class UidsNeverTold(Session):
    """UID FETCH responses have no UID."""

    def item_uid(self, message: Message) -> bytes | None:
        return None


@quirk("answers-five-at-most")
class AnswersFiveAtMost(Session):
    """FETCH and SEARCH return only the first five of the requested messages, and end with OK."""

    def chosen(self, text: bytes, *, by_uid: bool) -> list[tuple[int, Message]]:
        return super().chosen(text, by_uid=by_uid)[:MOST]

    def found_by_search(self, messages: list[Message]) -> list[Message]:
        return messages[:MOST]


@quirk("esearch-names-five")
class EsearchNamesFive(Session):
    """ESEARCH counts all messages, and ALL names the first five."""

    def esearch_items(self, numbers: list[int], returning: Sequence[bytes]) -> bytes:
        return b" COUNT %d" % len(numbers) + super().esearch_items(numbers[:MOST], [b"ALL"])


@quirk("esearch-without-tag")
class EsearchWithoutTag(Session):
    """ESEARCH responses have neither tag nor UID before their results."""

    def say(self, line: bytes) -> None:
        if line.startswith(b"* ESEARCH (TAG"):
            line = b"* ESEARCH" + line.partition(b")")[2].removeprefix(b" UID")
        super().say(line)


@quirk("search-without-answer")
class SearchWithoutAnswer(Session):
    """SEARCH ends with OK and returns nothing; ESEARCH is not offered."""

    def capabilities(self) -> bytes:
        return PLAIN.encode()

    def search_lines(self, numbers: list[int]) -> None:
        pass


@quirk("fetch-ends-with-no")
class FetchEndsWithNo(Session):
    """FETCH of contents returns all messages except one, UID 4 of INBOX, and ends with NO."""

    def ended_well(self, tag: bytes, command: bytes, text: bytes) -> None:
        if command == b"FETCH" and self.lacked:
            self.lacked = False
            self.no(tag, b"[SERVERBUG] some messages could not be read")
        else:
            super().ended_well(tag, command, text)

    lacked = False

    def fetch_one(self, number: int, message: Message, items: list[bytes]) -> None:
        content = any(item.startswith((b"BODY", b"RFC822")) and item != b"RFC822.SIZE" for item in items)
        if content and self.folder is self.box.inbox and message.uid == 4:
            self.lacked = True
            return
        super().fetch_one(number, message, items)


@quirk("bye-and-silence")
class ByeAndSilence(Session):
    """The first FETCH of contents sends BYE after three messages. That connection stays open and sends
    nothing more. Later connections work."""

    said: ClassVar[bool] = False
    given = 0

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        cls.said = False

    def fetch_lines(self, number: int, message: Message, items: list[tuple[bytes, bytes]]) -> bytes:
        self.given += _has_content(items)
        lines = super().fetch_lines(number, message, items)
        if type(self).said or self.given < 3:
            return lines
        type(self).said = True
        self.say_raw(lines + b"* BYE the server goes down for maintenance\r\n")
        self.flush()
        self.read_exactly(1_000_000)
        raise HangUp


@quirk("uidvalidity-of-each-connection")
class UidvalidityOfEachConnection(Session):
    """UIDVALIDITY differs on each connection; the UIDs stay."""

    def status_numbers(self, folder: Folder) -> dict[bytes, bytes]:
        told = super().status_numbers(folder)
        return {**told, b"UIDVALIDITY": b"%d" % (folder.uidvalidity + 1000 * self.number)}

    def opening_lines(self, folder: Folder) -> list[bytes]:
        number = b"OK [UIDVALIDITY %d] this time" % (folder.uidvalidity + 1000 * self.number)
        return [number if b"UIDVALIDITY" in line else line for line in super().opening_lines(folder)]

    def append_code(self, folder: Folder, uids: list[int]) -> bytes:
        return b""


@quirk("sizes-of-one")
class SizesOfOne(Session):
    """RFC822.SIZE is 1, and the content is complete."""

    def item_size(self, message: Message) -> bytes | None:
        return b"1"


@quirk("flags-in-odd-spellings")
class FlagsInOddSpellings(Session):
    r"""Flags are in lower case, duplicated, with \* and an empty string among them."""

    def item_flags(self, message: Message) -> bytes | None:
        told = [flag.lower() if flag.startswith(b"\\") else flag for flag in sorted(message.flags)]
        return b"(" + b" ".join([*told, *told, rb"\*", b'""']) + b")"


def _has_content(items: list[tuple[bytes, bytes]]) -> bool:
    return any(name.startswith(b"BODY[") for name, _ in items)


@quirk("status-overflows")
class StatusOverflows(Session):
    """STATUS reports -1 as an unsigned number for MESSAGES and UIDNEXT; EXAMINE is right."""

    def status_numbers(self, folder: Folder) -> dict[bytes, bytes]:
        return super().status_numbers(folder) | {b"MESSAGES": b"4294967295", b"UIDNEXT": b"4294967295"}


@quirk("status-negative")
class StatusNegative(Session):
    """STATUS reports 0 messages and a UIDNEXT below 0; EXAMINE is right."""

    def status_numbers(self, folder: Folder) -> dict[bytes, bytes]:
        return super().status_numbers(folder) | {b"MESSAGES": b"0", b"UIDNEXT": b"-2147483648"}


@quirk("exists-overflows")
class ExistsOverflows(Session):
    """EXAMINE and SELECT report -1 as an unsigned number for EXISTS; STATUS is right."""

    def opening_lines(self, folder: Folder) -> list[bytes]:
        return [b"4294967295 EXISTS" if b"EXISTS" in line else line for line in super().opening_lines(folder)]


@quirk("exists-of-the-folder-before", "(RFC 7162 section 3.2.11)")
class ExistsOfTheFolderBefore(Session):
    """The OK of EXAMINE and SELECT follows `0 EXISTS`, which belongs to the folder that was open before."""

    def opening_lines(self, folder: Folder) -> list[bytes]:
        return [*super().opening_lines(folder), b"OK [CLOSED] the last folder is closed", b"0 EXISTS"]


@quirk("status-with-another-uidvalidity")
class StatusWithAnotherUidvalidity(Session):
    """STATUS reports another UIDVALIDITY than EXAMINE and SELECT, always the same one."""

    def status_numbers(self, folder: Folder) -> dict[bytes, bytes]:
        return super().status_numbers(folder) | {b"UIDVALIDITY": b"%d" % (folder.uidvalidity + 500)}
