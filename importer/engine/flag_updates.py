"""Flags that changed at the source since the copy, brought over to copies that still are as we left them.

What is decided about one message is in `domain/flag_sync.py`. What we are about to change is noted before,
and what we changed after it: whatever a crash cuts off, the next leg tells our own changes from the owner's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from importer.compact.uid_set import Uid, UidSet
from importer.domain.messages.flag_runs import fold_flags, unfold_flags
from importer.domain.messages.flag_sync import FlagChange, differs, reconcile
from importer.domain.messages.normalise import fit_flags
from importer.domain.model import KeywordRule
from importer.domain.receipts.folder_history import FolderHistory
from importer.engine.leg_context import Lane, Leg
from importer.ports.ledger import Copies
from providers.errors import FolderUnusable

_AT_ONCE: Final = 10_000
"""Messages that are looked at together; what they hold in memory is their flags."""

_Place = tuple[int, int]
"""One message: the number of its receipt, and its index there."""


@dataclass(frozen=True, slots=True)
class _Suspect:
    """A copy whose message has other flags at the source than it went with."""

    at: _Place
    copy: Uid
    remembered: tuple[str, ...]
    source: tuple[str, ...]


def bring_flags(leg: Leg, lane: Lane, history: FolderHistory, since: int) -> int:
    """Of how many copies in this folder flags were changed. `since` is the source folder's highest
    modification sequence when this was done last, 0 if it never was.

    Copies without a known UID or without remembered flags are left alone, and so is a folder at the
    destination that cannot be opened. Raises FolderUnusable when the source's cannot.
    """
    changed = 0
    for some in _some_at_a_time(_copies(leg, history)):
        suspects = _suspects(lane, history, some, since)
        if suspects:
            try:
                changed += _bring(leg, lane, history, some, suspects)
            except FolderUnusable:
                return changed
    return changed


def _copies(leg: Leg, history: FolderHistory) -> Iterator[Copies]:
    for copies in leg.ledger.copies_into(leg.import_.route, history.destination.name):
        receipt = copies.receipt
        known = receipt.destination_uids and receipt.flags and receipt.destination == history.destination
        if receipt.source == history.source and known and history.holds(receipt):
            yield copies


def _some_at_a_time(found: Iterator[Copies]) -> Iterator[dict[int, Copies]]:
    some: dict[int, Copies] = {}
    messages = 0
    for copies in found:
        some[copies.number] = copies
        messages += len(copies.receipt.source_uids)
        if messages >= _AT_ONCE:
            yield some
            some, messages = {}, 0
    if some:
        yield some


def _suspects(lane: Lane, history: FolderHistory, some: Mapping[int, Copies], since: int) -> list[_Suspect]:
    uids = UidSet.of(uid for copies in some.values() for uid in copies.receipt.source_uids)
    now = dict(lane.source.flags(history.source, uids, since))
    found: list[_Suspect] = []
    for number, copies in some.items():
        receipt = copies.receipt
        for index, remembered in enumerate(unfold_flags(receipt.flags)):
            flags = now.get(receipt.source_uids[index])
            if flags is not None and differs(remembered, flags):
                copy = receipt.destination_uids[index]
                found.append(_Suspect((number, index), copy, remembered, flags))
    return found


def _bring(
    leg: Leg, lane: Lane, history: FolderHistory, some: Mapping[int, Copies], suspects: Sequence[_Suspect]
) -> int:
    """Of how many messages flags were changed. Raises FolderUnusable when the destination is not to be
    written to."""
    there, rule = lane.destination.open_for_appending(history.destination.name)
    if rule is None or there.uidvalidity != history.destination.uidvalidity:
        return 0
    changes = dict(_changes(lane, history, suspects, rule))
    copy_at = {one.at: one.copy for one in suspects}
    todo: defaultdict[tuple[tuple[str, ...], tuple[str, ...]], list[_Place]] = defaultdict(list)
    for at, change in changes.items():
        if change.add or change.remove:
            todo[change.add, change.remove].append(at)
    if todo:
        leg.ledger.note_flags(_remembering(some, {at: one.during for at, one in changes.items()}), leg.lease)
    done: list[_Place] = []
    refused: set[_Place] = set()
    for (add, remove), places in todo.items():
        uids = UidSet.of(copy_at[at] for at in places)
        if lane.destination.change_flags(history.destination, uids, add, remove):
            done += places
        else:
            refused.update(places)
    after = {at: one.during if at in refused else one.after for at, one in changes.items()}
    if after:
        leg.ledger.note_flags(_remembering(some, after), leg.lease)
    return len(done)


def _changes(
    lane: Lane, history: FolderHistory, suspects: Sequence[_Suspect], rule: KeywordRule
) -> Iterator[tuple[_Place, FlagChange]]:
    """What is to be done or remembered about messages that are still there."""
    there = dict(lane.destination.flags(history.destination, UidSet.of(one.copy for one in suspects)))
    for one in suspects:
        flags = there.get(one.copy)
        if flags is not None:
            change = reconcile(one.remembered, fit_flags(one.source, rule)[0], flags)
            if change.after != one.remembered:
                yield one.at, change


def _remembering(some: Mapping[int, Copies], news: Mapping[_Place, tuple[str, ...]]) -> dict[int, str]:
    """Receipt number -> all its flags, with the news among them."""
    found: dict[int, str] = {}
    for number in {number for number, _ in news}:
        flags = unfold_flags(some[number].receipt.flags)
        found[number] = fold_flags(news.get((number, index), old) for index, old in enumerate(flags))
    return found
