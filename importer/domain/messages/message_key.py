"""The identity of one message, held as long as its outcome is open."""

from __future__ import annotations

from typing import NamedTuple

from importer.compact.uid_set import Uid
from importer.domain.mailbox_content import Message
from importer.domain.messages.message_identity import digest_of_sent, header_block, with_crlf
from importer.domain.messages.stored_changes import content_marks


class MessageKey(NamedTuple):  # one per message, so a NamedTuple, as Message is
    """A message without its content. `digest` is that of the content; b"" if it was not fetched. `header` is
    empty once it is no longer needed. `marks` are those of the content (`stored_changes.py`)."""

    uid: Uid
    size_bytes: int = 0
    header: bytes = b""
    digest: bytes = b""
    marks: int = 0


def identified(message: Message) -> tuple[MessageKey, Message]:
    """The key of a message, and the message in the form to send: with CRLF line ends."""
    original, header = message.body, message.header
    body = with_crlf(original) if isinstance(original, bytes) else original
    if body is not original:
        message, header = message._replace(body=body), b""
    header = header or header_block(body)
    marks = content_marks(body, header, original)
    return MessageKey(message.uid, len(body), header, digest_of_sent(body), marks), message
