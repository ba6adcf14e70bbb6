"""The copies of one folder that have marks: the changes made to them, and the sample that is read back."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from importer.compact.uid_set import Uid
from importer.domain.messages.stored_changes import READ_BACK, changed_before
from importer.domain.receipts.receipt import Receipt

PER_MARK: Final = 25
"""Copies with the same mark that are read back; servers treat all of them alike."""

MAX_READ_BYTES: Final = 4 << 20
"""Approximate limit of the bytes that are read back in one folder."""


class MarkedCopy(NamedTuple):
    """A copy to read back."""

    marks: int
    digest: bytes


@dataclass(slots=True)
class MarkedCopies:
    """Bounded: numbers by marks, and a sample."""

    sample: dict[Uid, MarkedCopy] = field(default_factory=dict)
    _numbers: Counter[int] = field(default_factory=Counter)  # by marks
    _sampled: Counter[int] = field(default_factory=Counter)  # by single mark
    _bytes_left: int = MAX_READ_BYTES

    def add(self, receipt: Receipt) -> None:
        """Add the copies of a receipt."""
        if not receipt.marks:
            return
        average_bytes = receipt.size_bytes // len(receipt.source_uids)
        for index, marks in enumerate(receipt.marks):
            if not marks:
                continue
            self._numbers[marks] += 1
            if receipt.destination_uids and marks & READ_BACK and self._bytes_left >= average_bytes:
                self._choose(receipt.destination_uids[index], marks, receipt.digest_at(index), average_bytes)

    def _choose(self, uid: Uid, marks: int, digest: bytes, size_bytes: int) -> None:
        single = [1 << bit for bit in range(8) if marks & READ_BACK & 1 << bit]
        if any(self._sampled[mark] < PER_MARK for mark in single):
            self._sampled.update(single)
            self.sample[uid] = MarkedCopy(marks, digest)
            self._bytes_left -= size_bytes

    @property
    def suspects(self) -> int:
        """The number of copies that the destination may have changed."""
        return sum(number for marks, number in self._numbers.items() if marks & READ_BACK)

    def changes(self) -> Counter[str]:
        """The changes that were made before the copies were sent."""
        counts: Counter[str] = Counter()
        for marks, number in self._numbers.items():
            counts.update(dict.fromkeys(changed_before(marks), number))
        return counts
