"""Recognises the notice that Exchange delivers in place of a message that it cannot convert.

It has the UID of the message and is not the message: “Retrieval using the IMAP4 protocol failed for the
following message: 20004”, from “Microsoft Exchange Server 2010” (OfflineIMAP/offlineimap#62,
s1t5/mail-archiver#527, read 2026-12-01). Its sender has no address, it has no Message-ID, and its subject
ends in its UID. A copy of such a notice that somebody stored has another UID. The words may depend on the
language of the mailbox and do not matter.
"""

from __future__ import annotations

from email import message_from_bytes
from typing import Final

from importer.domain.messages.message_body import Body
from importer.domain.messages.message_identity import first_field

_SENDER: Final = b"Microsoft Exchange"
_MAX_BYTES: Final = 16 << 10
_MAX_CHARACTERS: Final = 300


def is_stand_in(uid: int, body: Body, header: bytes) -> bool:
    """Whether the content is such a notice. `header` is its `header_block`."""
    if _SENDER not in header or len(body) > _MAX_BYTES:  # fast, since every message passes here
        return False
    sender = first_field(header, b"From") or b""
    subject = first_field(header, b"Subject") or b""
    return (
        sender.strip(b'"').startswith(_SENDER)
        and b"@" not in sender
        and first_field(header, b"Message-ID") is None
        and subject.split(b" ")[-1] == b"%d" % uid
    )


def about_original(body: Body) -> str:
    """What the notice says about the message: its second paragraph has subject, sender and date. "" if it has
    none."""
    if not isinstance(body, bytes):
        return ""
    notice = message_from_bytes(body)
    content = notice.get_payload(decode=True)
    text = (
        content.decode(_charset(notice.get_content_charset()), "replace")
        if isinstance(content, bytes)
        else ""
    )
    paragraphs = [" ".join(lines.split()) for lines in text.replace("\r\n", "\n").split("\n\n")]
    return next(iter([lines for lines in paragraphs if lines][1:]), "")[:_MAX_CHARACTERS]


def _charset(name: str | None) -> str:
    try:
        "".encode(name or "utf-8")
    except LookupError:
        return "utf-8"
    return name or "utf-8"
