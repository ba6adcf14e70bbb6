"""Ends the work on one pair of folders: updates flags, counts both sides again, reports what the recount
found, and writes the checkpoint of a folder that is completely copied."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from importer.compact.uid_set import Uid
from importer.concurrency import run_both
from importer.domain.mailbox_content import FolderRef
from importer.domain.planning.retry_policy import decisive
from importer.domain.receipts.folder_history import with_changes
from importer.domain.receipts.folder_tally import FolderCheckpoint, FolderTally, RefusalCode
from importer.domain.receipts.receipt import ANY_UIDVALIDITY, ChangeKind, CopyNote
from importer.engine.flag_updates import update_flags
from importer.engine.folder_copy import Counted, Finished, FolderCopy, Unprepared
from importer.engine.leg_context import Lane, Leg
from importer.engine.new_refusals import folder_refusal
from importer.engine.recount import FolderLedger, Recount, UidLists, recount
from importer.engine.settle import CHECK_INTERVAL_S
from importer.engine.stored_flags import keep_flags
from importer.engine.stored_sizes import cut_copies
from importer.ports.mailbox_errors import FolderChanged, FolderUnusable
from providers.text import Text

MAX_RECOUNTS: Final = 3
"""Mail that arrives during a copy is fetched in a further pass; after this many, by the next import."""

MOST_UIDS_AT_ONCE: Final = 10_000
"""The highest UID in a folder that is listed with others: the response is one line."""

NOTHING: Final = UidLists()


def is_small(phase: Finished) -> bool:
    """Whether the folder can be listed with others on both sides."""
    folder = phase.folder
    highest = max(folder.history.uidnext or 0, folder.history.destination_uids.highest or 0)
    return len(folder.listed) <= folder.leg.limits.batch_messages and highest <= MOST_UIDS_AT_ONCE


def list_small_folders(phases: Sequence[Finished], lane: Lane) -> list[UidLists]:
    """List the small ones of these folders in one round trip on each side, unless there is only one. The
    recount asks for folders that a server left out. Raises the errors of the sessions."""
    small = [phase.folder for phase in phases if is_small(phase)]
    if len(small) < 2:
        return [NOTHING] * len(phases)
    there = [f.history.destination for f in small if f.history.claims_presence and not f.missing]
    source, destination = run_both(
        lambda: lane.source.uids_of([folder.history.source for folder in small]),
        lambda: lane.destination.uids_of(there),
        decisive,
        lane.beside,
    )
    histories = [phase.folder.history for phase in phases]
    return [UidLists(source.get(h.source), destination.get(h.destination)) for h in histories]


def recount_folder(
    phase: Finished, lane: Lane, already: UidLists = NOTHING
) -> tuple[FolderTally, Unprepared | Counted]:
    """Return the tally with its recount; `already` is from `list_small_folders`. `Unprepared`: mail has
    arrived at the source since it was listed.

    A folder that is completely copied gets a checkpoint, so that later imports skip it as long as nothing
    changes.
    """
    folder = phase.folder
    folder.recounts += 1
    last = folder.recounts == MAX_RECOUNTS
    before = folder.checkpoint
    tally, arrived = _recounted(folder, lane, already, last=last)
    if arrived and not last:
        return tally, Unprepared(folder)
    folder.state.close()
    return tally, Counted(folder.checkpoint != before)


def _recounted(folder: FolderCopy, lane: Lane, already: UidLists, *, last: bool) -> tuple[FolderTally, bool]:
    """The tally, and whether mail has arrived."""
    state = folder.state
    tally, changes, followed = state.tally, Counter[str](), False
    try:
        wanted = folder.leg.import_.syncs_flags and not folder.is_left_out
        if wanted and state.unusable is None:
            followed = _update_flags(folder, lane)
        if not folder.missing:
            lacking = keep_flags(folder.leg, lane, folder.history, _new_from(folder))
            changes = cut_copies(folder.leg.traits, lane, folder.history)
            changes[ChangeKind.FLAGS_NOT_KEPT] = lacking
        folder.unlisted = 0  # the recount counts them itself
        result = recount(
            lane,
            folder.history,
            folder.tally_of_history,
            folder.status.messages,
            FolderLedger(folder.receipts, folder.recorded_in, folder.copied_by_others, folder.seen_before),
            already,
            _waits(folder.leg),
            missing=folder.missing,
        )
        listing = folder.history.listing(folder.listed, folder.left_out.uids, folder.left_out.reason)
        result = replace(result, tally=replace(with_changes(result.tally, changes), listing=listing))
        _note_unseen(folder, lane)
    except FolderUnusable:
        return with_changes(tally, changes), False
    except FolderChanged as error:
        if state.unusable is None:
            state.trouble_in_recount(error, last=last)
        if state.unusable is None:
            return state.tally, True
        folder.refuse_rest(lane, state.unusable)
        _note_uncounted(folder, state.unusable)
        return with_changes(state.tally, changes), False
    if result.surplus:
        _report_surplus(folder, result.surplus)
    arrived = bool(result.arrived - state.unfetched - folder.left_out.uids) and state.unusable is None
    folder.unlisted = result.unlisted
    if result.unlisted and not folder.history.unlisted_known:
        _refuse_unlisted(folder, result.unlisted)
    if not arrived:
        _write_checkpoint(folder, result, followed=followed)
    return result.tally, arrived


def _new_from(folder: FolderCopy) -> Uid:
    """The UID from which on no earlier leg of this import completed the destination folder."""
    last = folder.checkpoint
    if last is None or (last.import_id, last.destination) != (
        folder.leg.import_.id,
        folder.history.destination,
    ):
        return Uid(1)
    there = last.destination_status
    return max(Uid(last.highest_uid + 1), there.uidnext if there is not None else Uid(1))


def _waits(leg: Leg) -> Iterator[None]:
    """Wait a moment before each item, for `settle_quiet` in all: some servers show a message only seconds
    after they stored it, and a copy that no recount saw may be sent again. A leg in which such a wait was in
    vain does not wait any more. Raises LeaseLost."""
    if not leg.traits.shows_late:
        return
    for _ in range(round(leg.limits.settle_quiet.total_seconds() / CHECK_INTERVAL_S)):
        leg.clock.sleep(CHECK_INTERVAL_S)
        leg.budget.spent()
        yield
    leg.traits.shows_late = False


def _update_flags(folder: FolderCopy, lane: Lane) -> bool:
    """Update flags after all messages are copied. Return whether all are as they were at the survey, which
    the checkpoint that follows states."""
    updates = update_flags(folder.leg, lane, folder.history, _followed_until(folder))
    folder.flags_updated += updates.changed
    return updates.complete


def _followed_until(folder: FolderCopy) -> int:
    """The source folder's modification sequence up to which flags were updated, 0 if they never were."""
    checkpoint, source = folder.checkpoint, folder.status
    same_folders = checkpoint is not None and (checkpoint.status.uidvalidity, checkpoint.destination) == (
        source.uidvalidity,
        folder.history.destination,
    )
    return checkpoint.status.highest_modseq if checkpoint is not None and same_folders else 0


def _note_unseen(folder: FolderCopy, lane: Lane) -> None:
    """Note which copies the recount did not see. Refuse those of earlier imports that no recount has seen: to
    copy them (once more) again could double them, and to call them there would be a guess."""
    leg, history, there = folder.leg, folder.history, folder.history.there
    route, destination, source = leg.import_.route, folder.destination, folder.source
    again = there.lost & history.sent_before
    for reason, uids in ((CopyNote.UNSEEN, there.lost - again), (CopyNote.UNSEEN_TWICE, again)):
        if uids and not folder.missing:  # a removed folder explains it
            leg.ledger.note_unseen(route, destination, source, uids, reason, leg.lease)
    if history.has_unseen and not there.unknown:
        seen = history.settled - there.never_seen - there.lost - there.unchecked - there.gone
        leg.ledger.note_unseen(route, destination, source, seen | there.moved, None, leg.lease)
    unseen = (there.never_seen & folder.listed) - history.refused
    unproven = unseen & there.unproven
    lately = unproven & history.sent_once
    texts = ("never_seen", "never_seen.twice", "never_seen.lately")
    for text, uids in zip(texts, (unseen - unproven, unproven - lately, lately), strict=True):
        if uids:
            folder.refuse(lane, uids, Text(text), RefusalCode.NEVER_SEEN)


def _note_uncounted(folder: FolderCopy, reason: Text) -> None:
    """Note why the folder could not be counted again. What was copied stays in the tally."""
    leg, source, listed = folder.leg, folder.source, len(folder.listed)
    known = {refusal.reason for refusal in leg.ledger.refusals(leg.import_.id, source.name)}
    if listed and reason not in known:
        refusal = folder_refusal(leg.import_.id, source, reason, count=listed)
        leg.ledger.record(leg.import_.route, "", [], [refusal], leg.lease)


def _report_surplus(folder: FolderCopy, surplus: int) -> None:
    """Record that the destination holds more copies than were made, once per import and folder."""
    leg, source, code = folder.leg, folder.source, RefusalCode.SURPLUS
    reason = Text("surplus", number=surplus)
    known = (
        refusal.reason for refusal in leg.ledger.refusals(leg.import_.id, source.name) if refusal.code is code
    )
    if reason not in known:
        folder_of_any_age = FolderRef(source.name, ANY_UIDVALIDITY)
        refusal = folder_refusal(leg.import_.id, folder_of_any_age, reason, count=surplus, code=code)
        leg.ledger.record(leg.import_.route, "", [], [refusal], leg.lease)


def _refuse_unlisted(folder: FolderCopy, number: int) -> None:
    """Note that the source counts messages that could not be found in any way."""
    leg, reason = folder.leg, Text("unlisted", number=number)
    refusal = folder_refusal(leg.import_.id, folder.source, reason, count=number, code=RefusalCode.UNLISTED)
    leg.ledger.record(leg.import_.route, folder.destination, [], [refusal], leg.lease)
    folder.history.refuse([refusal])


def _write_checkpoint(folder: FolderCopy, result: Recount, *, followed: bool) -> None:
    """`followed`: the flags are those of the source. Else a later import has to compare them."""
    status, tally, listed, leg = folder.status, result.tally, folder.listed, folder.leg
    as_surveyed = len(listed) == status.messages and not listed.at_or_above(status.uidnext)
    moved = folder.history.there.moved  # a later import must not call them there
    checked = tally.confirmed == tally.copied and not tally.unchecked and not moved
    complete = tally.adds_up and not tally.failed and checked
    complete = complete and not folder.left_out.uids  # an import that leaves out nothing has to copy them
    # Else messages vanished that this import had settled: a later import must not count them.
    as_surveyed = as_surveyed and tally.found == status.messages
    if as_surveyed and complete and folder.state.unusable is None:
        history = folder.history
        if not followed:
            status = replace(status, highest_modseq=min(_followed_until(folder), status.highest_modseq))
        checkpoint = FolderCheckpoint(
            leg.import_.id,
            status,
            history.destination,
            history.destination_uids.highest or Uid(0),
            tally,
            result.destination,
        )
        leg.ledger.save_checkpoint(leg.import_.route, checkpoint, leg.lease)
        folder.checkpoint = checkpoint
