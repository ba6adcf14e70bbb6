"""Quirks of servers with limits, or without support for pipelined commands."""

from __future__ import annotations

import time

from tests.rehearsal.quirks.mail import Message
from tests.rehearsal.quirks.registry import quirk
from tests.rehearsal.quirks.session import Session
from tests.rehearsal.quirks.wire import HangUp, InvalidCommand, Words


@quirk("one-command-at-a-time", "twisted/twisted#9282")
class OneCommandAtATime(Session):
    """A command that arrives before the previous one was answered gets BAD."""

    early = False

    def may_begin(self, tag: bytes, command: bytes) -> bool:
        was_early, self.early = self.early, self.more_has_come(0.02)
        if was_early:
            raise InvalidCommand("wait for the answer to your last command")
        return super().may_begin(tag, command)


@quirk("forgets-what-came-early", "floatpane/matcha#1433")
class ForgetsWhatCameEarly(Session):
    """Commands that arrive before the previous one was answered are discarded, and never answered."""

    def ended_well(self, tag: bytes, command: bytes, text: bytes) -> None:
        super().ended_well(tag, command, text)
        self.more_has_come(0.02)
        self.forget_what_has_come()


@quirk("ends-after-50-messages", "forwardemail/forwardemail.net#425")
class EndsAfter50Messages(Session):
    """The connection ends after fifty FETCH responses with content, each time; LOGOUT ends it without a
    response."""

    given = 0

    def fetched_one(self, message: Message) -> None:
        if self.items_with_content:
            self.given += 1
            if self.given == 50:
                raise HangUp

    def fetch_lines(self, number: int, message: Message, items: list[tuple[bytes, bytes]]) -> bytes:
        self.items_with_content = any(name == b"BODY[]" for name, _ in items)
        return super().fetch_lines(number, message, items)

    def do_logout(self, tag: bytes, _arguments: Words) -> None:
        raise HangUp


@quirk("small-packets", "MailCore/mailcore2#1298")
class SmallPackets(Session):
    """Each response begins with packets of one or two bytes."""

    def send(self, data: bytes) -> None:
        super().send(data[:1])
        time.sleep(0.005)
        super().send(data[1:3])
        time.sleep(0.005)
        super().send(data[3:])


@quirk("hangs-up-after-three-refusals", "imapsync/imapsync#5")
class HangsUpAfterThreeRefusals(Session):
    """The third NO or BAD ends the connection."""

    refusals = 0

    def say(self, line: bytes) -> None:
        super().say(line)
        self.refusals += line.partition(b" ")[2].startswith((b"NO", b"BAD")) and not line.startswith(b"*")
        if self.refusals == 3:
            self.refusals = 0
            super().say(b"* BYE Connection closed. 14")
            raise HangUp


@quirk("limit-of-messages-each")
class LimitOfMessagesEach(Session):
    """FETCH of more than three messages gets `NO [LIMIT]`; no MESSAGELIMIT is announced (RFC 9738)."""

    most = 3

    def do_fetch(self, tag: bytes, arguments: Words, *, by_uid: bool = False) -> None:
        if len(self.chosen(arguments[0], by_uid=by_uid)) > self.most:
            self.no(tag, b"[LIMIT] too many messages for one command")
            return
        super().do_fetch(tag, arguments, by_uid=by_uid)
