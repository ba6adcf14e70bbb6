"""Taking a receipt apart: what still counts, and what does not any more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from importer.domain.messages.flags import fold_flags, unfold_flags
from importer.domain.model import Receipt


def split(receipt: Receipt, goes: Callable[[int], bool]) -> tuple[Receipt | None, Receipt | None]:
    """(what stays, what goes): the entries of the receipt by index, None for nothing. Bytes are shared out
    by number, since nobody knows them one by one."""
    entries = range(len(receipt.source_uids))
    going = {at for at in entries if goes(at)}
    if not going:
        return receipt, None
    if len(going) == len(entries):
        return None, receipt
    gone_bytes = receipt.size_bytes * len(going) // len(entries)
    stays = _part(receipt, [at for at in entries if at not in going], receipt.size_bytes - gone_bytes)
    return stays, replace(_part(receipt, sorted(going), gone_bytes), keywords_dropped=0)


def _part(receipt: Receipt, at: Sequence[int], size_bytes: int) -> Receipt:
    flags = unfold_flags(receipt.flags)
    return replace(
        receipt,
        source_uids=tuple(receipt.source_uids[i] for i in at),
        destination_uids=tuple(receipt.destination_uids[i] for i in at) if receipt.destination_uids else (),
        digests=b"".join(receipt.digest_at(i) for i in at) if receipt.digests else b"",
        flags=fold_flags(flags[i] for i in at) if flags else "",
        size_bytes=size_bytes,
    )
