"""Quirks that consist only of mail: messages at a source."""

from __future__ import annotations

from tests.rehearsal.quirks.mail import Folder, Mailbox, fill, internaldate, letter
from tests.rehearsal.quirks.registry import quirk
from tests.rehearsal.quirks.session import Session


@quirk("mail-like-protocol", "curl/curl#22951")
class MailLikeProtocol(Session):
    """A message whose lines look like the protocol."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        lines = (
            "M12 OK done",
            "* BYE",
            ")",
            "* 1 FETCH (UID 1 BODY[] {5}",
            "+ go on",
            "X-Spam-Flag: NO",
            ".",
        )
        extra = "".join(f"{line}\r\n" for line in lines).encode()
        box.inbox.add(letter(991, "protocol", extra=extra), [], internaldate(3))


@quirk("odd-keywords", "modoboa/modoboa#4204")
class OddKeywords(Session):
    """Messages have keywords that are not atoms or not ASCII, and EXAMINE lists one with a control
    character."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        odd = ("Café", "Important!", "Perso/Travail", "[odd]", "$Label1")
        for message, keyword in zip(box.inbox.messages, odd, strict=False):
            message.flags.add(keyword.encode())

    def known_flags(self, folder: Folder) -> bytes:
        return super().known_flags(folder) + b" a\x01b"


@quirk("odd-dates", "kdeldycke/mail-deduplicate#54")
class OddDates(Session):
    """At a source: INTERNALDATEs that are invalid dates, and Date fields in non-standard forms."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        forms = (
            "13 Dec 101 10:00:00 +0000",
            "Mon, 16 Mar 2009 16.03.09 +0100",
            "12 FEB 25 11:28:27 UT",
            "24/02/1999",
            "Thu, 01 Jan 1970 00:00:00 +0000",
        )
        for at, form in enumerate(forms):
            box.inbox.add(letter(993 + at, "date", date=form), [], "32-Jan-2020 25:00:00 +0000")


@quirk("message-with-nul", "imapsync/imapsync#124")
class MessageWithNul(Session):
    """At a source: one message of INBOX contains the byte NUL."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        box.inbox.add(letter(992, "nul", extra=b"a\0b\r\n"), [], internaldate(4))


@quirk("message-without-final-line-end", "jstedfast/MailKit#251")
class MessageWithoutFinalLineEnd(Session):
    """At a source: two messages of INBOX have no final line end, and others follow them."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        for message in box.inbox.messages[2:4]:
            message.body = message.body.rstrip(b"\r\n")


@quirk("five-hundred-messages", "mguessan/davmail#315")
class FiveHundredMessages(Session):
    """At a source: five hundred messages in INBOX."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        fill(box, b"INBOX", 492, first=10_001, size=500)


@quirk("one-thousand-messages", "forwardemail/forwardemail.net#425")
class OneThousandMessages(Session):
    """At a source: a thousand messages in INBOX."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        fill(box, b"INBOX", 992, first=10_001, size=500)


@quirk("ten-thousand-messages", "forwardemail/forwardemail.net#425")
class TenThousandMessages(Session):
    """At a source: ten thousand messages in INBOX."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        fill(box, b"INBOX", 9_992, first=10_001, size=500)


@quirk("exchange-2010", "(capability lines as older Exchange servers show them)")
class Exchange2010(Session):
    """Has the greeting and capabilities of Exchange on premises, and lists calendar, contacts and similar as
    folders, each with one or two items."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        for at, name in enumerate((b"Calendar", b"Contacts", b"Journal", b"Notes", b"Outbox", b"Tasks")):
            fill(box, name, 2, first=701 + 100 * at)

    def greeting(self) -> bytes:
        return b"* OK The Microsoft Exchange IMAP4 service is ready."

    def capabilities(self) -> bytes:
        return b"IMAP4 IMAP4rev1 AUTH=PLAIN UIDPLUS CHILDREN IDLE NAMESPACE LITERAL+"


@quirk("two-messages-of-one-id")
class TwoMessagesOfOneId(Session):
    """Two messages of INBOX have the same Message-ID and different contents."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        body = box.inbox.messages[0].body
        box.inbox.add(body.replace(b"goes on", b"goes away"), [], internaldate(5))


@quirk("keyworded-mail", "imapsync/imapsync#387")
class KeywordedMail(Session):
    """At a source: every message has a keyword."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        for messages in box.contents().values():
            for message in messages:
                message.flags.add(b"old.example")


@quirk("large-mail")
class LargeMail(Session):
    """At a source: three messages of some 9,000 bytes in INBOX."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        fill(box, b"INBOX", 3, first=10_001, size=9_000)


@quirk("mail-of-fifty-thousand-bytes")
class MailOfFiftyThousandBytes(Session):
    """At a source: three messages of some 50,000 bytes in INBOX."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        fill(box, b"INBOX", 3, first=10_001, size=50_000)


@quirk("line-feeds-in-mail")
class LineFeedsInMail(Session):
    """At a source: the messages of INBOX have line feeds without carriage returns."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        for message in box.inbox.messages:
            message.body = message.body.replace(b"\r\n", b"\n")


@quirk("thirty-folders")
class ThirtyFolders(Session):
    """The mailbox has thirty further folders with one message each."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        for number in range(30):
            fill(box, b"Box %02d" % number, 1, first=1000 + number)
