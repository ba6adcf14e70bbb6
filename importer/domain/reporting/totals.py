"""Messages by outcome, added up over folders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from importer.domain.model import FolderTally


@dataclass(frozen=True, slots=True)
class Totals:
    """Messages by outcome over several folders; `confirmed` is None until all copies were recounted."""

    found: int = 0
    copied: int = 0
    present: int = 0
    duplicate: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)  # reason -> messages, most frequent first
    failed: int = 0
    copied_bytes: int = 0
    keywords_dropped: int = 0
    flags_updated: int = 0
    confirmed: int | None = None

    @classmethod
    def of(cls, tallies: Iterable[FolderTally]) -> Totals:
        rows = tuple(tallies)
        reasons: Counter[str] = Counter()
        for row in rows:
            reasons.update(row.skipped)
        recounts = [row.confirmed for row in rows if row.copied or row.confirmed is not None]
        confirmed = [recount for recount in recounts if recount is not None]
        return cls(
            found=sum(row.found for row in rows),
            copied=sum(row.copied for row in rows),
            present=sum(row.present for row in rows),
            duplicate=sum(row.duplicate for row in rows),
            skipped=dict(reasons.most_common()),
            failed=sum(row.failed for row in rows),
            copied_bytes=sum(row.copied_bytes for row in rows),
            keywords_dropped=sum(row.keywords_dropped for row in rows),
            flags_updated=sum(row.flags_updated for row in rows),
            confirmed=sum(confirmed) if recounts and len(confirmed) == len(recounts) else None,
        )

    @property
    def skipped_total(self) -> int:
        return sum(self.skipped.values())

    @property
    def in_destination(self) -> int:
        """Source messages whose content the new mailbox holds (or held until its owner removed it)."""
        return self.copied + self.present + self.duplicate

    @property
    def accounted(self) -> int:
        return self.in_destination + self.skipped_total + self.failed

    @property
    def adds_up(self) -> bool:
        return self.found == self.accounted

    @property
    def unconfirmed(self) -> int:
        """Copied, but not seen at the recount; 0 while there was none."""
        return 0 if self.confirmed is None else max(0, self.copied - self.confirmed)

    def as_json(self) -> dict[str, object]:
        return {
            "found": self.found,
            "copied": self.copied,
            "already_there": self.present,
            "duplicate": self.duplicate,
            "skipped": self.skipped_total,
            "skipped_reasons": dict(self.skipped),
            "failed": self.failed,
            "copied_bytes": self.copied_bytes,
            "keywords_dropped": self.keywords_dropped,
            "flags_updated": self.flags_updated,
            "confirmed": self.confirmed,
            "adds_up": self.adds_up,
        }
