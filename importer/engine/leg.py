"""One leg: a bounded stretch of work on one import.

survey both sides -> map the folders -> for each folder pair: settle doubtful appends, copy until the budget
is spent, recount. The next leg derives the remaining work from the ledger; a leg keeps no other state. Raises
what the sessions and the ledger raise.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum

from importer.compact.uid_set import UidSet, UidValidity
from importer.concurrency import run_both
from importer.domain.folder_mapping.folder_map import FolderPair, map_folders
from importer.domain.folder_mapping.last_resorts import Created, Resort, created, hierarchy_below_inbox
from importer.domain.model import (
    ANY_UIDVALIDITY,
    FORMER_UIDVALIDITY,
    MISSING_FOLDER,
    FolderCheckpoint,
    FolderStatus,
    FolderTally,
    Progress,
    Receipt,
    Refusal,
    RefusalCode,
)
from importer.domain.planning.retry_policy import decisive
from importer.domain.receipts.folder_history import FolderHistory, unchanged
from importer.engine.folder_copy import FolderCopy
from importer.engine.lanes import Lanes
from importer.engine.leg_context import Leg
from importer.engine.replaced_mailbox import is_replaced
from importer.engine.settle import settle
from importer.engine.survey import Survey, survey
from providers.errors import FolderLeftOut, FolderUnusable, ServerUnavailable, Side


class LegEnd(StrEnum):
    """How a leg ended, when it did not raise."""

    DONE = "done"
    AGAIN = "again"  # the budget is spent and work is left


def run_leg(leg: Leg) -> LegEnd:
    """Run one leg. DONE means that every message the source listed is in the tally and recounted."""
    source, destination = run_both(
        lambda: survey(leg.lane.source, modseqs=leg.import_.sync_flags),
        lambda: survey(leg.lane.destination),
        decisive,
    )
    remembered = leg.ledger.folder_map(leg.import_.route)
    with Lanes(leg) as lanes:
        if not remembered:
            lanes.expect(source.messages, len(source.statuses))
        return _copy_folders(leg, lanes, source, destination, remembered)


def _copy_folders(
    leg: Leg, lanes: Lanes, source: Survey, destination: Survey, remembered: Mapping[str, str]
) -> LegEnd:
    pairs, new_mailbox = _plan(leg, source, destination, remembered)
    _tally_unreadable(leg, source, remembered)
    _record_partial_folders(leg)
    checkpoints = leg.ledger.checkpoints(leg.import_.route)
    progress = _ProgressSum(leg, Progress(folders_total=len(pairs), messages_total=source.messages))
    _announce(leg, pairs, source, progress)
    if not new_mailbox:
        pairs = _changed(leg, checkpoints, pairs, source, destination, progress)
    # Largest first: small pairs keep lanes busy that find no pair to join.
    largest_first = sorted(pairs, key=lambda pair: -source.statuses[pair.source.name].messages)
    work = [
        FolderCopy(
            leg,
            pair.source.name,
            source.statuses[pair.source.name],
            pair.destination,
            checkpoints.get(pair.source.name),
        )
        for pair in largest_first
    ]
    return LegEnd.DONE if lanes.run(work, progress.on_tally) else LegEnd.AGAIN


def _announce(leg: Leg, pairs: Sequence[FolderPair], source: Survey, progress: _ProgressSum) -> None:
    """Report the folders of the mailbox: should the leg not come to some of them, the totals are
    still those of the mailbox. What earlier legs did there counts as done."""
    planned = [
        FolderTally(pair.source.name, pair.destination, found=source.statuses[pair.source.name].messages)
        for pair in pairs
    ]
    known = leg.observer.planned(planned)
    for tally in planned:
        if tally.source_folder in known:
            progress.add_earlier(known[tally.source_folder])


# --- Planning -------------------------------------------------------------------------------------


def _plan(
    leg: Leg, source: Survey, destination: Survey, remembered: Mapping[str, str]
) -> tuple[list[FolderPair], bool]:
    """Return the folder pairs of this leg, and whether the destination is another mailbox than last time.

    Creates and subscribes the folders that are new to the route.
    """
    route = leg.import_.route
    pairs = _mapped(source, destination, remembered)
    known_epoch = leg.ledger.mailbox_epoch(route)
    epoch = _epoch(destination) or known_epoch or UidValidity(1)
    new_mailbox = (
        known_epoch is not None
        and known_epoch != epoch
        and is_replaced(leg, destination, remembered.values())
    )
    # A remembered folder that is missing was removed by its owner and is not created again, unless the
    # whole mailbox is new.
    new = [pair for pair in pairs if new_mailbox or pair.source.name not in remembered]
    pairs = _create_folders(leg, source, destination, pairs, new, remembered)
    # Written once the folders exist: after a crash in between, the next leg must see the same changes.
    if epoch != known_epoch:
        leg.ledger.set_mailbox_epoch(route, epoch, leg.lease, replaced=new_mailbox)
    mapping = {pair.source.name: pair.destination for pair in pairs}
    if any(remembered.get(name) != target for name, target in mapping.items()):
        leg.ledger.map_folders(route, mapping, leg.lease)
    return pairs, new_mailbox


def _mapped(
    source: Survey,
    destination: Survey,
    remembered: Mapping[str, str],
    *,
    resorts: Mapping[str, Resort] | None = None,
    refused: Collection[str] = (),
) -> list[FolderPair]:
    mapped = map_folders(
        source.folders,
        source.hierarchy,
        destination.folders,
        destination.hierarchy,
        remembered,
        resorts=resorts,
        refused=refused,
    )
    return [pair for pair in mapped if pair.source.name in source.statuses]


def _create_folders(
    leg: Leg,
    source: Survey,
    destination: Survey,
    pairs: list[FolderPair],
    new: Sequence[FolderPair],
    remembered: Mapping[str, str],
) -> list[FolderPair]:
    """Create and subscribe the destinations of `new` and return `pairs` with the names that the folders have
    now. A refused name is replaced as far as necessary (`Resort`); if all are refused, the first one stays,
    and the copy of that folder reports the reason. If every name is refused at first, perhaps all folders
    have to be below INBOX, which some servers say in no namespace."""
    announced = destination.hierarchy
    resorts: dict[str, Resort] = {}
    refused: set[str] = set()
    by_source = {pair.source.name: pair for pair in pairs}
    while new:
        result = _created(leg, source, destination, new, by_source)
        refused |= result.missing
        fixed = dict(remembered)
        for name, pair in by_source.items():
            if pair.destination not in refused:
                by_source[name] = replace(
                    pair, destination=result.actual.get(pair.destination, pair.destination)
                )
                fixed[name] = by_source[name].destination
        again = [
            pair
            for pair in new
            if pair.destination in result.missing
            and pair.source.name not in remembered
            and resorts.get(pair.source.name, Resort.NONE) < max(Resort)
        ]
        wanted = {pair.destination for pair in new} - destination.statuses.keys()
        first = not resorts and destination.hierarchy == announced
        below_inbox = hierarchy_below_inbox(announced, wanted, result.missing) if first else None
        if below_inbox is not None:
            destination = replace(destination, hierarchy=below_inbox)
        else:
            if wanted <= result.missing:
                destination = replace(destination, hierarchy=announced)
            resorts |= {
                pair.source.name: Resort(resorts.get(pair.source.name, Resort.NONE) + 1) for pair in again
            }
        remapped = {
            pair.source.name: pair
            for pair in _mapped(source, destination, fixed, resorts=resorts, refused=refused)
        }
        new = [
            remapped[pair.source.name]
            for pair in again
            if remapped[pair.source.name].destination not in refused
        ]
        by_source |= {pair.source.name: pair for pair in new}
    return [
        by_source[pair.source.name] if by_source[pair.source.name].destination not in refused else pair
        for pair in pairs
    ]


def _created(
    leg: Leg,
    source: Survey,
    destination: Survey,
    new: Sequence[FolderPair],
    by_source: Mapping[str, FolderPair],
) -> Created:
    """Create and subscribe the destinations of `new`; the names that they are listed under then.

    Folders are subscribed as at the source, or all of them if the source has no subscriptions.
    """
    no_subscriptions = not any(folder.subscribed for folder in source.folders)
    missing = list(
        dict.fromkeys(pair.destination for pair in new if pair.destination not in destination.statuses)
    )
    if missing:
        leg.ledger.detach_all(leg.import_.destination, missing, leg.lease)
        leg.ledger.note_created(leg.import_.id, missing, leg.lease)
    session = leg.lane.destination
    subscribed = [pair.destination for pair in new if pair.source.subscribed or no_subscriptions]
    refused = session.create_and_subscribe(missing, subscribed)
    if not missing:
        return Created({}, frozenset())
    now = {folder.name for folder in session.folders() if folder.selectable}
    result = created(
        missing,
        refused=refused,
        before=[folder.name for folder in destination.folders],
        now=now,
        others={pair.destination for pair in by_source.values()} - set(missing),
    )
    unlisted = [wanted for wanted, actual in result.actual.items() if wanted == actual and actual not in now]
    if unlisted:  # created, the server said; perhaps its list is incomplete
        statuses = session.statuses(unlisted)
        gone = {name for name in unlisted if isinstance(statuses[name], FolderUnusable)}
        result = Created(
            {wanted: actual for wanted, actual in result.actual.items() if wanted not in gone},
            result.missing | gone,
        )
    renamed = {wanted: actual for wanted, actual in result.actual.items() if wanted != actual}
    if renamed:
        leg.ledger.note_created(leg.import_.id, list(renamed.values()), leg.lease)
        session.create_and_subscribe([], [renamed[name] for name in subscribed if name in renamed])
    return result


def _changed(
    leg: Leg,
    checkpoints: Mapping[str, FolderCheckpoint],
    pairs: Sequence[FolderPair],
    source: Survey,
    destination: Survey,
    progress: _ProgressSum,
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
                leg.import_.sync_flags
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
    """Whether what the checkpoint's tally says of the destination folder still holds. `status` is None if the
    folder is missing, or `closed`: it cannot be opened."""
    tally = checkpoint.tally
    if not (tally.copied or tally.present or tally.duplicate or tally.gone):
        return True
    return not closed and (status or MISSING_FOLDER) == checkpoint.destination_status


def _epoch(destination: Survey) -> UidValidity | None:
    """UIDVALIDITY of the destination's INBOX; None if there is no INBOX.

    Raises ServerUnavailable if the INBOX cannot be opened now: to treat that as a new mailbox would recreate
    every folder that its owner removed.
    """
    for name, status in destination.statuses.items():
        if name.upper() == "INBOX":
            return status.uidvalidity
    for name, error in destination.unusable.items():
        if name.upper() == "INBOX":
            raise ServerUnavailable(
                f"The INBOX of the new mailbox cannot be opened: {error}", side=Side.DESTINATION
            ) from error
    return None


# --- Folders that cannot be read ------------------------------------------------------------------------


def _tally_unreadable(leg: Leg, source: Survey, remembered: Mapping[str, str]) -> None:
    """Report tallies of folders that the source does not open or no longer lists. What this import did with
    them stays in the tally; how many messages they hold besides is unknown."""
    known = {refusal.folder for refusal in leg.ledger.refusals(leg.import_.id)} if source.unusable else set()
    for name, error in source.unusable.items():
        if isinstance(error, FolderLeftOut):
            leg.observer.tally_changed(_tally_of_left_out(name, error))
            continue
        if name not in known:
            refusal = Refusal(
                leg.import_.id,
                name,
                ANY_UIDVALIDITY,
                uid=None,
                reason=str(error),
                count=0,
                code=RefusalCode.FOLDER_UNUSABLE,
            )
            leg.ledger.record(leg.import_.route, "", [], [refusal], leg.lease)
        leg.observer.tally_changed(_tally_of_unreadable(leg, name, remembered.get(name)))
    for name in remembered.keys() - source.statuses.keys() - source.unusable.keys():
        tally = _tally_of_unreadable(leg, name, remembered[name])
        if tally.found:
            leg.observer.tally_changed(tally)


def _tally_of_left_out(name: str, error: FolderLeftOut) -> FolderTally:
    skipped = {str(error): error.messages} if error.messages else {}
    return FolderTally(
        name, "", found=error.messages, skipped=skipped, confirmed=0, source_recount=error.messages
    )


def _record_partial_folders(leg: Leg) -> None:
    """Record folders of which the source is known to list only a part, so that the report says so."""
    recorded = {(refusal.folder, refusal.reason) for refusal in leg.ledger.refusals(leg.import_.id)}
    refusals = [
        Refusal(
            leg.import_.id,
            name,
            ANY_UIDVALIDITY,
            uid=None,
            reason=reason,
            count=0,
            partly=True,
            code=RefusalCode.PARTLY_SHOWN,
        )
        for name, reason in leg.lane.source.partial_folders().items()
        if (name, reason) not in recorded
    ]
    if refusals:
        leg.ledger.record(leg.import_.route, "", [], refusals, leg.lease)


def _tally_of_unreadable(leg: Leg, name: str, destination: str | None) -> FolderTally:
    if destination is None:
        return FolderTally(name, "")
    settle(leg, leg.lane, destination)
    last = None
    for last in _receipts_of(leg, name, destination):  # noqa: B007  # too many, perhaps, for a list
        pass
    if last is None:
        return FolderTally(name, destination)
    history = FolderHistory(leg.import_.id, last.source, last.destination)
    history.recall(_receipts_of(leg, name, destination))
    history.refuse(leg.ledger.refusals(leg.import_.id))
    return replace(history.tally(UidSet(), destination), confirmed=None)


def _receipts_of(leg: Leg, name: str, destination: str) -> Iterator[Receipt]:
    """This import's receipts of one source folder."""
    for receipt in leg.ledger.receipts(leg.import_.route, destination):
        certain = receipt.destination.uidvalidity != FORMER_UIDVALIDITY
        if certain and receipt.import_id == leg.import_.id and receipt.source.name == name:
            yield receipt


# --- Progress -----------------------------------------------------------------------------------------


class _ProgressSum:
    """Sums the tallies of all pairs and passes them to the observer. Safe for threads."""

    def __init__(self, leg: Leg, progress: Progress) -> None:
        self._leg = leg
        self._progress = progress
        self._lock = threading.Lock()
        self._done: dict[str, tuple[int, int]] = {}  # source folder -> messages, bytes copied

    def add_unchanged(self, tally: FolderTally) -> None:
        """Count a folder that needs no work."""
        self._report(tally, tally.found)

    def add_earlier(self, tally: FolderTally) -> None:
        """Count what earlier legs of the import did, until this one comes to the folder."""
        with self._lock:
            self._done[tally.source_folder] = (min(tally.accounted, tally.found), tally.copied_bytes)

    def on_tally(self, pair: FolderCopy, tally: FolderTally) -> None:
        """Count a folder after a batch, and after its recount."""
        self._report(tally, tally.found - pair.remaining)

    def _report(self, tally: FolderTally, done: int) -> None:
        with self._lock:
            self._done[tally.source_folder] = (done, tally.copied_bytes)
            self._progress = replace(
                self._progress,
                folder=tally.source_folder,
                folders_done=self._progress.folders_done + (tally.source_recount is not None),
                messages_done=sum(messages for messages, _ in self._done.values()),
                bytes_done=sum(copied for _, copied in self._done.values()),
            )
            self._leg.observer.tally_changed(tally)
            self._leg.observer.progressed(self._progress)
