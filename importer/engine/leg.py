"""One leg: a bounded stretch of work on one import.

survey both sides -> map the folders -> for each pair of folders: settle what is doubtful, copy until the
budget is spent, recount. Whatever a leg leaves undone, the next one finds from the receipts; a leg keeps
nothing else. Raises what the sessions and the ledger raise.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum

from importer.compact.uid_set import UidSet, UidValidity
from importer.concurrency import run_both
from importer.domain.folder_mapping.folder_map import FolderPair, map_folders
from importer.domain.model import (
    ANY_UIDVALIDITY,
    FolderCheckpoint,
    FolderStatus,
    FolderTally,
    Progress,
    Receipt,
    Refusal,
    RefusalCode,
)
from importer.domain.receipts.folder_history import FolderHistory, unchanged
from importer.engine.folder_copy import FolderCopy
from importer.engine.lanes import Lanes
from importer.engine.leg_context import Leg
from importer.engine.settle import settle
from importer.engine.survey import Survey, survey
from providers.errors import FolderLeftOut, ServerUnavailable, Side


class LegEnd(StrEnum):
    """How a leg ended, when it did not raise."""

    DONE = "done"
    AGAIN = "again"  # the budget is spent, there is more to do


def run_leg(leg: Leg) -> LegEnd:
    """Runs one leg. DONE means: every message that the source showed is accounted for and recounted."""
    source, destination = run_both(
        lambda: survey(leg.lane.source, modseqs=leg.import_.sync_flags),
        lambda: survey(leg.lane.destination),
    )
    remembered = leg.ledger.folder_map(leg.import_.route)
    with Lanes(leg) as lanes:
        if not remembered:
            lanes.expect(source.messages, len(source.statuses))
        return _through(leg, lanes, source, destination, remembered)


def _through(
    leg: Leg, lanes: Lanes, source: Survey, destination: Survey, remembered: Mapping[str, str]
) -> LegEnd:
    pairs, moved_house = _plan(leg, source, destination, remembered)
    _tally_closed(leg, source, remembered)
    _tell_unshown(leg)
    checkpoints = leg.ledger.checkpoints(leg.import_.route)
    watch = _Watch(leg, Progress(folders_total=len(pairs), messages_total=source.messages))
    if not moved_house:
        pairs = _changed(leg, checkpoints, pairs, source, destination, watch)
    # The largest first: small ones fill the time of lanes that have nothing left to join.
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
    return LegEnd.DONE if lanes.run(work, watch.told) else LegEnd.AGAIN


# --- Planning -------------------------------------------------------------------------------------


def _plan(
    leg: Leg, source: Survey, destination: Survey, remembered: Mapping[str, str]
) -> tuple[list[FolderPair], bool]:
    """The folder pairs of this leg, and whether the destination is another mailbox than last time.

    Creates and subscribes the folders that are new to the route.
    """
    route = leg.import_.route
    pairs = _mapped(source, destination, remembered)
    epoch_before = leg.ledger.mailbox_epoch(route)
    epoch = _epoch(destination) or epoch_before or UidValidity(1)
    moved_house = epoch_before is not None and epoch_before != epoch
    # A remembered folder that is missing was removed by its owner, and does not come back by itself;
    # unless the whole mailbox is a new one.
    new = [pair for pair in pairs if moved_house or pair.source.name not in remembered]
    if refused := _established(leg, source, destination, new):
        pairs = _renamed(leg, source, destination, pairs, refused, remembered)
    # Written after the folders stand: a crash in between must find the same news again.
    if epoch != epoch_before:
        leg.ledger.set_mailbox_epoch(route, epoch, leg.lease)
    mapping = {pair.source.name: pair.destination for pair in pairs}
    if any(remembered.get(name) != target for name, target in mapping.items()):
        leg.ledger.map_folders(route, mapping, leg.lease)
    return pairs, moved_house


def _mapped(source: Survey, destination: Survey, remembered: Mapping[str, str]) -> list[FolderPair]:
    mapped = map_folders(
        source.folders, source.hierarchy, destination.folders, destination.hierarchy, remembered
    )
    return [pair for pair in mapped if pair.source.name in source.statuses]


def _established(leg: Leg, source: Survey, destination: Survey, new: Sequence[FolderPair]) -> Collection[str]:
    """Creates and subscribes the destinations of `new`; returns the names that the server refused."""
    nobody_subscribes = not any(folder.subscribed for folder in source.folders)
    missing = dict.fromkeys(pair.destination for pair in new if pair.destination not in destination.statuses)
    if missing:
        leg.ledger.note_created(leg.import_.id, list(missing), leg.lease)
    return leg.lane.destination.establish(
        list(missing),
        [pair.destination for pair in new if pair.source.subscribed or nobody_subscribes],
    )


def _renamed(
    leg: Leg,
    source: Survey,
    destination: Survey,
    pairs: Sequence[FolderPair],
    refused: Collection[str],
    remembered: Mapping[str, str],
) -> list[FolderPair]:
    """`pairs`, with the refused destinations under names that the server takes, where it takes any."""
    fixed = dict(remembered) | {p.source.name: p.destination for p in pairs if p.destination not in refused}
    cautious = replace(destination, hierarchy=replace(destination.hierarchy, cautious=True))
    others = {pair.source.name: pair for pair in _mapped(source, cautious, fixed)}
    new = [others[p.source.name] for p in pairs if p.destination != others[p.source.name].destination]
    refused_too = _established(leg, source, destination, new)
    taken = {pair.source.name: pair for pair in new if pair.destination not in refused_too}
    return [taken.get(pair.source.name, pair) for pair in pairs]


def _changed(
    leg: Leg,
    checkpoints: Mapping[str, FolderCheckpoint],
    pairs: Sequence[FolderPair],
    source: Survey,
    destination: Survey,
    watch: _Watch,
) -> list[FolderPair]:
    """The pairs that have to be looked at; of the others, the servers' STATUS says all there is to say."""
    changed: list[FolderPair] = []
    for pair in pairs:
        checkpoint = checkpoints.get(pair.source.name)
        there = destination.statuses.get(pair.destination)
        if (
            checkpoint is None
            or checkpoint.status != source.statuses[pair.source.name]
            or (
                leg.import_.sync_flags
                and not _same_flags(checkpoint.status, source.statuses[pair.source.name])
            )
            or checkpoint.destination.name != pair.destination
            or (there is not None and not _is_at(there, checkpoint))
            or leg.ledger.intents(leg.import_.route, pair.destination)
        ):
            changed.append(pair)
        else:
            watch.as_before(
                checkpoint.tally if checkpoint.import_id == leg.import_.id else unchanged(checkpoint)
            )
    return changed


def _same_flags(before: FolderStatus, now: FolderStatus) -> bool:
    """Certainly: both were asked, and the server keeps count (RFC 7162)."""
    return 0 < now.highest_modseq == before.highest_modseq


def _is_at(there: FolderStatus, checkpoint: FolderCheckpoint) -> bool:
    """Whether the destination folder is the one of the mark; a UIDVALIDITY alone may be given out again."""
    return there.uidvalidity == checkpoint.destination.uidvalidity and there.uidnext > checkpoint.highest_uid


def _epoch(destination: Survey) -> UidValidity | None:
    """UIDVALIDITY of the destination's INBOX; None where it has none.

    Raises ServerUnavailable when it cannot be opened just now: taking that for a new mailbox would bring
    back every folder that its owner removed.
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


def _tally_closed(leg: Leg, source: Survey, remembered: Mapping[str, str]) -> None:
    """Folders that the source does not open, or does not list any more: what this import did with them
    stays accounted for; of the rest nobody knows the number."""
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
        leg.observer.tally_changed(_tally_of_closed(leg, name, remembered.get(name)))
    for name in remembered.keys() - source.statuses.keys() - source.unusable.keys():
        tally = _tally_of_closed(leg, name, remembered[name])
        if tally.found:
            leg.observer.tally_changed(tally)


def _tally_of_left_out(name: str, why: FolderLeftOut) -> FolderTally:
    skipped = {str(why): why.messages} if why.messages else {}
    return FolderTally(
        name, "", found=why.messages, skipped=skipped, confirmed=0, source_recount=why.messages
    )


def _tell_unshown(leg: Leg) -> None:
    """Mail that the source is known to keep from us: nobody shall believe that all of it was copied."""
    told = {(refusal.folder, refusal.reason) for refusal in leg.ledger.refusals(leg.import_.id)}
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
        for name, reason in leg.lane.source.unshown().items()
        if (name, reason) not in told
    ]
    if refusals:
        leg.ledger.record(leg.import_.route, "", [], refusals, leg.lease)


def _tally_of_closed(leg: Leg, name: str, destination: str | None) -> FolderTally:
    if destination is None:
        return FolderTally(name, "")
    settle(leg, leg.lane, destination)
    last = None
    for last in _ours(leg, name, destination):  # noqa: B007  # there may be too many to hold
        pass
    if last is None:
        return FolderTally(name, destination)
    history = FolderHistory(leg.import_.id, last.source, last.destination)
    history.recall(_ours(leg, name, destination))
    history.refuse(leg.ledger.refusals(leg.import_.id))
    return replace(history.tally(UidSet(), destination), confirmed=None)


def _ours(leg: Leg, name: str, destination: str) -> Iterator[Receipt]:
    """This import's receipts of one source folder."""
    for receipt in leg.ledger.receipts(leg.import_.route, destination):
        if receipt.import_id == leg.import_.id and receipt.source.name == name:
            yield receipt


# --- Telling ------------------------------------------------------------------------------------------


class _Watch:
    """Sums up what lanes tell of their pairs; called by several threads."""

    def __init__(self, leg: Leg, progress: Progress) -> None:
        self._leg = leg
        self._progress = progress
        self._lock = threading.Lock()
        self._done: dict[str, tuple[int, int]] = {}  # source folder -> messages, bytes copied

    def as_before(self, tally: FolderTally) -> None:
        """A folder that need not be looked at."""
        self._tell(tally, tally.found)

    def told(self, pair: FolderCopy, tally: FolderTally) -> None:
        """After a batch, and after the recount."""
        self._tell(tally, tally.found - pair.left)

    def _tell(self, tally: FolderTally, done: int) -> None:
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
