"""Quirks of connections that end at a certain step, each time or once."""

from __future__ import annotations

from typing import ClassVar

from tests.rehearsal.quirks.hooks import PLAIN
from tests.rehearsal.quirks.mail import Folder, Message
from tests.rehearsal.quirks.registry import quirk
from tests.rehearsal.quirks.session import Session
from tests.rehearsal.quirks.wire import HangUp, Words


class _EndsAt(Session):
    """Ends the connection in place of an answer to some commands."""

    ends_at: ClassVar[tuple[bytes, ...]] = ()

    def may_begin(self, tag: bytes, command: bytes) -> bool:
        if self.logged_in and command in self.ends_at:
            raise HangUp
        return super().may_begin(tag, command)


@quirk("namespace-ends-connection")
class NamespaceEndsConnection(_EndsAt):
    """NAMESPACE is offered and ends the connection."""

    ends_at = (b"NAMESPACE",)


@quirk("search-ends-connection")
class SearchEndsConnection(_EndsAt):
    """SEARCH ends the connection; UID FETCH works."""

    ends_at = (b"SEARCH", b"UID SEARCH")


@quirk("status-ends-connection")
class StatusEndsConnection(_EndsAt):
    """STATUS ends the connection, also within LIST; EXAMINE works."""

    ends_at = (b"STATUS",)

    def capabilities(self) -> bytes:
        return PLAIN.encode()


@quirk("list-return-ends-connection")
class ListReturnEndsConnection(Session):
    """LIST with RETURN ends the connection; plain LIST works."""

    def do_list(self, tag: bytes, arguments: Words) -> None:
        if len(arguments) > 2:
            raise HangUp
        super().do_list(tag, arguments)


@quirk("bye-after-login")
class ByeAfterLogin(Session):
    """The login works, and the first command after it gets BYE."""

    def may_begin(self, tag: bytes, command: bytes) -> bool:
        if self.logged_in:
            self.say(b"* BYE [UNAVAILABLE] This mailbox is being moved to another server")
            raise HangUp
        return super().may_begin(tag, command)


@quirk("ends-after-three-messages")
class EndsAfterThreeMessages(Session):
    """The connection ends with BYE within the answers to FETCH, after three messages with their content."""

    given = 0

    def fetch_lines(self, number: int, message: Message, items: list[tuple[bytes, bytes]]) -> bytes:
        self.given += any(name == b"BODY[]" for name, _ in items)
        if self.given > 3:
            self.say(b"* BYE Connection closed by a proxy")
            raise HangUp
        return super().fetch_lines(number, message, items)


@quirk("one-body-ends-connection")
class OneBodyEndsConnection(Session):
    """The connection ends in the middle of the content of the third message of INBOX, each time."""

    def fetch_lines(self, number: int, message: Message, items: list[tuple[bytes, bytes]]) -> bytes:
        line = super().fetch_lines(number, message, items)
        if len(line) < 500 or message not in self.box.inbox.messages[2:3]:
            return line
        self.say_raw(line[:300])
        raise HangUp


@quirk("append-stored-without-answer")
class AppendStoredWithoutAnswer(Session):
    """At a destination: APPEND stores the message, and the connection ends in place of the OK."""

    def append_code(self, folder: Folder, uids: list[int]) -> bytes:
        raise HangUp


@quirk("append-and-bye")
class AppendAndBye(Session):
    """At a destination: the connection ends with BYE after each APPEND that succeeded."""

    def ended_well(self, tag: bytes, command: bytes, text: bytes) -> None:
        super().ended_well(tag, command, text)
        if command == b"APPEND":
            self.say(b"* BYE one message for each connection")
            raise HangUp


@quirk("size-ends-connection")
class SizeEndsConnection(Session):
    """RFC822.SIZE of the third message of INBOX ends the connection, independent of other requested items."""

    def item_size(self, message: Message) -> bytes | None:
        if message in self.box.inbox.messages[2:3]:
            raise HangUp
        return super().item_size(message)


@quirk("twelve-commands-each")
class TwelveCommandsEach(Session):
    """After the login, a connection executes twelve commands and ends at the next one."""

    commands_left = 12

    def may_begin(self, tag: bytes, command: bytes) -> bool:
        if self.logged_in:
            if not self.commands_left:
                raise HangUp
            self.commands_left -= 1
        return super().may_begin(tag, command)
