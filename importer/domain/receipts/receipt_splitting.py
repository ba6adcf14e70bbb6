"""Splitting a receipt into the entries that stay valid and those that do not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from importer.compact.message_facts import part_of_facts
from importer.compact.uid_set import UidSet
from importer.domain.messages.flags import fold_flags, unfold_flags
from importer.domain.receipts.receipt import Receipt


def split(receipt: Receipt, removes: Callable[[int], bool]) -> tuple[Receipt | None, Receipt | None]:
    """(kept entries, removed entries) of the receipt; None for no entries. `removes` decides by index.

    `size_bytes` is divided in proportion to the number of entries, since their single sizes are not recorded.
    """
    entries = range(len(receipt.source_uids))
    removed = {index for index in entries if removes(index)}
    if not removed:
        return receipt, None
    if len(removed) == len(entries):
        return None, receipt
    removed_bytes = receipt.size_bytes * len(removed) // len(entries)
    kept = [index for index in entries if index not in removed]
    return (
        _part(receipt, kept, receipt.size_bytes - removed_bytes),
        replace(_part(receipt, sorted(removed), removed_bytes), keywords_dropped=0),
    )


def without_copies(receipt: Receipt, uids: UidSet) -> Receipt | None:
    """The receipt without the copies that have these destination UIDs; None if nothing is left."""
    copies = receipt.destination_uids
    return split(receipt, lambda at: bool(copies) and copies[at] in uids)[0]


def _part(receipt: Receipt, indices: Sequence[int], size_bytes: int) -> Receipt:
    flags, destination_uids = unfold_flags(receipt.flags), receipt.destination_uids
    return replace(
        receipt,
        source_uids=tuple(receipt.source_uids[index] for index in indices),
        destination_uids=tuple(destination_uids[index] for index in indices) if destination_uids else (),
        digests=b"".join(receipt.digest_at(index) for index in indices) if receipt.digests else b"",
        flags=fold_flags(flags[index] for index in indices) if flags else "",
        size_bytes=size_bytes,
        marks=bytes(receipt.marks[index] for index in indices) if receipt.marks else b"",
        facts=part_of_facts(receipt.facts, len(receipt.source_uids), indices),
    )
