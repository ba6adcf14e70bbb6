"""Serialises a notice to the bytes that are sent (RFC 5322, RFC 2046)."""

from __future__ import annotations

import re
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from importer.domain.messages.message_identity import NOTICE_HEADER, notice_signature
from importer.ports.notices import Notice
from providers.frozen import frozen


@frozen
class Envelope:
    """Sender and recipient of a mail, with ASCII domains."""

    sender: Address
    recipient: Address

    @property
    def needs_utf8(self) -> bool:
        """True if a local part is not ASCII; only servers with SMTPUTF8 (RFC 6531) accept that."""
        return not (self.sender.username.isascii() and self.recipient.username.isascii())


def wire_message(notice: Notice, envelope: Envelope, notice_key: bytes) -> bytes:
    """The complete mail with CRLF line endings, including a final one. Dots are not yet stuffed.

    `Auto-Submitted` (RFC 3834) and Microsoft's `X-Auto-Response-Suppress` (MS-OXCMAIL 2.2.3.2.14) prevent
    out-of-office replies. `Precedence: bulk` is not set: it is not standardised, and some filters move such
    mail out of the inbox, although the recipient waits for it. The signature in X-Mailhaul-Notice lets later
    imports recognise the mail as Mailhaul's own. The body is ASCII, so that no relay has to change it.

    Raises ValueError if a header cannot represent its value.
    """
    message = EmailMessage(policy=SMTP.clone(utf8=envelope.needs_utf8))
    try:
        message["From"] = envelope.sender
        message["To"] = envelope.recipient
        message["Subject"] = notice.subject
        message["Date"] = format_datetime(notice.created_at)
        message["Message-ID"] = notice.message_id
        message["Auto-Submitted"] = "auto-generated"
        message["X-Auto-Response-Suppress"] = "All"
        message[NOTICE_HEADER] = notice_signature(notice_key, notice.message_id)
        message.set_content(notice.text, cte="quoted-printable")
        message.add_alternative(notice.html, subtype="html", cte="quoted-printable")
        data = _unfolded_blanks(message.as_bytes())
    except MessageError:
        raise ValueError("a header of this mail cannot be encoded") from None
    return data if data.endswith(b"\r\n") else data + b"\r\n"


def _unfolded_blanks(data: bytes) -> bytes:
    """The mail without blanks before the folds of its header: `email` leaves one before an encoded word,
    which readers show beside the one that the fold stands for (RFC 5322 section 2.2.3)."""
    header, separator, body = data.partition(b"\r\n\r\n")
    return re.sub(rb" +(?=\r\n )", b"", header) + separator + body
