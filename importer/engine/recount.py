"""The recount: lists both sides again and compares them with the ledger.

It relies on the servers, not on the copier's own state: a message counts as being at the destination if its
UID is listed there. Where the UID is unknown, or is no longer listed while other messages without a receipt
are, these are compared (`missing_copies.py`): its owner may have moved it away and back. Messages beyond
those that should be there are a surplus if their content is that of a copy; mail that arrived from elsewhere
is not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from importer.compact.uid_set import Uid, UidSet
from importer.concurrency import run_both
from importer.domain.mailbox_content import FolderStatus, NotHandedOut
from importer.domain.messages.message_identity import digest
from importer.domain.planning.retry_policy import decisive
from importer.domain.receipts.copies_there import CopiesThere, copies_there, digests_of
from importer.domain.receipts.folder_history import (
    FolderHistory,
    recounted,
    with_changes,
    with_unlisted,
)
from importer.domain.receipts.folder_tally import MISSING_FOLDER, FolderTally
from importer.domain.receipts.receipt import ChangeKind, Outcome, Receipt
from importer.engine.leg_context import Lane
from importer.engine.missing_copies import MOST_READ, FoundCopies, find_copies
from importer.engine.moved_copies import find_moved
from importer.engine.read_back import read_back
from importer.ports.mailbox_errors import FolderChanged, FolderUnusable
from providers.frozen import frozen

MOST_COMPARED: Final = 20_000
"""Messages of a folder whose headers are read to find copies without a known UID among them."""

MOST_BETWEEN: Final = 50
"""Messages that may have come between our look and our first append, if an earlier leg looked."""


@frozen
class UidLists:
    """The UIDs that both sides have just listed, together with other folders; None: not listed yet."""

    source: UidSet | None = None
    destination: UidSet | None = None


@frozen
class FolderLedger:
    """The parts of the ledger that the recount of one folder needs: all receipts into the destination folder;
    the digests of what is known in any folder (`find_moved`); the contents that other routes copied into the
    destination folder; the source UIDs of this import's copies that an earlier leg saw there."""

    receipts: Callable[[], Iterator[Receipt]]
    recorded_in: Callable[[str], Iterable[bytes]]
    copied_by_others: Callable[[], Iterable[bytes]]
    seen_before: Callable[[], UidSet]


@frozen
class Recount:
    """The tally with the recount in it, the UIDs that the source lists and that have no outcome yet, how many
    messages the source counts beyond those that it lists, and how many more copies the destination folder
    holds than the ledger knows. `destination` is its status as of the recount (`FolderCheckpoint`), None if
    it was not listed."""

    tally: FolderTally
    arrived: UidSet
    unlisted: int = 0
    surplus: int = 0
    destination: FolderStatus | None = None


def recount(
    lane: Lane,
    history: FolderHistory,
    tally_of_history: Callable[[], FolderTally],
    surveyed_messages: int,
    ledger: FolderLedger,
    already: UidLists,
    waits: Iterator[None],
    *,
    missing: bool = False,
) -> Recount:
    """Count one folder again on both sides and set `history.there`; `surveyed_messages` is the source's count
    before. The destination folder is `missing` if its owner removed it. UIDs `already` listed are not
    requested again, unless one is missing. `waits` waits before each item: as long as copies are not listed,
    they are looked for once more after each.

    Raises FolderUnusable if the source no longer opens the folder, FolderChanged if its UIDVALIDITY changed.
    """
    copied = tally_of_history().copied

    def looked_up() -> tuple[UidSet | None, Mapping[str, int]]:
        there = _listed_there(lane, history, copied, already.destination, waits, missing=missing)
        return there, read_back(lane, history) if copied and not missing else {}

    listed, (there, changes) = run_both(
        lambda: lane.source.uids(history.source) if already.source is None else already.source,
        looked_up,
        decisive,
        lane.beside,
    )
    unlisted = lane.source.unlisted(history.source)
    if len(listed) + unlisted < surveyed_messages:  # removed meanwhile, or STATUS counts more than EXISTS
        counted = lane.source.status(history.source.name).messages
        if len(listed) + unlisted < counted:  # the list may be older than the count
            listed = lane.source.uids(history.source)
            unlisted = max(lane.source.unlisted(history.source), counted - len(listed))
    complete = there is not None and (missing or not lane.destination.unlisted(history.destination))
    history.there = _there(lane, history, ledger, there, complete=complete)
    if complete and not missing:
        history.there = _with_moved(lane, history, ledger)
    moved = len(history.there.moved & history.copied_here)
    confirmed = None
    if not copied:
        confirmed = 0
    elif there is not None:
        confirmed = _seen(there, history, copied) + moved + len(history.there.back)
    tally = recounted(
        with_unlisted(tally_of_history(), unlisted),
        confirmed=confirmed,
        source_recount=len(listed) + unlisted,
    )
    return Recount(
        with_changes(tally, {**changes, ChangeKind.MOVED: moved} if moved else changes),
        history.todo(listed),
        unlisted,
        _surplus(lane, history, copied, there, ledger.receipts)
        if there is not None and (copied or history.there.unproven)
        else 0,
        _status(history, there, missing=missing) if complete and there is not None else None,
    )


def _listed_there(
    lane: Lane,
    history: FolderHistory,
    copied: int,
    already: UidSet | None,
    waits: Iterator[None],
    *,
    missing: bool,
) -> UidSet | None:
    """The messages that the destination lists, asked again if these are not all copies: at once, and then
    after each of `waits`. None if it could not be asked, or if the tally says of no message that it is
    there."""
    if missing or not history.claims_presence:
        return UidSet() if missing else None

    def lacks_copies(listed: UidSet | None) -> bool:
        return listed is not None and copied > 0 and _seen(listed, history, copied) != copied

    listed = already if already is not None else _listed(lane, history)
    if listed is None or lacks_copies(listed):
        lane.destination.renew()  # perhaps because of what came before on this connection
        listed = _also(listed, _listed(lane, history))
    for _ in waits if lacks_copies(listed) else ():
        listed = _also(listed, _listed(lane, history))
        if not lacks_copies(listed):
            break
    return listed


def _also(listed: UidSet | None, again: UidSet | None) -> UidSet | None:
    return listed if again is None else (listed or UidSet()) | again


def _listed(lane: Lane, history: FolderHistory) -> UidSet | None:
    """The messages that the destination lists; None if it does not open the folder."""
    try:
        return lane.destination.uids(history.destination)
    except FolderUnusable:
        return None


def _status(history: FolderHistory, listed: UidSet, *, missing: bool) -> FolderStatus:
    if missing:
        return MISSING_FOLDER
    uidnext = Uid(max(history.uidnext or 0, (listed.highest or 0) + 1))
    return FolderStatus(history.destination.uidvalidity, uidnext, len(listed))


# --- Messages with a receipt ------------------------------------------------------------------------------


def _there(
    lane: Lane,
    history: FolderHistory,
    ledger: FolderLedger,
    listed: UidSet | None,
    *,
    complete: bool,
) -> CopiesThere:
    """The messages with a receipt that the destination holds. `complete`: it lists as many as it counts."""
    if listed is None:
        return CopiesThere(unknown=history.claims_presence)
    others = listed - history.destination_uids
    missing = history.destination_uids - listed
    if not missing and _numbers_suffice(history, others):
        return CopiesThere()
    by_uid = copies_there(
        lambda: (receipt for receipt in ledger.receipts() if history.counts(receipt)),
        history.import_id,
        history.source,
        listed,
    )
    ours, unnumbered = history.copied_here, by_uid.unnumbered
    seen = ledger.seen_before() if by_uid.lost or unnumbered & ours else UidSet()
    removed = by_uid.lost & seen  # by the owner, since an earlier leg of this import
    by_uid = replace(by_uid, gone=by_uid.gone | removed, lost=by_uid.lost - removed)
    doubtful = by_uid.gone | by_uid.never_seen | unnumbered
    if not by_uid.unnumbered:  # a message that was moved away and back has a higher UID now
        others = others.at_or_above(missing.lowest or 1)
    if len(others) > MOST_COMPARED:
        return replace(by_uid, unchecked=unnumbered, unnumbered=UidSet())
    try:
        found = (
            find_copies(
                lane,
                history,
                by_uid,
                others,
                lambda uids: digests_of(ledger.receipts(), history.source, uids),
                ledger.copied_by_others,
            )
            if doubtful and others
            else FoundCopies()
        )
    except FolderUnusable:
        return CopiesThere(unchecked=doubtful)
    if not complete:
        return CopiesThere(unchecked=doubtful)
    decided = found.there | found.unchecked
    unnumbered = unnumbered - decided
    # As long as there is another message without a receipt, it may be the copy, altered by the server.
    spare = len(others) > found.used
    open_ = unnumbered & (ours - seen)
    perhaps = open_ if spare else UidSet()
    twins = UidSet.of(uid for uid, first in by_uid.twins.items() if first in perhaps)
    return CopiesThere(
        gone=(by_uid.gone | (unnumbered - open_ - twins - by_uid.unproven)) - decided,
        never_seen=(by_uid.never_seen | (unnumbered & by_uid.unproven)) - decided,
        unchecked=found.unchecked,
        lost=by_uid.lost if spare else by_uid.lost | open_,
        unnumbered=unnumbered & ours,
        unproven=by_uid.unproven,
        back=removed & found.there,
    )


def _with_moved(lane: Lane, history: FolderHistory, ledger: FolderLedger) -> CopiesThere:
    """`history.there`, after a search in the other folders for copies that no recount has seen here."""
    there = history.there
    sought = (there.lost | there.unnumbered | there.never_seen) - there.gone
    contents = digests_of(ledger.receipts(), history.source, sought) if sought else {}
    moved = find_moved(lane, history.source, history.destination, contents, ledger.recorded_in)
    return replace(
        there,
        gone=there.gone | (there.never_seen & moved),
        never_seen=there.never_seen - moved,
        lost=there.lost - moved,
        moved=moved,
    )


def _numbers_suffice(history: FolderHistory, others: UidSet) -> bool:
    """Whether all messages without a known destination UID are copies that this import just made, and just as
    many messages without a receipt are listed, with the UIDs from 1 on.

    A copy that was removed leaves a gap, although other mail that arrived makes the number right. Of a folder
    too large to compare, the number decides.
    """
    if not history.unnumbered:
        return True
    ours = len(history.copied_here) - len(history.copied_to)
    if not len(others) == history.unnumbered == ours:
        return False
    return others.highest == len(others) or len(others) > MOST_COMPARED


# --- Copies of this import -------------------------------------------------------------------------------


def _seen(listed: UidSet, history: FolderHistory, copied: int) -> int:
    """The number of copies among the messages listed."""
    known = history.copied_to
    # Without UIDPLUS the server reported no UIDs for some copies: their number is compared, or their headers.
    unknown = copied - len(known)
    others = listed - history.destination_uids
    return len(known & listed) + min(unknown - len(history.there.unnumbered), len(others))


def _surplus(
    lane: Lane,
    history: FolderHistory,
    copied: int,
    listed: UidSet,
    receipts: Callable[[], Iterator[Receipt]],
) -> int:
    """The number of copies among the messages listed that the ledger does not know."""
    known = history.copied_to
    unknown = copied - len(known)
    if history.there.unproven:  # copies of earlier imports that have come into sight may be among them
        unknown = max(unknown, history.unnumbered)
    others = listed - history.destination_uids
    if not unknown:  # what came between our look and our first append has a lower UID than our copies
        lowest = known.lowest or Uid(1)
        looked = history.opened_at or Uid(max(1, lowest - MOST_BETWEEN))  # an earlier leg looked
        others = others.at_or_above(min(lowest, looked))
    if len(others) <= unknown:
        return 0
    found = _known_contents(lane, history, others)
    copies = _copied_contents(history, receipts, found) if found else frozenset()
    counts = [count for content, count in found.items() if content in copies]
    if unknown:
        return sum(count - 1 for count in counts)
    # A copy that was moved away and back has another UID now.
    moved = len(history.destination_uids - listed)
    return max(0, sum(counts) - moved)


def _copied_contents(
    history: FolderHistory, receipts: Callable[[], Iterator[Receipt]], contents: Collection[bytes]
) -> frozenset[bytes]:
    """Those of the contents that an import copied into the folder. The others were there before, perhaps more
    than once."""
    return frozenset(
        content
        for receipt in receipts()
        if receipt.outcome is Outcome.COPIED and history.counts(receipt)
        for at in range(len(receipt.source_uids))
        if (content := receipt.digest_at(at)) in contents
    )


def _known_contents(lane: Lane, history: FolderHistory, uids: UidSet) -> Mapping[bytes, int]:
    """How often each content that has a receipt occurs among messages without one. Usually these are few, new
    mail; of many, the latest are read."""
    counts: Counter[bytes] = Counter()
    latest = list(uids.chunks(MOST_READ))[-1:]
    try:
        for message in lane.destination.messages(history.destination, *latest):
            if not isinstance(message, NotHandedOut) and history.knows(content := digest(message.body)):
                counts[content] += 1
    except (FolderUnusable, FolderChanged):
        return {}
    return counts
