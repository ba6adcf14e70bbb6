"""Finishes the pass over one pair of folders: decides about the messages that were put off until now, and
refuses the rest of a folder that was given up."""

from __future__ import annotations

from collections.abc import Iterable

from importer.domain.messages.message_decision import Known, Refuse, decide
from importer.domain.messages.message_key import MessageKey
from importer.domain.planning.retry_limits import MAX_PASSES
from importer.domain.receipts.folder_tally import Refusal
from importer.engine.folder_copy import Finished, FolderCopy, Prepared, Unprepared
from importer.engine.held_back import indistinguishable
from importer.engine.leg_context import Lane
from importer.engine.new_receipts import settled_receipts
from importer.engine.new_refusals import message_refusal
from importer.ports.mailbox_errors import FolderChanged, FolderUnusable


def finish(phase: Prepared, lane: Lane) -> Prepared | Unprepared | Finished:
    """`Prepared` if messages are queued again; `Unprepared` if a further pass can give messages an outcome.
    Raises what the sessions and the ledger raise."""
    folder = phase.folder
    state = folder.state
    if state.pass_over:
        state.forget_postponed()
    if state.full is not None:
        folder.leave_rest()
        return Finished(folder)
    _decide_deferred(folder)
    if not state.queued_batches:
        _decide_held_back(folder, lane)
    if state.queued_batches:
        return phase
    if state.unusable is not None:
        folder.refuse_rest(lane, state.unusable)
    return Unprepared(folder) if state.is_undone and folder.passes < MAX_PASSES else Finished(folder)


def _decide_deferred(folder: FolderCopy) -> None:
    """Record the messages whose content has a receipt now, which need not be fetched again, and queue the
    others."""
    settled, open_ = folder.state.take_deferred()
    if settled:
        target = folder.state.target
        folder.state.record(list(settled_receipts(folder.leg.import_.id, target, settled)), [])
    _queue(folder, open_)


def _decide_held_back(folder: FolderCopy, lane: Lane) -> None:
    """Queue what cannot be in the folder, and refuse what may be there."""
    held = folder.state.take_held_back()
    if not held:
        return
    try:
        there = indistinguishable(folder.state, lane, held)
    except (FolderUnusable, FolderChanged) as error:
        folder.state.trouble(error)
        return
    send: list[MessageKey] = []
    refusals: list[Refusal] = []
    for key in held:
        decision = decide(Known(indistinguishable=key.uid in there))
        if isinstance(decision, Refuse):
            refusals.append(message_refusal(folder.leg.import_.id, folder.source, key, decision))
        else:
            send.append(key)
    if refusals:
        folder.state.record([], refusals)
    _queue(folder, send)


def _queue(folder: FolderCopy, keys: Iterable[MessageKey]) -> None:
    folder.state.queue(folder.grouped((key.uid, key.size_bytes) for key in keys))
