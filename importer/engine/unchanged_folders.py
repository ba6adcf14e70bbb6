"""Finds the folder pairs that need no work: neither side has changed since their checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from importer.domain.folder_mapping.folder_map import FolderPair
from importer.domain.mailbox_content import FolderStatus
from importer.domain.receipts.folder_history import unchanged
from importer.domain.receipts.folder_tally import MISSING_FOLDER, FolderCheckpoint
from importer.engine.leg_context import Leg
from importer.engine.leg_progress import LegProgress
from importer.engine.survey import Survey


def changed_folders(
    leg: Leg,
    checkpoints: Mapping[str, FolderCheckpoint],
    pairs: Sequence[FolderPair],
    source: Survey,
    destination: Survey,
    progress: LegProgress,
) -> list[FolderPair]:
    """The pairs that need work. The others are unchanged according to the servers' STATUS; their tallies go
    to `progress`.

    Another import of the route may have completed a folder that this one had begun. The tally of its
    checkpoint then counts our own copies as already there, so the folder is counted from the receipts.
    """
    changed: list[FolderPair] = []
    by_others = any(checkpoint.import_id != leg.import_.id for checkpoint in checkpoints.values())
    own = _copied_from(leg) if by_others and leg.import_.progress.folders_total else frozenset()
    for pair in pairs:
        checkpoint = checkpoints.get(pair.source.name)
        status = destination.statuses.get(pair.destination)
        if (
            checkpoint is None
            or checkpoint.status != source.statuses[pair.source.name]
            or (
                leg.import_.syncs_flags
                and not _same_flags(checkpoint.status, source.statuses[pair.source.name])
            )
            or checkpoint.destination.name != pair.destination
            or not _as_recounted(checkpoint, status, closed=pair.destination in destination.unusable)
            or leg.ledger.intents(leg.import_.route, pair.destination)
            or (checkpoint.import_id != leg.import_.id and pair.source.name in own)
        ):
            changed.append(pair)
        else:
            progress.add_unchanged(
                checkpoint.tally if checkpoint.import_id == leg.import_.id else unchanged(checkpoint)
            )
    return changed


def _copied_from(leg: Leg) -> frozenset[str]:
    """The source folders of which this import has copied something."""
    copies = leg.ledger.copies(leg.import_.route, leg.import_.id)
    return frozenset(one.receipt.source.name for one in copies)


def _same_flags(before: FolderStatus, now: FolderStatus) -> bool:
    """True only if it is certain: both sequences were read and the server keeps them (RFC 7162)."""
    return 0 < now.highest_modseq == before.highest_modseq


def _as_recounted(checkpoint: FolderCheckpoint, status: FolderStatus | None, *, closed: bool) -> bool:
    """Whether the numbers of the checkpoint's tally about the destination folder are still valid. `status` is
    None if the folder is missing, or `closed`: it cannot be opened."""
    tally = checkpoint.tally
    if not (tally.copied or tally.present or tally.duplicate or tally.gone):
        return True
    return not closed and (status or MISSING_FOLDER) == checkpoint.destination_status
