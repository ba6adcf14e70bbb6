"""Quirks of APPEND: messages and forms of the command that are refused."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from tests.rehearsal.quirks.hooks import PLAIN
from tests.rehearsal.quirks.mail import Folder, Mailbox
from tests.rehearsal.quirks.registry import quirk
from tests.rehearsal.quirks.session import Session
from tests.rehearsal.quirks.wire import HangUp, InvalidCommand, Literal, Words


@quirk("nul-ends-connection", "gaubert/gmvault#212")
class NulEndsConnection(Session):
    """At a destination: a message with the byte NUL ends the connection, each time."""

    def why_not_stored(self, folder: Folder, body: bytes, flags: Sequence[bytes]) -> bytes:
        if b"\0" in body:
            self.say(b"* BYE a literal holds a forbidden character")
            raise HangUp
        return super().why_not_stored(folder, body, flags)


@quirk("nul-refused", "cyrusimap/cyrus-imapd#823")
class NulRefused(Session):
    """At a destination: a message with the byte NUL gets NO."""

    def why_not_stored(self, folder: Folder, body: bytes, flags: Sequence[bytes]) -> bytes:
        return b"NO the message holds a NUL" if b"\0" in body else super().why_not_stored(folder, body, flags)


@quirk("keywords-refused", "imapsync/imapsync#387")
class KeywordsRefused(Session):
    """At a destination: a message with keywords gets BAD."""

    def why_not_stored(self, folder: Folder, body: bytes, flags: Sequence[bytes]) -> bytes:
        odd = any(not flag.startswith(b"\\") for flag in flags)
        return b"BAD Parse Error" if odd else super().why_not_stored(folder, body, flags)


@quirk("days-of-two-places-only", "mscdex/node-imap#648")
class DaysOfTwoPlacesOnly(Session):
    """At a destination: a date whose day has one character gets BAD."""

    def read_command(self) -> list[bytes]:
        parts = super().read_command()
        if re.search(rb'APPEND .*"\d-', parts[0]):
            return [parts[0].partition(b" ")[0] + b' APPEND "']
        return parts


@quirk("literal-plus-refused", "ruby/net-imap#701")
class LiteralPlusRefused(Session):
    """At a destination: LITERAL+ is offered; an APPEND that uses it gets BAD after its literal was read."""

    used = False

    def capabilities(self) -> bytes:
        return PLAIN.encode()

    def accept_literal(self, line: bytes, *, synchronizing: bool) -> None:
        self.used = not synchronizing
        super().accept_literal(line, synchronizing=synchronizing)

    def do_append(self, tag: bytes, arguments: Words) -> None:
        if self.used:
            raise InvalidCommand("invalid literal")
        super().do_append(tag, arguments)


@quirk("literal-plus-refused-early", "ruby/net-imap#701")
class LiteralPlusRefusedEarly(Session):
    """At a destination: LITERAL+ is offered; an APPEND that uses it gets BAD immediately, and the lines of
    its literal are read as commands."""

    def capabilities(self) -> bytes:
        return PLAIN.encode()

    def read_command(self) -> list[bytes]:
        line = self.read_line()
        if line.endswith(b"+}"):
            return [line[: line.rindex(b"{")] + b'"']
        self._input[:0] = line + b"\r\n"
        return super().read_command()


@quirk("multiappend-refused", "imapsync/imapsync#209")
class MultiappendRefused(Session):
    """At a destination: MULTIAPPEND is offered; an APPEND of several messages gets BAD."""

    def do_append(self, tag: bytes, arguments: Words) -> None:
        if sum(isinstance(word, Literal) for word in arguments) > 1:
            raise InvalidCommand("[CLIENTBUG] Additional arguments found after last expected argument")
        super().do_append(tag, arguments)


@quirk("multiappend-stored-in-part")
class MultiappendStoredInPart(Session):
    """At a destination: an APPEND of several messages gets NO, and the first half of them is stored
    nevertheless, contrary to RFC 3502 section 6.3.11."""

    in_part = False

    def do_append(self, tag: bytes, arguments: Words) -> None:
        bodies = [at for at, word in enumerate(arguments) if isinstance(word, Literal)]
        self.in_part = len(bodies) > 1
        super().do_append(tag, arguments[: bodies[len(bodies) // 2 - 1] + 1] if self.in_part else arguments)

    def ended_well(self, tag: bytes, command: bytes, text: bytes) -> None:
        if command == b"APPEND" and self.in_part:
            self.no(tag, b"could not store them")
        else:
            super().ended_well(tag, command, text)


@quirk("passing-refusals", "imapsync/imapsync#118")
class PassingRefusals(Session):
    """At a destination: every fifth message is refused the first time, with SERVERBUG."""

    seen: ClassVar[list[bytes]] = []

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        cls.seen = []

    def why_not_stored(self, folder: Folder, body: bytes, flags: Sequence[bytes]) -> bytes:
        first = body not in self.seen
        self.seen.append(body)
        if first and len(self.seen) % 5 == 0:
            return b"NO [SERVERBUG] Internal error occurred. Refer to server log for more information."
        return super().why_not_stored(folder, body, flags)


@quirk("refused-and-stored", "imapsync/imapsync#358")
class RefusedAndStored(Session):
    """At a destination: one message gets NO and is stored nevertheless."""

    def why_not_stored(self, folder: Folder, body: bytes, flags: Sequence[bytes]) -> bytes:
        if b"Subject: inbox 104" in body and all(message.body != body for message in folder.messages):
            folder.add(body, flags, "01-Mar-2021 12:00:00 +0000")
            return b"NO could not store it"
        return super().why_not_stored(folder, body, flags)


@quirk("trips-over-missing-line-end", "jstedfast/MailKit#251")
class TripsOverMissingLineEnd(Session):
    """At a destination: after a message without a final line end, the next command on that connection gets
    BAD."""

    tripped = False

    def may_begin(self, tag: bytes, command: bytes) -> bool:
        tripped, self.tripped = self.tripped, False
        if tripped:
            raise InvalidCommand("unknown command")
        return super().may_begin(tag, command)

    def why_not_stored(self, folder: Folder, body: bytes, flags: Sequence[bytes]) -> bytes:
        self.tripped = self.tripped or not body.endswith(b"\r\n")
        return super().why_not_stored(folder, body, flags)
