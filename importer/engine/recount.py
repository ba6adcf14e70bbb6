"""The recount: lists both sides again and compares them with the ledger.

It relies on the servers, not on the copier's own state: a copy counts as confirmed if its UID is listed in
the destination folder.
"""

from __future__ import annotations

from dataclasses import dataclass

from importer.compact.uid_set import UidSet
from importer.concurrency import run_both
from importer.domain.model import FolderTally
from importer.domain.receipts.folder_history import FolderHistory, recounted
from importer.engine.leg_context import Lane
from providers.errors import FolderUnusable


@dataclass(frozen=True, slots=True)
class Recount:
    """The tally with the recount in it, and the UIDs that the source lists and that have no outcome yet."""

    tally: FolderTally
    arrived: UidSet


def recount(lane: Lane, history: FolderHistory, tally: FolderTally) -> Recount:
    """Count one folder again on both sides.

    Raises FolderUnusable if the source no longer opens the folder, FolderChanged if its UIDVALIDITY changed.
    """
    listed, confirmed = run_both(
        lambda: lane.source.uids(history.source), lambda: _confirmed(lane, history, tally)
    )
    return Recount(recounted(tally, confirmed=confirmed, source_recount=len(listed)), history.todo(listed))


def _confirmed(lane: Lane, history: FolderHistory, tally: FolderTally) -> int:
    if not tally.copied:
        return 0
    try:
        listed = lane.destination.uids(history.destination)
    except FolderUnusable:
        return 0
    known = history.copied_to
    # Without UIDPLUS the server reported no UIDs for some copies: only their number can be compared.
    unknown = tally.copied - len(known)
    return len(known & listed) + min(unknown, len(listed - history.destination_uids))
