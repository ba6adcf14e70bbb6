"""The place of one message in the new mailbox, or the reason why it is not there."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from importer.compact.uid_set import Uid
from importer.domain.mailbox_content import FolderRef
from importer.domain.messages.message_identity import first_field
from importer.domain.receipts.receipt import ReceiptReason
from providers.frozen import frozen
from providers.text import Text


class Fate(StrEnum):
    """The outcome of a message according to the ledger."""

    COPIED = "copied"
    PRESENT = "present"
    DUPLICATE = "duplicate"
    SKIPPED = "skipped"
    FAILED = "failed"
    UNDONE = "undone"  # copied, and removed again by the undo
    UNKNOWN = "unknown"  # no outcome: newer than the import, or not reached yet


@frozen
class MessageTrace:
    """A message that one side lists now, and its record. `destination_uid` is None if it is not recorded.
    `reason` is that of the receipt or of a skip, `refusal` says why a message was not copied. `import_id`:
    the import that settled it. `source` is None if the message was found at the destination only and no
    receipt names it."""

    source: FolderRef | None
    source_uid: Uid | None
    fate: Fate
    destination_folder: str = ""
    destination_uid: Uid | None = None
    reason: ReceiptReason = None
    refusal: Text | None = None
    import_id: str = ""


_BRACKETS: Final = b"<> \t"


def has_message_id(header: bytes, message_id: str) -> bool:
    """Whether the Message-ID field of the header is this one, with or without angle brackets."""
    value = first_field(header, b"Message-ID")
    return value is not None and value.strip(_BRACKETS) == message_id.encode("utf-8", "replace").strip(
        _BRACKETS
    )
