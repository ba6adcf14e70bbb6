"""Quirks of the values in responses to FETCH: dates, sizes and contents."""

from __future__ import annotations

from tests.rehearsal.quirks.mail import Message
from tests.rehearsal.quirks.registry import quirk
from tests.rehearsal.quirks.session import Session
from tests.rehearsal.quirks.wire import literal, quoted


@quirk("internaldate-nil", "thunderbird/thunderbird-android#1819")
class InternaldateNil(Session):
    """INTERNALDATE is NIL."""

    def item_internaldate(self, message: Message) -> bytes | None:
        return b"NIL"


@quirk("internaldate-left-out", "closeio/sync-engine#365")
class InternaldateLeftOut(Session):
    """No FETCH response has INTERNALDATE."""

    def item_internaldate(self, message: Message) -> bytes | None:
        return None


@quirk("internaldate-in-another-form", "apple/swift-nio-imap#735")
class InternaldateInAnotherForm(Session):
    """INTERNALDATE has the form of a mail's Date field."""

    def item_internaldate(self, message: Message) -> bytes | None:
        day, month, year = message.date.strip().split(" ")[0].split("-")
        return quoted(f"{day} {month} {year} {message.date.strip().split(' ', 1)[1]}".encode())


@quirk("size-zero-and-date-1899", "imapsync/imapsync#271")
class SizeZeroAndDate1899(Session):
    """RFC822.SIZE is 0 and INTERNALDATE is in 1899."""

    def item_size(self, message: Message) -> bytes | None:
        return b"0"

    def item_internaldate(self, message: Message) -> bytes | None:
        return b'"30-Dec-1899 00:00:00 +0000"'


@quirk("size-negative", "jstedfast/MailKit#385")
class SizeNegative(Session):
    """RFC822.SIZE is -2."""

    def item_size(self, message: Message) -> bytes | None:
        return b"-2"


@quirk("size-nil", "jstedfast/MailKit#385")
class SizeNil(Session):
    """RFC822.SIZE is NIL."""

    def item_size(self, message: Message) -> bytes | None:
        return b"NIL"


@quirk("size-three-times-too-big", "stalwartlabs/vandelay#12")
class SizeThreeTimesTooBig(Session):
    """RFC822.SIZE is three times the size of the content, which is complete."""

    def item_size(self, message: Message) -> bytes | None:
        return b"%d" % (3 * len(message.body))


class _OneMessage(Session):
    """The fault concerns UID `wrong` of INBOX alone."""

    wrong = 4

    def is_wrong(self, message: Message) -> bool:
        return self.folder is self.box.inbox and message.uid == self.wrong


class _OddContent(_OneMessage):
    odd = b""

    def item_content(self, message: Message, section: bytes, content: bytes) -> bytes | None:
        if self.is_wrong(message) and not section:
            return self.odd
        return super().item_content(message, section, content)


@quirk("body-empty-literal", "imapsync/imapsync#469")
class BodyEmptyLiteral(_OddContent):
    """One message has a size, and its content is an empty literal."""

    odd = b"{0}\r\n"


@quirk("body-empty-string", "imapsync/imapsync#469")
class BodyEmptyString(_OddContent):
    """One message has a size, and its content is an empty string."""

    odd = b'""'


@quirk("body-nil", "imapsync/imapsync#79")
class BodyNil(_OddContent):
    """One message has a size, and its content is NIL."""

    odd = b"NIL"


@quirk("every-body-nil", "imapsync/imapsync#79")
class EveryBodyNil(Session):
    """All messages of one folder, Sent, have a size, and their contents are NIL."""

    def item_content(self, message: Message, section: bytes, content: bytes) -> bytes | None:
        if not section and self.folder is not None and self.folder.name == b"Sent":
            return b"NIL"
        return super().item_content(message, section, content)


@quirk("literal-longer-than-announced", "jstedfast/MailKit#954")
class LiteralLongerThanAnnounced(_OneMessage):
    """One message has ten bytes more than its literal announces."""

    def item_content(self, message: Message, section: bytes, content: bytes) -> bytes | None:
        if self.is_wrong(message) and not section:
            return b"{%d}\r\n%s" % (len(content) - 10, content)
        return super().item_content(message, section, content)


@quirk("literal-shorter-than-announced", "jstedfast/MailKit#954")
class LiteralShorterThanAnnounced(_OneMessage):
    """One message has ten bytes less than its literal announces."""

    def item_content(self, message: Message, section: bytes, content: bytes) -> bytes | None:
        if self.is_wrong(message) and not section:
            return b"{%d}\r\n%s" % (len(content) + 10, content)
        return super().item_content(message, section, content)


@quirk("days-of-one-digit", "postalsys/imapflow#271")
class DaysOfOneDigit(Session):
    """INTERNALDATE has the first nine days of a month as one digit without a space."""

    def item_internaldate(self, message: Message) -> bytes | None:
        return quoted(message.date.strip().removeprefix("0").encode())


@quirk("dates-without-zone", "scanner/asimap#458")
class DatesWithoutZone(Session):
    """INTERNALDATE has no time zone."""

    def item_internaldate(self, message: Message) -> bytes | None:
        return quoted(message.date[:-6].encode())


@quirk("size-without-carriage-returns", "stalwartlabs/vandelay#12")
class SizeWithoutCarriageReturns(Session):
    """RFC822.SIZE counts line ends as one byte."""

    def item_size(self, message: Message) -> bytes | None:
        return b"%d" % len(message.body.replace(b"\r\n", b"\n"))


@quirk("flags-left-out", "closeio/sync-engine#365")
class FlagsLeftOut(Session):
    """No FETCH response has FLAGS."""

    def item_flags(self, message: Message) -> bytes | None:
        return None


@quirk("flags-nil", "jstedfast/MailKit#943")
class FlagsNil(Session):
    """FLAGS is NIL for messages without flags."""

    def item_flags(self, message: Message) -> bytes | None:
        return super().item_flags(message) if message.flags else b"NIL"


@quirk("body-left-out", "NousResearch/hermes-agent#41486")
class BodyLeftOut(_OneMessage):
    """The responses for one message lack BODY[]; RFC822 has its content."""

    def fetch_lines(self, number: int, message: Message, items: list[tuple[bytes, bytes]]) -> bytes:
        kept = [item for item in items if not (self.is_wrong(message) and item[0].startswith(b"BODY[]"))]
        return super().fetch_lines(number, message, kept)


@quirk("body-cut", "Progressiverobot/hmailserver#26")
class BodyCut(_OneMessage):
    """BODY[] of one message ends in the middle; RFC822 and the parts are complete."""

    def fetch_lines(self, number: int, message: Message, items: list[tuple[bytes, bytes]]) -> bytes:
        if self.is_wrong(message):
            half = message.body[: len(message.body) // 2]
            items = [(name, literal(half) if name == b"BODY[]" else value) for name, value in items]
        return super().fetch_lines(number, message, items)


@quirk("other-content-at-each-fetch", "(Lotus Domino, Exchange)")
class OtherContentAtEachFetch(Session):
    """A message is made anew for each FETCH, with another boundary in it."""

    fetched = 0

    def item_content(self, message: Message, section: bytes, content: bytes) -> bytes | None:
        if section == b"":
            self.fetched += 1
            content += b"--boundary_%06d_%06d--\r\n" % (self.number, self.fetched)
        return super().item_content(message, section, content)

    def item_size(self, message: Message) -> bytes | None:
        return b"%d" % (len(message.body) + len(b"--boundary_000000_000000--\r\n"))


@quirk("header-nil")
class HeaderNil(Session):
    """Header fields are NIL; the whole content is there."""

    def item_content(self, message: Message, section: bytes, content: bytes) -> bytes | None:
        return b"NIL" if section.startswith(b"HEADER") else super().item_content(message, section, content)


class _OneOddMessage(Session):
    """The third message of INBOX is odd."""

    def is_odd(self, message: Message) -> bool:
        return message in self.box.inbox.messages[2:3]


@quirk("literal-negative")
class LiteralNegative(_OneOddMessage):
    """The content of one message is announced with a negative length, and left out."""

    def item_content(self, message: Message, section: bytes, content: bytes) -> bytes | None:
        odd = self.is_odd(message) and not section
        return b"{-1}\r\n" if odd else super().item_content(message, section, content)


@quirk("literal-enormous")
class LiteralEnormous(_OneOddMessage):
    """The content of one message is announced with 18 digits."""

    def item_content(self, message: Message, section: bytes, content: bytes) -> bytes | None:
        odd = self.is_odd(message) and not section
        return b"{999999999999999999}\r\n" if odd else super().item_content(message, section, content)


@quirk("size-enormous")
class SizeEnormous(_OneOddMessage):
    """RFC822.SIZE of one message has 19 digits."""

    def item_size(self, message: Message) -> bytes | None:
        return b"9223372036854775807" if self.is_odd(message) else super().item_size(message)


@quirk("internaldate-as-literal")
class InternaldateAsLiteral(Session):
    """INTERNALDATE is a literal."""

    def item_internaldate(self, message: Message) -> bytes | None:
        return literal(message.date.encode())


_NOTICE = b"""MIME-Version: 1.0
Content-Type: text/plain; charset="us-ascii"
From: Microsoft Exchange Server 2010
To: Reader <reader@old.example>
Subject: Retrieval using the IMAP4 protocol failed for the following
 message: %d
Content-Transfer-Encoding: quoted-printable

The server couldn't retrieve the following message:

Subject: "Canceled: Budget"
From: "Sender" ("/O=OLD/CN=SENDER")
Sent date: 3/4/2021 9:00:00 AM

The message hasn't been deleted. You might be able to view it using either =
Outlook or Outlook Web App. You can also contact the sender to find out what =
the message says.
""".replace(b"\n", b"\r\n")


@quirk("notice-for-a-message", "OfflineIMAP/offlineimap#62")
class NoticeForAMessage(Session):
    """The content of the third message of INBOX is a notice of Exchange that it cannot deliver it."""

    def item_content(self, message: Message, section: bytes, content: bytes) -> bytes | None:
        if message is not self.box.inbox.messages[2]:
            return super().item_content(message, section, content)
        notice = _NOTICE % message.uid
        return super().item_content(
            message, section, notice[: notice.find(b"\r\n\r\n") + 4] if section else notice
        )

    def item_size(self, message: Message) -> bytes | None:
        ours = message is self.box.inbox.messages[2]
        return b"%d" % len(_NOTICE % message.uid) if ours else super().item_size(message)


@quirk("notice-for-a-message-on-request", "OfflineIMAP/offlineimap#62")
class NoticeForAMessageOnRequest(NoticeForAMessage):
    """The same, and BODY.PEEK[] of that message alone is answered by OK without data."""

    def fetch_one(self, number: int, message: Message, items: list[bytes]) -> None:
        if b"BODY.PEEK[]" not in items or message is not self.box.inbox.messages[2]:
            super().fetch_one(number, message, items)
