"""The copies of one folder whose size at the destination is compared: the large ones, which servers and virus
scanners cut, and a few others, which show whether a server changes all mail."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from importer.compact.message_facts import unpack_facts
from importer.compact.uid_set import Uid
from importer.domain.messages.stored_changes import READ_BACK
from importer.domain.receipts.receipt import Receipt

LARGE_BYTES: Final = 32 << 10
MOST_LARGE: Final = 1000
FEW: Final = 5


class SizedCopy(NamedTuple):
    """A copy as it was sent."""

    size_bytes: int
    digest: bytes


@dataclass(slots=True)
class SizedCopies:
    """Bounded. Copies with marks that are read back anyway are left out."""

    large: dict[Uid, SizedCopy] = field(default_factory=dict)
    few: dict[Uid, SizedCopy] = field(default_factory=dict)

    def add(self, receipt: Receipt) -> None:
        """Add copies of a receipt."""
        may_be_large = receipt.size_bytes >= LARGE_BYTES and len(self.large) < MOST_LARGE
        if not receipt.destination_uids or not (may_be_large or len(self.few) < FEW):
            return
        for at, (size_bytes, _) in enumerate(unpack_facts(receipt.facts, len(receipt.source_uids))):
            if receipt.marks and receipt.marks[at] & READ_BACK:
                continue
            chosen, most = (self.large, MOST_LARGE) if size_bytes >= LARGE_BYTES else (self.few, FEW)
            if size_bytes and len(chosen) < most:
                chosen[receipt.destination_uids[at]] = SizedCopy(size_bytes, receipt.digest_at(at))
