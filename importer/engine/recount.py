"""The recount: lists both sides again and compares them with the ledger.

It relies on the servers, not on the copier's own state: a copy counts as confirmed if its UID is listed in
the destination folder. Messages beyond those that should be there are a surplus if their content is that of a
copy; mail that arrived from elsewhere is not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from importer.compact.uid_set import UidSet
from importer.concurrency import run_both
from importer.domain.messages.message_identity import digest
from importer.domain.model import FolderTally, NotHandedOut
from importer.domain.receipts.folder_history import (
    FolderHistory,
    recounted,
    with_changes,
    with_unlisted,
)
from importer.engine.leg_context import Lane
from importer.engine.read_back import read_back
from providers.errors import FolderChanged, FolderUnusable

MOST_READ: Final = 1000
"""Messages of a folder that are read to find out whether they are copies that should not be there."""


@dataclass(frozen=True, slots=True)
class Recount:
    """The tally with the recount in it, the UIDs that the source lists and that have no outcome yet, and how
    many messages the source counts beyond those that it lists, and how many more copies the destination
    folder holds than the ledger knows."""

    tally: FolderTally
    arrived: UidSet
    unlisted: int = 0
    surplus: int = 0


def recount(lane: Lane, history: FolderHistory, tally: FolderTally, surveyed_messages: int) -> Recount:
    """Count one folder again on both sides; `surveyed_messages` is the source's count before.

    Raises FolderUnusable if the source no longer opens the folder, FolderChanged if its UIDVALIDITY changed.
    """
    listed, copies = run_both(
        lambda: lane.source.uids(history.source), lambda: _confirmed(lane, history, tally)
    )
    unlisted = lane.source.unlisted(history.source)
    if len(listed) + unlisted < surveyed_messages:  # removed meanwhile, or STATUS counts more than EXISTS
        counted = lane.source.status(history.source.name).messages
        if len(listed) + unlisted < counted:  # the list may be older than the count
            listed = lane.source.uids(history.source)
            unlisted = max(lane.source.unlisted(history.source), counted - len(listed))
    tally = recounted(
        with_unlisted(tally, unlisted), confirmed=copies.confirmed, source_recount=len(listed) + unlisted
    )
    return Recount(with_changes(tally, copies.changes), history.todo(listed), unlisted, copies.surplus)


@dataclass(frozen=True, slots=True)
class _Copies:
    """How many of the copies the destination lists (None: it could not be asked), how many more, and how many
    it changed."""

    confirmed: int | None = 0
    surplus: int = 0
    changes: Mapping[str, int] = field(default_factory=dict)


def _confirmed(lane: Lane, history: FolderHistory, tally: FolderTally) -> _Copies:
    """Look for the copies at the destination, twice if not all are listed."""
    if not tally.copied:
        return _Copies()
    listed = _listed(lane, history)
    confirmed = None if listed is None else _seen(listed, history, tally)
    if confirmed != tally.copied:  # perhaps because of what came before on this connection
        lane.destination.renew()
        again = _listed(lane, history)
        if again is not None:
            listed = again
            confirmed = max(confirmed or 0, _seen(again, history, tally))
    surplus = 0 if listed is None else _surplus(lane, history, tally, listed)
    return _Copies(confirmed, surplus, read_back(lane, history))


def _listed(lane: Lane, history: FolderHistory) -> UidSet | None:
    """The messages that the destination lists; None if it does not open the folder."""
    try:
        return lane.destination.uids(history.destination)
    except FolderUnusable:
        return None


def _seen(listed: UidSet, history: FolderHistory, tally: FolderTally) -> int:
    """The number of copies among the messages listed."""
    known = history.copied_to
    # Without UIDPLUS the server reported no UIDs for some copies: only their number can be compared.
    unknown = tally.copied - len(known)
    others = listed - history.destination_uids
    return len(known & listed) + min(unknown, len(others))


def _surplus(lane: Lane, history: FolderHistory, tally: FolderTally, listed: UidSet) -> int:
    """The number of copies among the messages listed that the ledger does not know."""
    known = history.copied_to
    unknown = tally.copied - len(known)
    others = listed - history.destination_uids
    if not unknown:
        others = others.at_or_above(known.lowest or 1)
    if len(others) <= unknown:
        return 0
    counts = _known_contents(lane, history, others)
    if unknown:
        return sum(count - 1 for count in counts)
    # A copy that was moved away and back has another UID now.
    moved = len(history.destination_uids - listed)
    return max(0, sum(counts) - moved)


def _known_contents(lane: Lane, history: FolderHistory, uids: UidSet) -> Collection[int]:
    """How often each content that has a receipt occurs among messages without one. Usually these are few, new
    mail; of many, the latest are read."""
    counts: Counter[bytes] = Counter()
    latest = list(uids.chunks(MOST_READ))[-1:]
    try:
        for message in lane.destination.messages(history.destination, *latest):
            if not isinstance(message, NotHandedOut) and history.knows(content := digest(message.body)):
                counts[content] += 1
    except (FolderUnusable, FolderChanged):
        return ()
    return counts.values()
