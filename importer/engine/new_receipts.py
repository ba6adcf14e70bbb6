"""Builds the receipts of messages: of those that an append stored, and of those settled without an append."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from importer.compact.message_facts import DATE_BYTES, pack_facts
from importer.compact.uid_set import Uid
from importer.domain.messages.flags import fold_flags, unfold_flags
from importer.domain.messages.message_decision import Settle
from importer.domain.messages.message_key import MessageKey
from importer.domain.messages.stored_changes import DATE_LEFT_OUT
from importer.domain.model import ImportId
from importer.domain.receipts.receipt import Intent, Outcome, Receipt, ReceiptReason
from importer.engine.copy_target import Target


def copied_receipt(
    intent: Intent, stored: Sequence[int], destination_uids: Sequence[Uid], *, keywords_dropped: int = 0
) -> Receipt:
    """The receipt of those messages of an append that were stored: `stored` are their indexes, ascending."""
    everything = len(stored) == len(intent.source_uids)
    flags = unfold_flags(intent.flags) if not everything else []
    sizes = [intent.sizes_bytes[i] for i in stored]
    dates = intent.dates
    if dates and not everything:
        dates = b"".join(dates[DATE_BYTES * i : DATE_BYTES * (i + 1)] for i in stored)
    return Receipt(
        import_id=intent.import_id,
        source=intent.source,
        source_uids=intent.source_uids if everything else tuple(intent.source_uids[i] for i in stored),
        outcome=Outcome.COPIED,
        destination=intent.destination,
        destination_uids=tuple(destination_uids),
        digests=intent.digests if everything else b"".join(intent.digest_at(i) for i in stored),
        size_bytes=sum(sizes),
        keywords_dropped=keywords_dropped,
        flags=fold_flags(flags[i] for i in stored) if flags else intent.flags,
        marks=bytes(intent.marks[i] for i in stored) if intent.marks else b"",
        facts=pack_facts(sizes, dates),
    )


def with_dates_left_out(receipt: Receipt, left_out: Sequence[bool]) -> Receipt:
    """The receipt with marks for the messages that the server stored only without their dates."""
    marks = receipt.marks or bytes(len(receipt.source_uids))
    pairs = zip(marks, left_out, strict=True)
    return replace(receipt, marks=bytes(mark | (DATE_LEFT_OUT if out else 0) for mark, out in pairs))


def settled_receipts(
    import_id: ImportId, target: Target, settled: Iterable[tuple[MessageKey, Settle]]
) -> Iterator[Receipt]:
    """One receipt for each outcome and reason. That of SKIPPED messages has no digests: their content may be
    wanted by another import."""
    groups: dict[tuple[Outcome, ReceiptReason], list[tuple[MessageKey, Settle]]] = {}
    for key, settle in settled:
        groups.setdefault((settle.outcome, settle.reason), []).append((key, settle))
    for (outcome, reason), members in groups.items():
        uids = [settle.uid for _, settle in members if settle.uid is not None]
        is_skipped = outcome is Outcome.SKIPPED
        yield Receipt(
            import_id=import_id,
            source=target.source,
            source_uids=tuple(key.uid for key, _ in members),
            outcome=outcome,
            destination=target.folder,
            destination_uids=tuple(uids) if len(uids) == len(members) else (),
            digests=b"" if is_skipped else b"".join(key.digest for key, _ in members),
            reason=reason,
            facts=pack_facts([key.size_bytes for key, _ in members]),
        )
