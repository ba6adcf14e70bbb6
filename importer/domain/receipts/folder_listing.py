"""The outcomes of messages of one folder that receipts do not show. They are stored with the tally, so that
the evidence of an import names each message. Nearly always all sets are empty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from importer.compact.uid_set import UidSet, UidValidity
from importer.domain.messages.skip_reason import SkipReason
from providers.frozen import frozen


@frozen
class FolderListing:
    """Source UIDs, as the recount of one folder found them.

    `departed` have a receipt of an earlier import and are no longer listed by the source. `gone`, `unseen`
    and `unchecked` are those of `CopiesThere`. `left_out` were left out by choice, for `left_out_reason`. The
    two UIDVALIDITYs tell which receipts count.
    """

    source_uidvalidity: UidValidity
    destination_uidvalidity: UidValidity
    departed: UidSet = UidSet()
    gone: UidSet = UidSet()
    unseen: UidSet = UidSet()
    unchecked: UidSet = UidSet()
    left_out: UidSet = UidSet()
    left_out_reason: SkipReason | None = None

    def as_json(self) -> dict[str, Any]:
        """Numbers, and the sets that are not empty as IMAP uid-sets."""
        sets = {name: str(uids) for name in _SETS if (uids := getattr(self, name))}
        reason = {} if self.left_out_reason is None else {"left_out_reason": str(self.left_out_reason)}
        return {
            "source": self.source_uidvalidity,
            "destination": self.destination_uidvalidity,
            **reason,
            **sets,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Inverse of `as_json`."""
        sets = {name: UidSet.parse(stored[name]) for name in _SETS if name in stored}
        return cls(
            UidValidity(stored["source"]),
            UidValidity(stored["destination"]),
            left_out_reason=SkipReason.read(reason) if (reason := stored.get("left_out_reason")) else None,
            **sets,
        )


_SETS = ("departed", "gone", "unseen", "unchecked", "left_out")
