"""Quirks of mail hosts by name, from reports of other mail programs."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import ClassVar

from tests.rehearsal.quirks.hooks import PLAIN
from tests.rehearsal.quirks.mail import Folder, Mailbox, Message
from tests.rehearsal.quirks.registry import quirk
from tests.rehearsal.quirks.session import Session
from tests.rehearsal.quirks.wire import HangUp, InvalidCommand, Words, quoted


@quirk("esearch-without-uid", "abhinavxd/libredesk#282")
class EsearchWithoutUid(Session):
    """ESEARCH lacks the word UID (Purelymail); UIDs are far above the number of messages."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        for folder in box.folders.values():
            folder.renumber(700)

    def say(self, line: bytes) -> None:
        super().say(line.replace(b") UID ", b") ", 1) if line.startswith(b"* ESEARCH") else line)


@quirk("uid-search-of-range-refused", "nextcloud/mail#13117")
class UidSearchOfRangeRefused(Session):
    """UID SEARCH for a range of UIDs gets BAD (grommunio); for ALL it works."""

    def do_search(self, tag: bytes, arguments: Words, *, by_uid: bool = False) -> None:
        if any(isinstance(word, bytes) and word.upper() == b"UID" for word in arguments):
            raise InvalidCommand("SEARCH argument")
        super().do_search(tag, arguments, by_uid=by_uid)


@quirk("forgets-some-at-first", "chatmail/core#4331")
class ForgetsSomeAtFirst(Session):
    """FETCH omits every third message the first time that its content is requested, and returns OK."""

    asked: ClassVar[set[int]] = set()

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        cls.asked = set()

    def fetch_lines(self, number: int, message: Message, items: list[tuple[bytes, bytes]]) -> bytes:
        line = super().fetch_lines(number, message, items)
        if len(line) < 500 or number % 3 or id(message) in self.asked:
            return line
        self.asked.add(id(message))
        return b""


@quirk("one-message-fails-its-set", "imapsync/imapsync#119")
class OneMessageFailsItsSet(Session):
    """FETCH of contents gets only NO [UNAVAILABLE] if the third message of INBOX is among them (Yahoo)."""

    def do_fetch(self, tag: bytes, arguments: Words, *, by_uid: bool = False) -> None:
        third = self.folder is self.box.inbox and self.box.inbox.messages[2]
        chosen = [message for _, message in self.chosen(arguments[0], by_uid=by_uid)]
        items = arguments[1] if isinstance(arguments[1], list) else [arguments[1]]
        if third in chosen and any(one.upper().startswith((b"BODY", b"RFC822")) for one in items):
            self.no(tag, b"[UNAVAILABLE] UID FETCH Server error while fetching messages")
            return
        super().do_fetch(tag, arguments, by_uid=by_uid)


@quirk("greeting-says-no", "jstedfast/MailKit#1073")
class GreetingSaysNo(Session):
    """The greeting is NO without an asterisk, and the connection ends (IceWarp)."""

    def greeting(self) -> bytes:
        self.say(b"NO LOGOUT Intrusion prevention active for 192.0.2.7")
        raise HangUp


@quirk("greeting-of-another-protocol", "jstedfast/MailKit#1100")
class GreetingOfAnotherProtocol(Session):
    """The greeting is that of a busy SMTP server, and the connection ends (SmarterMail)."""

    def greeting(self) -> bytes:
        self.say(b"421 Server is busy, try again later.")
        raise HangUp


@quirk("pauses-within-a-content")
class PausesWithinAContent(Session):
    """The server pauses for two seconds in the middle of a content, once per connection."""

    paused = False

    def send(self, data: bytes) -> None:
        if not self.paused and len(data) > 4000:
            self.paused = True
            super().send(data[:2000])
            time.sleep(2)
            data = data[2000:]
        super().send(data)


@quirk("idle-ends-connection")
class IdleEndsConnection(Session):
    """A connection that is idle for 0.3 s ends without a BYE."""

    def _receive(self) -> None:
        self.flush()
        if self.logged_in and not self.more_has_come(0.3):
            raise HangUp
        super()._receive()


@quirk("status-names-in-capitals")
class StatusNamesInCapitals(Session):
    """STATUS returns the name of the folder in capitals."""

    def tell_status(self, folder: Folder, items: Sequence[bytes]) -> None:
        said = len(self._output)
        super().tell_status(folder, items)
        line = bytes(self._output[said:]).replace(quoted(folder.name), quoted(folder.name.upper()))
        self._output[said:] = line


@quirk("flags-in-quotes")
class FlagsInQuotes(Session):
    """FETCH returns flags as quoted strings, with a single backslash."""

    def item_flags(self, message: Message) -> bytes | None:
        return b"(" + b" ".join(b'"%s"' % flag for flag in sorted(message.flags)) + b")"


@quirk("codes-without-value")
class CodesWithoutValue(Session):
    """FLAGS and PERMANENTFLAGS are NIL, and the codes UIDNEXT and UNSEEN have no number."""

    def opening_lines(self, folder: Folder) -> list[bytes]:
        known = b"OK [UIDVALIDITY %d] number" % folder.uidvalidity
        exists = b"%d EXISTS" % len(folder.messages)
        nothing = [b"FLAGS NIL", b"OK [PERMANENTFLAGS NIL]", b"OK [UIDNEXT ]", b"OK [UNSEEN] first"]
        return [exists, b"0 RECENT", known, *nothing]


@quirk("years-of-two-digits")
class YearsOfTwoDigits(Session):
    """INTERNALDATE has a year of two digits."""

    def item_internaldate(self, message: Message) -> bytes | None:
        return quoted(message.date.replace("-2021 ", "-21 ").encode())


@quirk("folder-elsewhere", "(RFC 5530, Cyrus murder)")
class FolderElsewhere(Session):
    """SELECT, EXAMINE and STATUS of Projects refer to another server."""

    def _refer(self, tag: bytes, arguments: Words) -> bool:
        if bytes(arguments[0]) == b"Projects":
            self.no(tag, b"[REFERRAL imap://backend7.old.example/Projects] Remote mailbox")
            return True
        return False

    def do_examine(self, tag: bytes, arguments: Words) -> None:
        if not self._refer(tag, arguments):
            super().do_examine(tag, arguments)

    def do_select(self, tag: bytes, arguments: Words) -> None:
        if not self._refer(tag, arguments):
            super().do_select(tag, arguments)

    def do_status(self, tag: bytes, arguments: Words) -> None:
        if not self._refer(tag, arguments):
            super().do_status(tag, arguments)

    def capabilities(self) -> bytes:
        return PLAIN.encode()


@quirk("locked-at-first")
class LockedAtFirst(Session):
    """The first FETCH of contents in each folder gets NO [INUSE]."""

    met: ClassVar[set[bytes]] = set()

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        cls.met = set()

    def do_fetch(self, tag: bytes, arguments: Words, *, by_uid: bool = False) -> None:
        name = self.opened().name
        if name not in self.met and b"BODY" in repr(arguments[1]).upper().encode():
            self.met.add(name)
            self.no(tag, b"[INUSE] Timeout (30s) while waiting for lock")
            return
        super().do_fetch(tag, arguments, by_uid=by_uid)


# --- Destinations ----------------------------------------------------------------------------------------


@quirk("append-needs-flags", "grommunio/gromox#60")
class AppendNeedsFlags(Session):
    """At a destination: APPEND without a list of flags gets BAD (gromox)."""

    def do_append(self, tag: bytes, arguments: Words) -> None:
        if not isinstance(arguments[1], list):
            raise InvalidCommand("literal size too large")
        super().do_append(tag, arguments)

    def capabilities(self) -> bytes:
        return PLAIN.encode()


@quirk("stored-late-without-answer")
class StoredLateWithoutAnswer(Session):
    """At a destination: the third APPEND ends the connection, and its messages are stored three seconds
    later."""

    answers: ClassVar[int] = 0
    late: ClassVar[list[tuple[float, Folder, bytes, list[bytes], str]]] = []

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        cls.answers, cls.late = 0, []

    @classmethod
    def next_stage(cls, box: Mailbox, stage: int) -> None:
        cls.land(float("inf"))

    @classmethod
    def land(cls, now: float) -> None:
        for _, folder, body, flags, date in [one for one in cls.late if one[0] <= now]:
            folder.add(body, flags, date)
        cls.late[:] = [one for one in cls.late if one[0] > now]

    def may_begin(self, tag: bytes, command: bytes) -> bool:
        with self.box.lock:
            type(self).land(time.monotonic())
        return super().may_begin(tag, command)

    def do_append(self, tag: bytes, arguments: Words) -> None:
        type(self).answers += 1
        super().do_append(tag, arguments)

    def store(self, folder: Folder, body: bytes, flags: Iterable[bytes], date: str) -> int:
        if type(self).answers == 3:
            self.late.append((time.monotonic() + 3, folder, body, list(flags), date))
            return 1
        return super().store(folder, body, flags, date)

    def append_code(self, folder: Folder, uids: list[int]) -> bytes:
        if type(self).answers == 3:
            raise HangUp
        return super().append_code(folder, uids)


@quirk("usable-after-a-while")
class UsableAfterAWhile(Session):
    """At a destination: a new folder becomes usable two seconds later (Cyrus murder, replicas)."""

    created: ClassVar[dict[bytes, float]] = {}

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        cls.created = {}

    def do_create(self, tag: bytes, arguments: Words) -> None:
        self.created.setdefault(bytes(arguments[0]), time.monotonic() + 2)
        super().do_create(tag, arguments)

    def named(self, name: bytes) -> Folder | None:
        return super().named(name) if self.created.get(bytes(name), 0) < time.monotonic() else None


@quirk("flags-ignored-and-store-refused")
class FlagsIgnoredAndStoreRefused(Session):
    """At a destination: APPEND ignores flags, and STORE gets NO."""

    def store(self, folder: Folder, body: bytes, flags: Iterable[bytes], date: str) -> int:
        return super().store(folder, body, (), date)

    def do_store(self, tag: bytes, arguments: Words, *, by_uid: bool = False) -> None:
        self.no(tag, b"[NOPERM] flags cannot be changed")


@quirk("flags-ignored-and-store-ends-connection")
class FlagsIgnoredAndStoreEndsConnection(Session):
    """At a destination: APPEND ignores flags, and STORE ends the connection."""

    def store(self, folder: Folder, body: bytes, flags: Iterable[bytes], date: str) -> int:
        return super().store(folder, body, (), date)

    def do_store(self, tag: bytes, arguments: Words, *, by_uid: bool = False) -> None:
        raise HangUp


@quirk("search-lags")
class SearchLags(Session):
    """At a destination: SEARCH does not find a message in its first three seconds; FETCH does."""

    def store(self, folder: Folder, body: bytes, flags: Iterable[bytes], date: str) -> int:
        uid = super().store(folder, body, flags, date)
        folder.messages[-1].__dict__["since"] = time.monotonic()
        return uid

    def found_by_search(self, messages: list[Message]) -> list[Message]:
        now = time.monotonic()
        return [one for one in messages if now - one.__dict__.get("since", 0) > 3]


@quirk("stored-late-after-bye")
class StoredLateAfterBye(StoredLateWithoutAnswer):
    """At a destination: a proxy says BYE in place of the answer to the third APPEND, and the server behind it
    stores the messages three seconds later."""

    def append_code(self, folder: Folder, uids: list[int]) -> bytes:
        if type(self).answers == 3:
            self.say(b"* BYE Disconnected from backend")
        return super().append_code(folder, uids)
