"""The recount: what stands at both sides now, asked anew and held against the ledger.

It looks at the servers, not at what the copier believes: a copy counts as confirmed when its UID is
listed in the destination folder.
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
    """The account with the recount in it, and how much mail came in at the source meanwhile."""

    tally: FolderTally
    arrived: UidSet


def recount(lane: Lane, history: FolderHistory, tally: FolderTally) -> Recount:
    """Counts one folder again on both sides. Raises FolderUnusable when the source does not open it any
    more, FolderChanged when it is not the same folder."""
    shown, confirmed = run_both(
        lambda: lane.source.uids(history.source), lambda: _confirmed(lane, history, tally)
    )
    return Recount(recounted(tally, confirmed=confirmed, source_recount=len(shown)), history.todo(shown))


def _confirmed(lane: Lane, history: FolderHistory, tally: FolderTally) -> int:
    if not tally.copied:
        return 0
    try:
        there = lane.destination.uids(history.destination)
    except FolderUnusable:
        return 0
    named = history.copied_to
    # Without UIDPLUS the server named no UIDs for some: only their number can be held against the rest.
    unnamed = tally.copied - len(named)
    return len(named & there) + min(unnamed, len(there - history.destination_uids))
