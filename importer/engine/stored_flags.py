"""Sees to it that copies have the flags that they were appended with.

Some servers store a message and ignore its flags: dbmail 3.5.0 does with \\Seen
(github.com/roundcube/roundcubemail/issues/9805, read 2026-11-30). The first copies with flags are looked at
once in a leg, in one round trip. If none of them has a flag, the flags of all copies are set by STORE.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Final, TypeAlias

from importer.compact.uid_set import Uid, UidSet
from importer.domain.messages.flags import copied_flags, flags_put, unfold_flags
from importer.domain.receipts.folder_history import FolderHistory
from importer.engine.leg_context import Lane, Leg
from importer.ports.mailbox_errors import FolderChanged, FolderUnusable

_LEAST_ASKED: Final = 2
"""Of one copy alone, its owner may have removed the flag."""

_Flags: TypeAlias = Mapping[str, str]
"""As of `copied_flags`."""


def keep_flags(leg: Leg, lane: Lane, history: FolderHistory) -> int:
    """Set the flags of this import's copies in a folder, if the destination ignored them. Return how many
    copies have not got them nevertheless. Left alone are copies without a known UID, and those of a folder
    that cannot be opened. Raises what the sessions raise."""
    if leg.kept_flags.answer or not history.flagged:
        return 0
    with suppress(FolderUnusable, FolderChanged):
        if leg.kept_flags.answer is None:
            leg.kept_flags.answer = _are_kept(lane, history, history.flagged)
        if leg.kept_flags.answer is False:
            return _set_flags(lane, history, dict(_sent(leg, history)))
    return 0


def _are_kept(lane: Lane, history: FolderHistory, sent: Mapping[Uid, _Flags]) -> bool | None:
    """Whether any of these copies has a flag that it was sent with; None of too few."""
    now = _now(lane, history, sent) if len(sent) >= _LEAST_ASKED else {}
    if len(now) < _LEAST_ASKED:
        return None
    return any(sent[uid].keys() & flags.keys() for uid, flags in now.items())


def _sent(leg: Leg, history: FolderHistory) -> Iterator[tuple[Uid, _Flags]]:
    """The UID and the flags of each copy of this import that was appended with any."""
    for copies in leg.ledger.copies_into(leg.import_.route, history.destination.name):
        receipt = copies.receipt
        if receipt.import_id == leg.import_.id and receipt.destination == history.destination:
            for uid, flags in zip(receipt.destination_uids, unfold_flags(receipt.flags), strict=False):
                if put := flags_put(flags):
                    yield uid, put


def _now(lane: Lane, history: FolderHistory, sent: Mapping[Uid, _Flags]) -> dict[Uid, _Flags]:
    """The flags of those copies that are still there."""
    all_ = lane.destination.flags(history.destination, UidSet.of(sent))
    return {uid: copied_flags(flags) for uid, flags in all_ if uid in sent}


def _set_flags(lane: Lane, history: FolderHistory, sent: Mapping[Uid, _Flags]) -> int:
    if not sent:
        return 0
    groups: defaultdict[tuple[str, ...], list[Uid]] = defaultdict(list)
    for uid, flags in sent.items():
        groups[tuple(flags.values())].append(uid)
    for add, uids in groups.items():
        lane.destination.change_flags(history.destination, UidSet.of(uids), add, ())
    now = _now(lane, history, sent)
    return sum(not sent[uid].keys() <= flags.keys() for uid, flags in now.items())
