"""The rows of the ledger: intents of appends, and receipts of their outcomes."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final, TypeAlias

from importer.compact.digest_set import digest_at
from importer.compact.uid_set import Uid, UidValidity
from importer.domain.mailbox_content import FolderRef
from importer.domain.messages.skip_reason import SkipReason
from importer.domain.model import ImportId
from providers.frozen import frozen

FORMER_UIDVALIDITY: Final = UidValidity(-1)
"""The UIDVALIDITY of receipts whose source folder was renumbered without a new UIDVALIDITY: their UIDs mean
nothing any more, their digests still count. At the destination: of messages that were sent to a folder that
was renumbered since, and that were not found there."""

ANY_UIDVALIDITY: Final = UidValidity(0)
"""The UIDVALIDITY of receipts whose destination folder was removed and is to be created again: such receipts
are valid for the new folder."""


class Outcome(StrEnum):
    """The result for one source message. Each message that the source listed has exactly one."""

    COPIED = "copied"
    PRESENT = "present"  # was already at the destination
    DUPLICATE = "duplicate"  # same content as another message for the same destination folder
    SKIPPED = "skipped"  # with a reason
    FAILED = "failed"  # with a reason: a Refusal


class CopyNote(StrEnum):
    """A note on messages that were copied, or were there."""

    CHANGED_ELSEWHERE = "recognised, though changed by another program"
    """PRESENT messages that are at the destination in a form that another program is known to make of
    messages (`messages/canonical_form.py`)."""

    UNSEEN = "not seen since"
    """COPIED messages that the recount did not see. Without a destination UID nothing proves that the server
    ever stored them: an import that begins an hour later copies them again (MAY_APPEAR_FOR)."""

    UNSEEN_TWICE = "not seen since, sent twice"
    """COPIED messages without a destination UID that were sent again because no recount had seen them,
    and were not seen again. They are not sent a third time."""

    IN_REMOVED_FOLDER = "copied into a folder that its owner removed"
    """COPIED messages once their folder was removed: that a folder which is created later under its name does
    not hold them says nothing about whether they were stored."""


NEVER_SEEN: Final = (CopyNote.UNSEEN, CopyNote.UNSEEN_TWICE)

ReceiptReason: TypeAlias = CopyNote | SkipReason | None
"""Of SKIPPED messages, a SkipReason."""


def read_reason(stored: str) -> ReceiptReason:
    """Inverse of `stored_reason`, of any text."""
    try:
        return CopyNote(stored)
    except ValueError:
        return SkipReason.read(stored) if stored else None


def stored_reason(reason: ReceiptReason) -> str:
    """As the ledger keeps it; "" for None."""
    return "" if reason is None else str(reason)


def skip_reason_of(reason: ReceiptReason) -> SkipReason:
    """That of SKIPPED messages."""
    return reason if isinstance(reason, SkipReason) else SkipReason(stored_reason(reason))


class ChangeKind(StrEnum):
    """A change of copied messages; see docs/usage/report.md. The first four by Mailhaul, so that the
    destination keeps the message, the others at the destination, as far as copies were read back."""

    DATE_FROM_FIELD = "date_from_field"  # no date that servers keep: the Date field's
    DATE_UNKNOWN = "date_unknown"  # no date at all: 1 January 1970
    DATE_MOVED = "date_moved"  # the epoch: one second later
    LINE_ENDS = "line_ends"  # a bare LF: CRLF
    DATE_NOT_KEPT = "date_not_kept"
    NUL_REPLACED = "nul_replaced"
    HEADER_8BIT = "header_8bit"  # 8-bit characters in the header
    LAST_LINE_ENDED = "last_line_ended"
    BARE_CR = "bare_cr"
    CONTENT = "content"  # in another way
    FLAGS_NOT_KEPT = "flags_not_kept"
    MOVED = "moved"  # into another folder, seen by the recount
    UNCHECKED = "unchecked"  # could have been changed by the destination, and was not read back


@frozen
class Receipt:
    """The record of one append batch, or of messages settled without an append: one row in the ledger.

    `source_uids`, `destination_uids` and `digests` (DIGEST_BYTES each) are parallel sequences.
    `destination_uids` is empty if the server reports none, and for DUPLICATE and SKIPPED. `digests` is empty
    for SKIPPED. `flags` holds the flags that COPIED messages were appended with, updated by flag
    synchronisation (`messages/flags.py`). `marks` has a byte for each COPIED message
    (`messages/stored_changes.py`); empty if all are 0. `facts` has size and date of each message
    (`compact/message_facts.py`), as far as they are known.
    """

    import_id: ImportId
    source: FolderRef
    source_uids: tuple[Uid, ...]
    outcome: Outcome
    destination: FolderRef
    destination_uids: tuple[Uid, ...] = ()
    digests: bytes = b""
    size_bytes: int = 0
    reason: ReceiptReason = None
    keywords_dropped: int = 0
    flags: str = ""
    marks: bytes = b""
    facts: bytes = b""

    def digest_at(self, index: int) -> bytes:
        return digest_at(self.digests, index)


@frozen
class Intent:
    """Written before an append: the messages about to be sent, and the destination's UIDNEXT, which is a
    lower bound for the UIDs they will get."""

    import_id: ImportId
    source: FolderRef
    source_uids: tuple[Uid, ...]
    destination: FolderRef
    uidnext: Uid
    digests: bytes
    sizes_bytes: tuple[int, ...]
    sent_at: datetime
    flags: str = ""  # as in Receipt
    slot: int = 0  # of the lane that sends it; a folder has at most one open intent per slot
    marks: bytes = b""  # as in Receipt
    dates: bytes = b""  # `message_facts.pack_date` of each message

    def digest_at(self, index: int) -> bytes:
        return digest_at(self.digests, index)
