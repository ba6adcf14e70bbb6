"""Message counts by outcome, summed over folders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import field

from importer.domain.messages.skip_reason import SkipReason
from importer.domain.receipts.folder_tally import FolderTally
from providers.frozen import frozen


@frozen
class Totals:
    """Message counts by outcome of several folders; `confirmed` is None until all copies were recounted.
    `unchecked` of the `copied` and `present` messages could not be looked up at the destination."""

    found: int = 0
    copied: int = 0
    present: int = 0
    duplicate: int = 0
    skipped: Mapping[SkipReason, int] = field(default_factory=dict)  # most frequent first
    failed: int = 0
    never_seen: int = 0  # of `failed`: an earlier import copied them, and no recount has seen them
    copied_bytes: int = 0
    keywords_dropped: int = 0
    flags_updated: int = 0
    recognised: int = 0  # of `present`: changed by another program
    changes: Mapping[str, int] = field(default_factory=dict)  # ChangeKind -> messages
    gone: int = 0
    confirmed: int | None = None
    unchecked: int = 0

    @classmethod
    def of(cls, tallies: Iterable[FolderTally]) -> Totals:
        folders = tuple(tallies)
        reasons: Counter[SkipReason] = Counter()
        for folder in folders:
            reasons.update(folder.skipped)
        changes: Counter[str] = Counter()
        for folder in folders:
            changes.update(folder.changes)
        recounts = [folder.confirmed for folder in folders if folder.copied or folder.confirmed is not None]
        confirmed = [recount for recount in recounts if recount is not None]
        return cls(
            found=sum(folder.found for folder in folders),
            copied=sum(folder.copied for folder in folders),
            present=sum(folder.present for folder in folders),
            duplicate=sum(folder.duplicate for folder in folders),
            skipped=dict(reasons.most_common()),
            failed=sum(folder.failed for folder in folders),
            never_seen=sum(folder.never_seen for folder in folders),
            copied_bytes=sum(folder.copied_bytes for folder in folders),
            keywords_dropped=sum(folder.keywords_dropped for folder in folders),
            flags_updated=sum(folder.flags_updated for folder in folders),
            recognised=sum(folder.recognised for folder in folders),
            changes=dict(changes),
            confirmed=sum(confirmed) if recounts and len(confirmed) == len(recounts) else None,
            gone=sum(folder.gone for folder in folders),
            unchecked=sum(
                folder.unchecked
                + (folder.copied if folder.confirmed is None and folder.source_recount is not None else 0)
                for folder in folders
            ),
        )

    @property
    def skipped_total(self) -> int:
        return sum(self.skipped.values())

    @property
    def not_copied(self) -> int:
        """The failed messages of which no copy was made."""
        return self.failed - self.never_seen

    @property
    def in_destination(self) -> int:
        """Source messages whose content is in the new mailbox."""
        return self.copied + self.present + self.duplicate

    @property
    def accounted(self) -> int:
        return self.in_destination + self.gone + self.skipped_total + self.failed

    @property
    def still_to_do(self) -> int:
        """Messages without an outcome, of an import that has not come to its end."""
        return max(0, self.found - self.accounted)

    @property
    def adds_up(self) -> bool:
        return self.found == self.accounted

    @property
    def unconfirmed(self) -> int:
        """Copied messages that the recount did not find; 0 before the recount."""
        return 0 if self.confirmed is None else max(0, self.copied - self.confirmed)

    def as_json(self) -> dict[str, object]:
        return {
            "found": self.found,
            "copied": self.copied,
            "already_there": self.present,
            "gone": self.gone,
            "duplicate": self.duplicate,
            "skipped": self.skipped_total,
            "skipped_codes": {str(why): number for why, number in self.skipped.items()},
            "failed": self.failed,
            "copied_bytes": self.copied_bytes,
            "keywords_dropped": self.keywords_dropped,
            "flags_updated": self.flags_updated,
            "recognised": self.recognised,
            "changes": dict(self.changes),
            "confirmed": self.confirmed,
            "unchecked": self.unchecked,
            "still_to_do": self.still_to_do,
            "adds_up": self.adds_up,
        }
