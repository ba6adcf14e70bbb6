"""Quirks of servers whose responses contradict each other, or the announced capabilities."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from itertools import count
from math import inf

from tests.rehearsal.quirks.hooks import MODERN
from tests.rehearsal.quirks.mail import Folder, Mailbox, Message
from tests.rehearsal.quirks.registry import quirk
from tests.rehearsal.quirks.session import Session
from tests.rehearsal.quirks.wire import InvalidCommand, Words, literal


@quirk("inbox-noselect")
class InboxNoselect(Session):
    r"""LIST reports INBOX as \Noselect; it can be opened."""

    def list_line(self, command: bytes, folder: Folder, returning: Sequence[object]) -> bytes:
        line = super().list_line(command, folder, returning)
        return line.replace(b"(", rb"(\Noselect ", 1) if folder is self.box.inbox else line


@quirk("exists-comes-later")
class ExistsComesLater(Session):
    """EXAMINE reports 0 EXISTS, and the response to the next command begins with the right number."""

    late = False

    def opening_lines(self, folder: Folder) -> list[bytes]:
        self.late = True
        told = b"%d EXISTS" % len(folder.messages)
        return [b"0 EXISTS" if line == told else line for line in super().opening_lines(folder)]

    def may_begin(self, tag: bytes, command: bytes) -> bool:
        if self.late and self.folder is not None:
            self.say(b"* %d EXISTS" % len(self.folder.messages))
        self.late = False
        return super().may_begin(tag, command)


@quirk("esearch-refused")
class EsearchRefused(Session):
    """ESEARCH is offered, and SEARCH with RETURN gets BAD."""

    def do_search(self, tag: bytes, arguments: Words, *, by_uid: bool = False) -> None:
        if arguments[0] == b"RETURN":
            raise InvalidCommand("unknown search key RETURN")
        super().do_search(tag, arguments, by_uid=by_uid)


@quirk("uid-search-answers-numbers")
class UidSearchAnswersNumbers(Session):
    """UID SEARCH answers with message numbers; RETURN is not offered."""

    def capabilities(self) -> bytes:
        return MODERN.replace(" ESEARCH", "").encode()

    def do_search(self, tag: bytes, arguments: Words, *, by_uid: bool = False) -> None:
        super().do_search(tag, arguments)


@quirk("fetch-answers-all")
class FetchAnswersAll(Session):
    """UID FETCH returns every message of the folder, independent of the requested set."""

    def do_fetch(self, tag: bytes, arguments: Words, *, by_uid: bool = False) -> None:
        super().do_fetch(tag, [b"1:*", *arguments[1:]], by_uid=by_uid)


@quirk("one-folder-for-each-connection")
class OneFolderForEachConnection(Session):
    """EXAMINE and SELECT get NO while another folder is open."""

    def may_begin(self, tag: bytes, command: bytes) -> bool:
        if command in (b"EXAMINE", b"SELECT") and self.folder is not None:
            self.no(tag, b"a folder is open already")
            return False
        return super().may_begin(tag, command)


@quirk("namespace-with-another-delimiter")
class NamespaceWithAnotherDelimiter(Session):
    """NAMESPACE reports a full stop as delimiter, LIST a slash."""

    def do_namespace(self, tag: bytes, _arguments: Words) -> None:
        self.say(b'* NAMESPACE (("" ".")) NIL NIL')
        self.ok(tag, b"NAMESPACE")


@quirk("list-attributes-without-parentheses")
class ListAttributesWithoutParentheses(Session):
    r"""LIST writes \HasNoChildren without parentheses."""

    def list_line(self, command: bytes, folder: Folder, returning: Sequence[object]) -> bytes:
        return rb"%s \HasNoChildren %s %s" % (command, self.delimiter(), self.list_name(folder))


@quirk("delimiter-not-quoted")
class DelimiterNotQuoted(Session):
    """LIST writes the delimiter as an atom."""

    def delimiter(self) -> bytes:
        return self.box.delimiter or b"NIL"


@quirk("literals-with-plus")
class LiteralsWithPlus(Session):
    """The server announces its literals in the form of LITERAL+."""

    def item_content(self, message: Message, section: bytes, content: bytes) -> bytes | None:
        return literal(content).replace(b"}", b"+}", 1)


@quirk("vanished-in-between")
class VanishedInBetween(Session):
    """VANISHED of UIDs that never existed is sent between the FETCH responses, although QRESYNC is off."""

    def fetched_one(self, message: Message) -> None:
        self.say(b"* VANISHED (EARLIER) 900:999")


@quirk("uidvalidity-of-64-bits")
class UidvalidityOf64Bits(Session):
    """UIDVALIDITY is a time in milliseconds."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        for folder in box.folders.values():
            folder.uidvalidity += 1_700_000_000_000


@quirk("uids-of-64-bits")
class UidsOf64Bits(Session):
    """UIDs have thirteen digits."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        for folder in box.folders.values():
            folder.renumber(2**40)


@quirk("uids-at-the-end")
class UidsAtTheEnd(Session):
    """The UIDs of INBOX are the highest possible ones."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        uids = count(2**32 - 1 - len(box.inbox.messages))
        for message in box.inbox.messages:
            message.uid = next(uids)
        box.inbox.uidnext = next(uids)


@quirk("uidvalidity-goes-back")
class UidvalidityGoesBack(Session):
    """On the second visit, the UIDVALIDITY of each folder is lower, as after a restore."""

    @classmethod
    def next_stage(cls, box: Mailbox, stage: int) -> None:
        for folder in box.folders.values():
            folder.uidvalidity -= 5


@quirk("uidvalidity-changes-while-storing")
class UidvalidityChangesWhileStoring(Session):
    """At a destination: INBOX gets a new UIDVALIDITY with its fifth message, and its messages new UIDs."""

    def store(self, folder: Folder, body: bytes, flags: Iterable[bytes], date: str) -> int:
        if folder is self.box.inbox and len(folder.messages) == 4 and folder.uidvalidity < 1000:
            folder.uidvalidity += 1000
            for uid, message in enumerate(folder.messages, 1):
                message.uid = uid
        return super().store(folder, body, flags, date)


@quirk("multiappend-keeps-the-first")
class MultiappendKeepsTheFirst(Session):
    """At a destination: MULTIAPPEND gets OK with one UID, and only the first message is stored."""

    _first_of: int | None = None

    def do_append(self, tag: bytes, arguments: Words) -> None:
        self._first_of = None
        super().do_append(tag, arguments)

    def store(self, folder: Folder, body: bytes, flags: Iterable[bytes], date: str) -> int:
        if self._first_of is None:
            self._first_of = super().store(folder, body, flags, date)
        return self._first_of

    def append_code(self, folder: Folder, uids: list[int]) -> bytes:
        return super().append_code(folder, uids[:1])


@quirk("shown-after-a-while")
class ShownAfterAWhile(Session):
    """At a destination: no connection sees a message in the first three seconds after it was stored. A
    further run sees all messages, however soon it starts."""

    def store(self, folder: Folder, body: bytes, flags: Iterable[bytes], date: str) -> int:
        uid = folder.uidnext
        folder.uidnext += 1
        stored = folder, Message(uid, body, list(flags), date)
        _unseen(self.box).append((time.monotonic() + 3, *stored))
        return uid

    def may_begin(self, tag: bytes, command: bytes) -> bool:
        with self.box.lock:
            _show(self.box, time.monotonic())
        return super().may_begin(tag, command)

    @classmethod
    def next_stage(cls, box: Mailbox, stage: int) -> None:
        _show(box, inf)


def _unseen(box: Mailbox) -> list[tuple[float, Folder, Message]]:
    """The messages that are not visible yet, with the time from which they are, and the folder."""
    unseen: list[tuple[float, Folder, Message]] = box.__dict__.setdefault("unseen", [])
    return unseen


def _show(box: Mailbox, now: float) -> None:
    for one in [one for one in _unseen(box) if one[0] <= now]:
        _unseen(box).remove(one)
        one[1].messages.append(one[2])


@quirk("filter-removes-mail")
class FilterRemovesMail(Session):
    """At a destination: a message appended to INBOX is deleted immediately; no UIDPLUS."""

    def capabilities(self) -> bytes:
        return MODERN.replace(" UIDPLUS", "").encode()

    def store(self, folder: Folder, body: bytes, flags: Iterable[bytes], date: str) -> int:
        return 0 if folder is self.box.inbox else super().store(folder, body, flags, date)
