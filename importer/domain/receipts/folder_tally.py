"""The numbers of one folder, its refusals, and its checkpoint: its state once it was copied completely."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import Final

from importer.compact.uid_set import Uid, UidValidity
from importer.domain.mailbox_content import FolderRef, FolderStatus
from importer.domain.messages.skip_reason import SkipReason
from importer.domain.model import ImportId
from importer.domain.receipts.folder_listing import FolderListing
from providers.frozen import frozen
from providers.text import Text


class RefusalCode(StrEnum):
    """Why something could not be copied, machine-readable; `Refusal.reason` is the text. See
    docs/errors.md."""

    NOT_HANDED_OUT = "not_handed_out"  # the source lists the message but does not deliver it
    TOO_LARGE = "too_large"  # for the destination
    NOT_COMPARED = "not_compared"  # it may be at the destination already, in a form that cannot be told
    BEYOND_LIMIT = "beyond_limit"  # larger than Mailhaul copies
    NOT_TAKEN = "not_taken"  # the destination rejected the message
    BREAKS_CONNECTION = "breaks_connection"  # the destination closes the connection at each append of it
    FOLDER_UNUSABLE = "folder_unusable"  # cannot be opened, created or written to, on either side
    UNLISTED = "unlisted"  # the source counts messages that it does not list
    PARTLY_SHOWN = "partly_shown"  # the source lists only a part of the folder
    SURPLUS = "surplus"  # the destination holds more copies of the folder's messages than were made
    NEVER_SEEN = "never_seen"  # an earlier import copied it, and no recount has seen it
    OTHER = "other"


@frozen
class Refusal:
    """A message that could not be copied, or (`uid` None) a folder that could not be opened.

    `count` is the number of messages concerned, 0 if unknown. `partly`: the server lists only a part of the
    folder, and that part was copied.
    """

    import_id: ImportId
    folder: str
    uidvalidity: UidValidity
    uid: Uid | None
    reason: Text
    date: str = ""
    subject: str = ""
    size_bytes: int = 0
    count: int = 1
    partly: bool = False
    code: RefusalCode = RefusalCode.OTHER


@frozen
class FolderTally:
    """Message counts of one source folder. `found` is what the source listed; at the end `adds_up` is true.

    The recount is independent of the copier: `confirmed` of the `copied` messages were listed by the
    destination afterwards, and `source_recount` messages by the source. `elsewhere` messages have this
    folder's label and are counted in another label's folder. `flags_updated` messages had been copied before
    and got the source's current flags. `changes` counts the copied messages of which something was changed,
    by ChangeKind.

    `present` messages are at the destination without a copy by this import: the recount listed them. Of
    these, `unchecked` ones could not be looked up, and `recognised` ones were changed by another program.
    `gone` messages were copied or found there before and are no longer listed: their owner removed or moved
    them, so they stay away.

    `listing` names messages that the receipts do not show; None before the recount, and in imports of 0.2.0
    and earlier.
    """

    source_folder: str
    destination_folder: str
    found: int = 0
    copied: int = 0
    present: int = 0
    duplicate: int = 0
    skipped: Mapping[SkipReason, int] = field(default_factory=dict)
    failed: int = 0
    copied_bytes: int = 0
    keywords_dropped: int = 0
    confirmed: int | None = None
    source_recount: int | None = None
    elsewhere: int = 0
    flags_updated: int = 0
    recognised: int = 0
    changes: Mapping[str, int] = field(default_factory=dict)  # ChangeKind -> messages
    gone: int = 0
    unchecked: int = 0
    listing: FolderListing | None = None

    @property
    def skipped_total(self) -> int:
        return sum(self.skipped.values())

    @property
    def accounted(self) -> int:
        """The messages that have an outcome."""
        there = self.copied + self.present + self.duplicate
        return there + self.gone + self.skipped_total + self.failed

    @property
    def never_seen(self) -> int:
        """The `failed` messages that an earlier import copied, although no recount has seen them."""
        if self.listing is None:
            return 0
        return min(self.failed, len(self.listing.unseen - self.listing.departed))

    @property
    def not_copied(self) -> int:
        """The other `failed` messages."""
        return self.failed - self.never_seen

    @property
    def still_to_do(self) -> int:
        return max(0, self.found - self.accounted)

    @property
    def adds_up(self) -> bool:
        return self.found == self.accounted


@frozen
class FolderCheckpoint:
    """A folder that was copied completely, without a refusal. As long as both sides report the same state, it
    need not be searched again. `status` is the source's, `tally` that of import `import_id`.

    `destination_status` is the destination's status if nothing has changed since the recount listed it: its
    UIDNEXT grows with each message, so an equal number of messages means the same messages. None if it is
    unknown; MISSING_FOLDER if the folder was missing.
    """

    import_id: ImportId
    status: FolderStatus
    destination: FolderRef
    highest_uid: Uid  # of our messages at the destination, 0 if there are none
    tally: FolderTally
    destination_status: FolderStatus | None = None


MISSING_FOLDER: Final = FolderStatus(UidValidity(0), Uid(0), 0)
"""The status of a destination folder that its owner removed."""
