"""Quirks of STATUS, SELECT and EXAMINE."""

from __future__ import annotations

from typing import ClassVar
from weakref import WeakKeyDictionary

from tests.rehearsal.quirks.hooks import PLAIN
from tests.rehearsal.quirks.mail import Folder, Mailbox, fill
from tests.rehearsal.quirks.registry import quirk
from tests.rehearsal.quirks.session import Session
from tests.rehearsal.quirks.wire import HangUp, InvalidCommand, Words


@quirk("folder-ends-connection", "imapsync/imapsync#154")
class FolderEndsConnection(Session):
    """Any access to one folder, whose name ends in a space, ends the connection each time."""

    ending = b"blank "

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        fill(box, cls.ending, 2, first=701)

    def capabilities(self) -> bytes:
        return PLAIN.encode()

    def named(self, name: bytes) -> Folder | None:
        if bytes(name) == self.ending:
            self.say(b"* BYE this did not go well")
            raise HangUp
        return super().named(name)


@quirk("folder-with-tab", "jstedfast/MailKit#945")
class FolderWithTab(Session):
    """One folder's name has a raw TAB; opening it gets BAD."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        fill(box, b"Junk\tTab", 2, first=701)

    def capabilities(self) -> bytes:
        return PLAIN.encode()

    def named(self, name: bytes) -> Folder | None:
        if b"\t" in bytes(name):
            raise InvalidCommand("an argument that this server does not take (11)")
        return super().named(name)


@quirk("no-without-a-word", "warmbly/warmbly#405")
class NoWithoutAWord(Session):
    """EXAMINE, SELECT and STATUS of one folder get NO without a text."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        fill(box, b"Locked", 2, first=701)

    def capabilities(self) -> bytes:
        return PLAIN.encode()

    def may_begin(self, tag: bytes, command: bytes) -> bool:
        if command in (b"SELECT", b"EXAMINE", b"STATUS") and self.server.commands[-1][2][0] == b"Locked":
            self.say(tag + b" NO")
            return False
        return super().may_begin(tag, command)


@quirk("status-says-nothing", "chatmail/core#5043")
class StatusSaysNothing(Session):
    """STATUS returns an empty list; EXAMINE works."""

    def capabilities(self) -> bytes:
        return PLAIN.encode()

    def status_numbers(self, folder: Folder) -> dict[bytes, bytes]:
        return {}


@quirk("no-uidnext", "modern-email/defects#15")
class NoUidnext(Session):
    """SELECT and EXAMINE do not send UIDNEXT."""

    def opening_lines(self, folder: Folder) -> list[bytes]:
        return [line for line in super().opening_lines(folder) if b"UIDNEXT" not in line]


@quirk("uidvalidity-zero", "pimalaya/himalaya#626")
class UidvalidityZero(Session):
    """UIDVALIDITY is 0 in all folders."""

    def status_numbers(self, folder: Folder) -> dict[bytes, bytes]:
        folder.uidvalidity = 0
        return super().status_numbers(folder)

    def opening_lines(self, folder: Folder) -> list[bytes]:
        folder.uidvalidity = 0
        return super().opening_lines(folder)


@quirk("uidvalidity-comes-with-first-message", "jstedfast/MailKit#150")
class UidvalidityComesWithFirstMessage(Session):
    """At a destination: UIDVALIDITY is 0 while a folder is empty, and another number from its first message
    on, which the APPENDUID of that message already contains."""

    def status_numbers(self, folder: Folder) -> dict[bytes, bytes]:
        folder.uidvalidity = 4711 if folder.messages else 0
        return super().status_numbers(folder)

    def opening_lines(self, folder: Folder) -> list[bytes]:
        folder.uidvalidity = 4711 if folder.messages else 0
        return super().opening_lines(folder)

    def append_code(self, folder: Folder, uids: list[int]) -> bytes:
        folder.uidvalidity = 4711
        return super().append_code(folder, uids)


@quirk("id-before-select", "pimalaya/himalaya#651")
class IdBeforeSelect(Session):
    """No folder can be opened or queried before the client has sent ID."""

    known = False

    def do_id(self, tag: bytes, arguments: Words) -> None:
        self.known = True
        super().do_id(tag, arguments)

    def may_begin(self, tag: bytes, command: bytes) -> bool:
        if command in (b"SELECT", b"EXAMINE", b"STATUS") and not self.known:
            self.no(tag, b"unsafe: say who you are")
            return False
        return super().may_begin(tag, command)


@quirk("id-refused", "roundcube/roundcubemail#9414")
class IdRefused(Session):
    """ID is offered and gets BAD."""

    def do_id(self, tag: bytes, arguments: Words) -> None:
        raise InvalidCommand("ID is not known here")


@quirk("permanentflags-with-bracket", "jstedfast/MailKit#390")
class PermanentflagsWithBracket(Session):
    r"""At a destination: PERMANENTFLAGS has a keyword in brackets before \*."""

    def permanent_flags(self, folder: Folder) -> bytes:
        return b"" if self.read_only else self.known_flags(folder) + rb" [odd] \*"


@quirk("status-says-zero", "Webklex/php-imap#525")
class StatusSaysZero(Session):
    """STATUS reports that no folder has messages, also within LIST; EXAMINE returns the right values."""

    def status_numbers(self, folder: Folder) -> dict[bytes, bytes]:
        return {**super().status_numbers(folder), b"MESSAGES": b"0"}


@quirk("status-is-stale")
class StatusIsStale(Session):
    """STATUS, also within LIST, repeats its first response: later mail is visible only in an opened folder.
    One message arrives before the second run."""

    first: ClassVar[WeakKeyDictionary[Folder, dict[bytes, bytes]]] = WeakKeyDictionary()

    def status_numbers(self, folder: Folder) -> dict[bytes, bytes]:
        return self.first.setdefault(folder, super().status_numbers(folder))

    @classmethod
    def next_stage(cls, box: Mailbox, stage: int) -> None:
        fill(box, b"INBOX", 1, first=900 + stage)


@quirk("status-of-open-folder-refused", "MailCore/mailcore2#1165")
class StatusOfOpenFolderRefused(Session):
    """STATUS of the folder that is open gets BAD."""

    def do_status(self, tag: bytes, arguments: Words) -> None:
        if self.folder is not None and self.named(arguments[0]) is self.folder:
            raise InvalidCommand("it is open")
        super().do_status(tag, arguments)


@quirk("examine-refused", "nextcloud/mail#3407")
class ExamineRefused(Session):
    """EXAMINE gets BAD; SELECT works."""

    def do_examine(self, tag: bytes, arguments: Words) -> None:
        raise InvalidCommand("unknown command")


@quirk("exists-twice")
class ExistsTwice(Session):
    """EXAMINE and SELECT report first 0 messages, then the right number."""

    def opening_lines(self, folder: Folder) -> list[bytes]:
        return [b"0 EXISTS", *super().opening_lines(folder)]


@quirk("unselect-refused")
class UnselectRefused(Session):
    """UNSELECT is offered and gets BAD."""

    def do_unselect(self, tag: bytes, _arguments: Words) -> None:
        raise InvalidCommand("unknown command")


@quirk("uidvalidity-of-each-visit", "OfflineIMAP/offlineimap#62")
class UidvalidityOfEachVisit(Session):
    """Between two visits every folder gets another UIDVALIDITY, and the messages other UIDs."""

    @classmethod
    def next_stage(cls, box: Mailbox, stage: int) -> None:
        for folder in box.folders.values():
            folder.uidvalidity += 100 * stage
            folder.renumber(1000 * stage)


@quirk("uidvalidity-of-empty-folders-changes", "jstedfast/MailKit#150")
class UidvalidityOfEmptyFoldersChanges(Session):
    """At a destination: UIDVALIDITY of an empty folder changes with each access."""

    def _changed(self, folder: Folder) -> None:
        if not folder.messages:
            folder.uidvalidity += 1000

    def status_numbers(self, folder: Folder) -> dict[bytes, bytes]:
        self._changed(folder)
        return super().status_numbers(folder)

    def opening_lines(self, folder: Folder) -> list[bytes]:
        self._changed(folder)
        return super().opening_lines(folder)


@quirk("status-says-new", "Webklex/php-imap#525")
class StatusSaysNew(Session):
    """STATUS reports that no folder has or ever had messages, also within LIST; EXAMINE returns the right
    values."""

    def status_numbers(self, folder: Folder) -> dict[bytes, bytes]:
        return {**super().status_numbers(folder), b"MESSAGES": b"0", b"UIDNEXT": b"1"}


@quirk("examine-refused-once")
class ExamineRefusedOnce(Session):
    """The first EXAMINE of each folder gets NO."""

    refused: ClassVar[set[bytes]] = set()

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        cls.refused = set()

    def do_examine(self, tag: bytes, arguments: Words) -> None:
        name = bytes(arguments[0])
        if name not in self.refused:
            self.refused.add(name)
            self.no(tag, b"mailbox is locked by another session")
            return
        super().do_examine(tag, arguments)
