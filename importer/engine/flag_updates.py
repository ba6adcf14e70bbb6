"""Carries flag changes at the source since the copy over to copies whose flags are still as we set them.

`messages/flags.py` decides about each message. The ledger notes the intended flags before a change and the
resulting flags after it, so after a crash at any point the next leg can tell our changes from the owner's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from importer.compact.uid_set import Uid, UidSet
from importer.domain.mailbox_content import KeywordRule
from importer.domain.messages.flags import (
    FlagChange,
    after_refusal,
    differs,
    fold_flags,
    reconcile,
    unfold_flags,
)
from importer.domain.messages.normalise import fit_flags
from importer.domain.receipts.folder_history import FolderHistory
from importer.engine.leg_context import Lane, Leg
from importer.ports.ledger import Copies
from importer.ports.mailbox_errors import FolderUnusable
from providers.frozen import frozen

_MESSAGES_PER_GROUP: Final = 10_000
"""Messages that are compared together. Memory holds their flags, not their bodies."""

_MessageKey = tuple[int, int]
"""One message: the number of its receipt, and its index within the receipt."""


@frozen
class _Suspect:
    """A copy whose message has flags at the source that differ from those it was copied with."""

    key: _MessageKey
    copy: Uid
    remembered: tuple[str, ...]
    source: tuple[str, ...]


@frozen
class FlagUpdates:
    """How many copies changed, and whether nothing is left to change: the destination folder could be opened
    for writing, and its server accepted each change."""

    changed: int = 0
    complete: bool = True


def update_flags(leg: Leg, lane: Lane, history: FolderHistory, since: int) -> FlagUpdates:
    """Update the flags of this folder's copies.

    `since` is the source folder's highest modification sequence at the previous complete update, 0 if there
    was none. Copies without a known UID or without remembered flags are skipped, and so is a destination
    folder that cannot be opened. Raises FolderUnusable if the source folder cannot be opened.
    """
    changed, complete = 0, True
    for group in _grouped(_copies(leg, history)):
        suspects = _suspects(lane, history, group, since)
        if suspects:
            try:
                updates = _update(leg, lane, history, group, suspects)
            except FolderUnusable:
                return FlagUpdates(changed, complete=False)
            changed += updates.changed
            complete = complete and updates.complete
    return FlagUpdates(changed, complete)


def _copies(leg: Leg, history: FolderHistory) -> Iterator[Copies]:
    for copies in leg.ledger.copies_into(leg.import_.route, history.destination.name):
        receipt = copies.receipt
        usable = receipt.destination_uids and receipt.flags and receipt.destination == history.destination
        if receipt.source == history.source and usable and history.holds(receipt):
            yield copies


def _grouped(all_copies: Iterator[Copies]) -> Iterator[dict[int, Copies]]:
    """Groups of receipts, by receipt number, of at least `_MESSAGES_PER_GROUP` messages but for the last."""
    group: dict[int, Copies] = {}
    messages = 0
    for copies in all_copies:
        group[copies.number] = copies
        messages += len(copies.receipt.source_uids)
        if messages >= _MESSAGES_PER_GROUP:
            yield group
            group, messages = {}, 0
    if group:
        yield group


def _suspects(lane: Lane, history: FolderHistory, group: Mapping[int, Copies], since: int) -> list[_Suspect]:
    uids = UidSet.of(uid for copies in group.values() for uid in copies.receipt.source_uids)
    current = dict(lane.source.flags(history.source, uids, since))
    suspects: list[_Suspect] = []
    for number, copies in group.items():
        receipt = copies.receipt
        for index, remembered in enumerate(unfold_flags(receipt.flags)):
            flags = current.get(receipt.source_uids[index])
            if flags is not None and differs(remembered, flags):
                copy = receipt.destination_uids[index]
                suspects.append(_Suspect((number, index), copy, remembered, flags))
    return suspects


def _update(
    leg: Leg, lane: Lane, history: FolderHistory, group: Mapping[int, Copies], suspects: Sequence[_Suspect]
) -> FlagUpdates:
    """Raises FolderUnusable if the destination folder cannot be opened."""
    status, rule = lane.destination.open_for_appending(history.destination.name)
    if rule is None or status.uidvalidity != history.destination.uidvalidity:
        return FlagUpdates(complete=False)
    changes = dict(_changes(lane, history, suspects, rule))
    copy_of = {suspect.key: suspect.copy for suspect in suspects}
    pending: defaultdict[tuple[tuple[str, ...], tuple[str, ...]], list[_MessageKey]] = defaultdict(list)
    for key, change in changes.items():
        if change.add or change.remove:
            pending[change.add, change.remove].append(key)
    if pending:
        during = {key: change.during for key, change in changes.items()}
        leg.ledger.note_flags(_updated_flags(group, during), leg.lease)
    done: list[_MessageKey] = []
    refused: set[_MessageKey] = set()
    for (add, remove), keys in pending.items():
        uids = UidSet.of(copy_of[key] for key in keys)
        if lane.destination.change_flags(history.destination, uids, add, remove):
            done += keys
        else:
            refused.update(keys)
    after = {key: change.after for key, change in changes.items()}
    if refused:  # perhaps for some messages only
        now = dict(lane.destination.flags(history.destination, UidSet.of(copy_of[key] for key in refused)))
        after |= {key: after_refusal(changes[key].during, now.get(copy_of[key], ())) for key in refused}
    if after:
        leg.ledger.note_flags(_updated_flags(group, after), leg.lease)
    return FlagUpdates(len(done), complete=not refused)


def _changes(
    lane: Lane, history: FolderHistory, suspects: Sequence[_Suspect], rule: KeywordRule
) -> Iterator[tuple[_MessageKey, FlagChange]]:
    """Changes to apply or to remember, for suspects whose copies still exist."""
    current = dict(
        lane.destination.flags(history.destination, UidSet.of(suspect.copy for suspect in suspects))
    )
    for suspect in suspects:
        flags = current.get(suspect.copy)
        if flags is not None:
            change = reconcile(suspect.remembered, fit_flags(suspect.source, rule)[0], flags)
            if change.after != suspect.remembered:
                yield suspect.key, change


def _updated_flags(
    group: Mapping[int, Copies], updates: Mapping[_MessageKey, tuple[str, ...]]
) -> dict[int, str]:
    """Receipt number -> the flags of all its messages, `updates` included."""
    flags_by_receipt: dict[int, str] = {}
    for number in {number for number, _ in updates}:
        flags = unfold_flags(group[number].receipt.flags)
        flags_by_receipt[number] = fold_flags(
            updates.get((number, index), old) for index, old in enumerate(flags)
        )
    return flags_by_receipt
