"""Quirks of responses with more, less or other data than requested."""

from __future__ import annotations

import re

from tests.rehearsal.quirks.hooks import PLAIN
from tests.rehearsal.quirks.mail import Folder, Message
from tests.rehearsal.quirks.registry import quirk
from tests.rehearsal.quirks.session import Session
from tests.rehearsal.quirks.wire import HangUp


@quirk("fetch-answers-twice")
class FetchAnswersTwice(Session):
    """Each FETCH response is sent twice."""

    def fetch_lines(self, number: int, message: Message, items: list[tuple[bytes, bytes]]) -> bytes:
        return super().fetch_lines(number, message, items) * 2


@quirk("search-with-modseq")
class SearchWithModseq(Session):
    """SEARCH responses end in (MODSEQ n) and contain each message twice; ESEARCH is not offered."""

    def capabilities(self) -> bytes:
        return PLAIN.encode()

    def search_lines(self, numbers: list[int]) -> None:
        self.say(
            b"* SEARCH" + b"".join(b" %d %d" % (number, number) for number in numbers) + b" (MODSEQ 917)"
        )


@quirk("one-answer-without-uid")
class OneAnswerWithoutUid(Session):
    """UID FETCH responses lack the UID of the third message of INBOX."""

    def item_uid(self, message: Message) -> bytes | None:
        return None if message in self.box.inbox.messages[2:3] else super().item_uid(message)


@quirk("header-fields-in-other-words")
class HeaderFieldsInOtherWords(Session):
    """Responses repeat the names of header fields as quoted strings, in another order and in lower case."""

    def fetch_lines(self, number: int, message: Message, items: list[tuple[bytes, bytes]]) -> bytes:
        renamed = [
            (b'BODY[HEADER.FIELDS ("subject" "from" "date" "message-id")]', value)
            if name.startswith(b"BODY[HEADER.FIELDS")
            else (name, value)
            for name, value in items
        ]
        return super().fetch_lines(number, message, renamed)


@quirk("uidnext-nil")
class UidnextNil(Session):
    """UIDNEXT is NIL, in STATUS and in EXAMINE."""

    def status_numbers(self, folder: Folder) -> dict[bytes, bytes]:
        return {**super().status_numbers(folder), b"UIDNEXT": b"NIL"}

    def opening_lines(self, folder: Folder) -> list[bytes]:
        return [
            b"OK [UIDNEXT NIL] unknown" if b"UIDNEXT" in line else line
            for line in super().opening_lines(folder)
        ]


@quirk("uidnext-zero")
class UidnextZero(Session):
    """UIDNEXT is 0, in STATUS and in EXAMINE."""

    def status_numbers(self, folder: Folder) -> dict[bytes, bytes]:
        return {**super().status_numbers(folder), b"UIDNEXT": b"0"}

    def opening_lines(self, folder: Folder) -> list[bytes]:
        return [
            b"OK [UIDNEXT 0] unknown" if b"UIDNEXT" in line else line
            for line in super().opening_lines(folder)
        ]


@quirk("exists-last")
class ExistsLast(Session):
    """EXAMINE and SELECT send `0 EXISTS`, and the right number only after the OK."""

    def opening_lines(self, folder: Folder) -> list[bytes]:
        self.later = len(folder.messages)
        return [b"0 EXISTS" if b" EXISTS" in line else line for line in super().opening_lines(folder)]

    later = 0

    def ended_well(self, tag: bytes, command: bytes, text: bytes) -> None:
        super().ended_well(tag, command, text)
        if command in (b"EXAMINE", b"SELECT"):
            self.say(b"* %d EXISTS" % self.later)


@quirk("greeting-twice")
class GreetingTwice(Session):
    """The greeting is sent twice: once without, once with capabilities."""

    def greeting(self) -> bytes:
        return b"* OK IMAP proxy\r\n" + super().greeting()


@quirk("banner-before-greeting")
class BannerBeforeGreeting(Session):
    """A line of a firewall, with neither tag nor asterisk, precedes the greeting."""

    def greeting(self) -> bytes:
        return b"Authorised use only. All access is logged.\r\n" + super().greeting()


@quirk("login-gets-bye")
class LoginGetsBye(Session):
    """The login gets a BYE with a reason, and the connection ends."""

    def sign_in(self, tag: bytes, user: bytes, password: bytes) -> None:
        self.say(b"* BYE Account suspended: please call our office")
        raise HangUp


@quirk("alert-in-latin1")
class AlertInLatin1(Session):
    """The login gets NO with an ALERT in Latin-1."""

    def sign_in(self, tag: bytes, user: bytes, password: bytes) -> None:
        self.say(b"* OK [ALERT] Bitte schalten Sie IMAP in Ihrem Kundenmen\xfc frei")
        self.no(tag, b"Zugang f\xfcr externe Programme gesperrt")


@quirk("several-contents-get-nothing")
class SeveralContentsGetNothing(Session):
    """FETCH of more than one content ends with OK and returns nothing; FETCH of a single content works."""

    def fetch_one(self, number: int, message: Message, items: list[bytes]) -> None:
        content = any(item.startswith((b"BODY", b"RFC822")) and item != b"RFC822.SIZE" for item in items)
        if not (content and _of_several(self)):
            super().fetch_one(number, message, items)


@quirk("bad-for-sets")
class BadForSets(Session):
    """UID FETCH takes one message at a time: sets get BAD."""

    def may_begin(self, tag: bytes, command: bytes) -> bool:
        if command == b"UID FETCH" and _of_several(self):
            self.say(tag + b" BAD one message at a time")
            return False
        return super().may_begin(tag, command)


def _of_several(session: Session) -> bool:
    """Whether the command is for more than one message."""
    return re.search(rb"[:,]", bytes(str(session.server.commands[-1][2][0]), "latin-1")) is not None
