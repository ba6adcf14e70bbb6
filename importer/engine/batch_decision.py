"""Gathers the facts about the messages of one batch and has `FolderState.claim` decide about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from importer.compact.uid_set import Uid
from importer.domain.mailbox_content import Message
from importer.domain.messages.message_decision import Findings, MessageDecision
from importer.domain.messages.message_key import MessageKey
from importer.domain.messages.skip_reason import OWN_NOTICE, SkipReason
from importer.engine.folder_state import FolderState
from importer.engine.held_back import indistinguishable
from importer.engine.leg_context import Lane


def decide_batch(
    state: FolderState, lane: Lane, fetched: Sequence[tuple[MessageKey, Message]]
) -> list[MessageDecision]:
    """The decision about each message, in order; the contents to copy are claimed. Uses the lane's
    destination alone, and raises what its session raises."""
    keys = [key for key, _ in fetched]
    left_out = _left_out(state, keys)
    findings = _found_there(state, lane, fetched, left_out)
    doubtful: set[Uid] = set()
    if state.leg.import_.attempts:  # after a leg without progress none is held back (`held_back.py`)
        waiting = state.waiting(key for key in keys if key.digest not in findings.matches)
        doubtful = indistinguishable(state, lane, waiting)
    return state.claim(keys, left_out, findings, doubtful)


def _left_out(state: FolderState, keys: Sequence[MessageKey]) -> dict[Uid, SkipReason]:
    """Source UID -> why the message is not copied although it could be."""
    is_notice = state.leg.is_notice
    return {key.uid: OWN_NOTICE for key in keys if is_notice(key.header)}


def _found_there(
    state: FolderState,
    lane: Lane,
    fetched: Sequence[tuple[MessageKey, Message]],
    left_out: Mapping[Uid, SkipReason],
) -> Findings:
    """Look among the existing mail of the folder for the messages that have no receipt."""
    existing = state.target.existing
    if not existing:
        return Findings()
    unrecorded = state.unrecorded([key for key, _ in fetched]) - left_out.keys()
    return existing.find(
        lane.destination,
        [(key.digest, key.header, message.body) for key, message in fetched if key.uid in unrecorded],
    )
