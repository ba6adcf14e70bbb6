"""Quirks of successful APPEND: its response, and the stored message."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable

from tests.rehearsal.quirks.hooks import PLAIN
from tests.rehearsal.quirks.mail import Folder, Mailbox, fill
from tests.rehearsal.quirks.registry import quirk
from tests.rehearsal.quirks.session import Session
from tests.rehearsal.quirks.wire import Words, as_set


@quirk("appenduid-swapped", "mguessan/davmail#315")
class AppenduidSwapped(Session):
    """At a destination: the two numbers of APPENDUID are swapped; messages are stored one at a time."""

    def capabilities(self) -> bytes:
        return PLAIN.encode()

    def append_code(self, folder: Folder, uids: list[int]) -> bytes:
        return b"[APPENDUID %d %d] " % (uids[0], folder.uidvalidity)


@quirk("appenduid-zero", "mguessan/davmail#315")
class AppenduidZero(Session):
    """At a destination: APPENDUID gives the folder's number as 0."""

    def append_code(self, folder: Folder, uids: list[int]) -> bytes:
        return b"[APPENDUID 0 %s] " % as_set(uids)


@quirk("appenduid-none", "OfflineIMAP/offlineimap#455")
class AppenduidNone(Session):
    """At a destination: APPENDUID has a word in place of the UID."""

    def append_code(self, folder: Folder, uids: list[int]) -> bytes:
        return b"[APPENDUID %d none] " % folder.uidvalidity


@quirk("appenduid-on-a-line-of-its-own", "ruby/net-imap#250")
class AppenduidOnALineOfItsOwn(Session):
    """At a destination: the response code of APPEND is on a separate line, with neither tag nor asterisk,
    before the OK."""

    def ended_well(self, tag: bytes, command: bytes, text: bytes) -> None:
        code, bracket, rest = text.partition(b"] ")
        if command == b"APPEND" and bracket:
            self.say(code + b"]")
            text = rest
        super().ended_well(tag, command, text)


@quirk("stores-one-at-a-time", "jstedfast/MailKit#251")
class StoresOneAtATime(Session):
    """At a destination: MULTIAPPEND is not offered."""

    def capabilities(self) -> bytes:
        return PLAIN.encode()


@quirk("sent-mail-dropped", "ProtonMail/proton-bridge#2")
class SentMailDropped(Session):
    """At a destination: APPEND into Sent gets OK without APPENDUID, and the message is not stored."""

    def store(self, folder: Folder, body: bytes, flags: Iterable[bytes], date: str) -> int:
        return 0 if folder.name == b"Sent" else super().store(folder, body, flags, date)

    def append_code(self, folder: Folder, uids: list[int]) -> bytes:
        return b"" if folder.name == b"Sent" else super().append_code(folder, uids)


@quirk("one-message-for-each-id", "cyrusimap/cyrus-imapd#3847")
class OneMessageForEachId(Session):
    """At a destination: a message whose Message-ID already exists is not stored; the OK has the UID of the
    existing message."""

    def store(self, folder: Folder, body: bytes, flags: Iterable[bytes], date: str) -> int:
        own = _message_id(body)
        same = [message.uid for message in folder.messages if _message_id(message.body) == own]
        return same[0] if same else super().store(folder, body, flags, date)


def _message_id(body: bytes) -> bytes:
    found = re.search(rb"(?im)^Message-ID: *(\S+)", body)
    return found[1] if found else body


@quirk("shown-after-reconnecting", "zone-eu/wildduck#566")
class ShownAfterReconnecting(Session):
    """At a destination: the connection that stored a message does not see it, other connections do."""

    def store(self, folder: Folder, body: bytes, flags: Iterable[bytes], date: str) -> int:
        uid = super().store(folder, body, flags, date)
        self._own = {*getattr(self, "_own", ()), id(folder.messages[-1])}
        return uid

    def status_numbers(self, folder: Folder) -> dict[bytes, bytes]:
        return super().status_numbers(self._seen_of(folder))

    def opening_lines(self, folder: Folder) -> list[bytes]:
        seen = self._seen_of(folder)
        self.view = list(seen.messages)
        return super().opening_lines(seen)

    def tell_changes(self) -> None:
        pass

    def _seen_of(self, folder: Folder) -> Folder:
        seen = copy.copy(folder)
        seen.messages = [m for m in folder.messages if id(m) not in getattr(self, "_own", ())]
        return seen


@quirk("continuation-without-text")
class ContinuationWithoutText(Session):
    """At a destination: the continuation request for a literal is a plus sign without text; LITERAL+ is not
    offered."""

    def capabilities(self) -> bytes:
        return b"IMAP4rev1 AUTH=PLAIN UIDPLUS"

    def accept_literal(self, line: bytes, *, synchronizing: bool) -> None:
        self.say(b"+")


class _WithWelcomeMail(Session):
    """INBOX already contains one message."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        if not box.inbox.messages:
            fill(box, b"INBOX", 1, first=901)

    def capabilities(self) -> bytes:
        return PLAIN.encode()


@quirk("no-append-into-open-folder", "(Courier 1.0, measured)")
class NoAppendIntoOpenFolder(_WithWelcomeMail):
    """At a destination: APPEND into the folder that the connection has open gets NO."""

    def do_append(self, tag: bytes, arguments: Words) -> None:
        if self.folder is not None and self.named(arguments[0]) is self.folder:
            self.no(tag, b"Unable to open this mailbox.")
            return
        super().do_append(tag, arguments)


@quirk("one-append-into-open-folder", "(GNU mailutils 3.15, measured)")
class OneAppendIntoOpenFolder(_WithWelcomeMail):
    """At a destination: of messages appended into the folder that is selected, only the first is stored."""

    stored = 0

    def store(self, folder: Folder, body: bytes, flags: Iterable[bytes], date: str) -> int:
        self.stored += folder is self.folder
        if folder is self.folder and self.stored > 1:
            return folder.uidnext
        return super().store(folder, body, flags, date)


@quirk("flags-of-append-ignored", "roundcube/roundcubemail#9805")
class FlagsOfAppendIgnored(Session):
    """At a destination: a message is stored without the flags of its APPEND."""

    def store(self, folder: Folder, body: bytes, flags: Iterable[bytes], date: str) -> int:
        return super().store(folder, body, (), date)


@quirk("flags-never-kept", "roundcube/roundcubemail#9805")
class FlagsNeverKept(FlagsOfAppendIgnored):
    """At a destination: neither APPEND nor STORE keeps any flag."""

    def do_store(self, tag: bytes, arguments: Words, *, by_uid: bool = False) -> None:
        self.ok(tag, b"STORE")
