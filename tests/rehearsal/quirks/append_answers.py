"""Quirks of APPEND: its literal, its response, and messages that are stored in another form or place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import ClassVar

from tests.rehearsal.quirks.hooks import PLAIN
from tests.rehearsal.quirks.mail import Folder, Mailbox
from tests.rehearsal.quirks.registry import quirk
from tests.rehearsal.quirks.session import Session
from tests.rehearsal.quirks.storing import _WithWelcomeMail
from tests.rehearsal.quirks.wire import HangUp, InvalidCommand, Words, as_set

_SIZE = re.compile(rb"\{([0-9]+)(\+?)\}\Z")


class _BeforeTheLiteral(Session):
    """Answers the announcement of an APPEND literal before the literal is sent."""

    def capabilities(self) -> bytes:
        return b"IMAP4rev1 AUTH=PLAIN NAMESPACE UNSELECT UIDPLUS"

    def refusal(self, line: bytes, size: int) -> bytes:
        return b""

    def read_command(self) -> list[bytes]:
        while True:
            line = self.read_line()
            size = _SIZE.search(line)
            refused = self.refusal(line, int(size[1])) if size and b" APPEND " in line else b""
            if not refused:
                self._input[:0] = line + b"\r\n"
                return super().read_command()
            self.say(line.partition(b" ")[0] + b" " + refused)


@quirk("literal-refused-by-size")
class LiteralRefusedBySize(_BeforeTheLiteral):
    """At a destination: a literal of more than 700 bytes gets NO [TOOBIG] instead of the continuation
    request; no capability announces the limit."""

    def refusal(self, line: bytes, size: int) -> bytes:
        return b"NO [TOOBIG] message exceeds the limit of this server" if size > 700 else b""


@quirk("literal-refused-at-first")
class LiteralRefusedAtFirst(_BeforeTheLiteral):
    """At a destination: the first literal for each folder gets NO [INUSE] instead of the continuation
    request."""

    seen: ClassVar[set[bytes]] = set()

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        cls.seen = set()

    def refusal(self, line: bytes, size: int) -> bytes:
        name = line.split(b" ")[2]
        if name in self.seen:
            return b""
        self.seen.add(name)
        return b"NO [INUSE] mailbox is locked"


@quirk("literal-minus")
class LiteralMinus(Session):
    """At a destination: LITERAL- is offered (RFC 7888); a non-synchronizing literal of more than 4096
    bytes ends the connection."""

    def capabilities(self) -> bytes:
        return PLAIN.replace("LITERAL+", "LITERAL-").encode()

    def accept_literal(self, line: bytes, *, synchronizing: bool) -> None:
        size = _SIZE.search(line)
        if not synchronizing and size and int(size[1]) > 4096:
            self.say(b"* BYE [TOOBIG] literal is too large")
            raise HangUp
        super().accept_literal(line, synchronizing=synchronizing)


@quirk("overquota-after-five")
class OverquotaAfterFive(Session):
    """At a destination: there is room for five messages; each further one gets NO [OVERQUOTA]."""

    def why_not_stored(self, folder: Folder, body: bytes, flags: Sequence[bytes]) -> bytes:
        if sum(len(one.messages) for one in self.box.folders.values()) >= 5:
            return b"NO [OVERQUOTA] Quota exceeded (mailbox for user is full)"
        return super().why_not_stored(folder, body, flags)

    def capabilities(self) -> bytes:
        return PLAIN.encode()


@quirk("overquota-in-plain-words")
class OverquotaInPlainWords(OverquotaAfterFive):
    """The same, without a response code."""

    def why_not_stored(self, folder: Folder, body: bytes, flags: Sequence[bytes]) -> bytes:
        refused = super().why_not_stored(folder, body, flags)
        return b"NO Mailbox is full" if refused else b""


@quirk("dates-refused")
class DatesRefused(Session):
    """At a destination: an APPEND with a date gets BAD."""

    def do_append(self, tag: bytes, arguments: Words) -> None:
        if any(isinstance(word, bytes) and re.match(rb"[ 0-9]?[0-9]-[A-Z]", word) for word in arguments[1:]):
            raise InvalidCommand("invalid date-time")
        super().do_append(tag, arguments)

    def capabilities(self) -> bytes:
        return PLAIN.encode()


@quirk("flags-refused")
class FlagsRefused(Session):
    """At a destination: an APPEND with any flag gets BAD."""

    def why_not_stored(self, folder: Folder, body: bytes, flags: Sequence[bytes]) -> bytes:
        return b"BAD flags are not known here" if flags else super().why_not_stored(folder, body, flags)


@quirk("keywords-beyond-the-limit")
class KeywordsBeyondTheLimit(Session):
    r"""At a destination: PERMANENTFLAGS ends in \*, and a message with keywords gets NO [LIMIT]."""

    def why_not_stored(self, folder: Folder, body: bytes, flags: Sequence[bytes]) -> bytes:
        if any(not flag.startswith(b"\\") for flag in flags):
            return b"NO [LIMIT] too many user-defined flags in mailbox"
        return super().why_not_stored(folder, body, flags)


@quirk("permanentflags-empty")
class PermanentflagsEmpty(Session):
    """At a destination: PERMANENTFLAGS is empty, and messages are stored without flags."""

    def permanent_flags(self, folder: Folder) -> bytes:
        return b""

    def store(self, folder: Folder, body: bytes, flags: Iterable[bytes], date: str) -> int:
        return super().store(folder, body, (), date)


@quirk("permanentflags-left-out")
class PermanentflagsLeftOut(Session):
    """At a destination: SELECT sends neither FLAGS nor PERMANENTFLAGS."""

    def opening_lines(self, folder: Folder) -> list[bytes]:
        return [line for line in super().opening_lines(folder) if b"FLAGS" not in line]


@quirk("appenduid-one-too-low")
class AppenduidOneTooLow(_WithWelcomeMail):
    """At a destination: APPENDUID is one too low, and so denotes another message. INBOX initially has one
    message."""

    def append_code(self, folder: Folder, uids: list[int]) -> bytes:
        return b"[APPENDUID %d %s] " % (folder.uidvalidity, as_set(max(1, uid - 1) for uid in uids))


@quirk("appenduid-of-another-folder")
class AppenduidOfAnotherFolder(Session):
    """At a destination: APPENDUID has a UIDVALIDITY other than the folder's."""

    def append_code(self, folder: Folder, uids: list[int]) -> bytes:
        return b"[APPENDUID %d %s] " % (folder.uidvalidity + 77, as_set(uids))


@quirk("appenduid-always-one")
class AppenduidAlwaysOne(Session):
    """At a destination: APPENDUID is 1 for every message; MULTIAPPEND is not offered."""

    def capabilities(self) -> bytes:
        return PLAIN.encode()

    def append_code(self, folder: Folder, uids: list[int]) -> bytes:
        return b"[APPENDUID %d 1] " % folder.uidvalidity


@quirk("append-no-and-alert")
class AppendNoAndAlert(Session):
    """At a destination: a message of Sent gets NO [ALERT] with a text for its owner, each time."""

    def why_not_stored(self, folder: Folder, body: bytes, flags: Sequence[bytes]) -> bytes:
        if folder.name == b"Sent":
            return b"NO [ALERT] Mail to this folder is disabled by your administrator"
        return super().why_not_stored(folder, body, flags)


@quirk("adds-a-line")
class AddsALine(Session):
    """At a destination: each message is stored with one more header field, different for each message."""

    def store(self, folder: Folder, body: bytes, flags: Iterable[bytes], date: str) -> int:
        return super().store(folder, b"X-Stored: %d\r\n" % folder.uidnext + body, flags, date)


@quirk("no-uidplus")
class NoUidplus(Session):
    """At a destination: UIDPLUS is not offered; MULTIAPPEND is."""

    def capabilities(self) -> bytes:
        return b"IMAP4rev1 LITERAL+ AUTH=PLAIN NAMESPACE UNSELECT MULTIAPPEND"


@quirk("filter-moves-mail")
class FilterMovesMail(Session):
    """At a destination: a message appended to INBOX is moved into Filtered immediately."""

    def store(self, folder: Folder, body: bytes, flags: Iterable[bytes], date: str) -> int:
        if folder is not self.box.inbox:
            return super().store(folder, body, flags, date)
        (self.box.find(b"Filtered") or self.box.create(b"Filtered")).add(body, flags, date)
        folder.uidnext += 1
        return folder.uidnext - 1
