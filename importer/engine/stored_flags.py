"""Checks that copies have the flags that they were appended with, and sets those that are missing.

Some servers store a message and ignore its flags, or one of them: dbmail 3.5.0 does with \\Seen
(github.com/roundcube/roundcubemail/issues/9805, read 2026-11-30). In each leg the copies that it appended
last are looked at, in one round trip, until each system flag has been. A flag that none of them has is set by
STORE on all copies that were sent with it; all flags are if none was kept.

Their owner may have removed flags, too. Therefore only several copies that this leg has just appended prove
that the server ignores flags. Flags that one such copy lacks, or copies which an earlier leg completed, are
reported and not set.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from importer.compact.uid_set import Uid, UidSet
from importer.domain.messages.flags import copied_flags, flags_put, system_flags, unfold_flags
from importer.domain.messages.message_identity import CandidateKeys, ExistingMailIndex
from importer.domain.receipts.folder_history import FolderHistory
from importer.engine.leg_context import Lane, Leg
from importer.ports.mailbox_errors import FolderChanged, FolderUnusable


class _Sent(NamedTuple):
    """A copy that was appended with flags: its UIDs at the source and, if it is known, at the destination;
    the flags by their names in lower case."""

    source: Uid
    uid: Uid | None
    flags: Mapping[str, str]


def keep_flags(leg: Leg, lane: Lane, history: FolderHistory, new_from: Uid) -> int:
    """Set the flags of this import's copies in a folder from the UID `new_from` on, if the destination
    ignored them. Return how many copies have not got them nevertheless, or may not have. Raises what the
    sessions raise, except that the folder cannot be opened."""
    traits = leg.traits
    latest = traits.take_flagged(history.destination)
    if not history.flagged:
        return 0
    lacking = 0
    if traits.has_open_flags(latest):
        with suppress(FolderUnusable, FolderChanged):
            now = lane.destination.flags(history.destination, latest.uids)
            lacking = traits.learn_flags(latest, [copied_flags(flags) for _, flags in now])
    if traits.lost_flags:
        return _set_flags(lane, history, list(_sent(leg, history, traits.lost_of)), new_from)
    if not lacking and (latest.number or traits.kept_flags):
        return 0
    return max(lacking, _lost_before(lane, history, list(_sent(leg, history, dict))))


def _sent(
    leg: Leg, history: FolderHistory, wanted: Callable[[Mapping[str, str]], Mapping[str, str]]
) -> Iterator[_Sent]:
    """Each copy from this source folder that this import appended with `wanted` flags, oldest first."""
    for copies in leg.ledger.copies_into(leg.import_.route, history.destination.name):
        receipt = copies.receipt
        if receipt.import_id != leg.import_.id or receipt.source != history.source:
            continue
        if receipt.destination == history.destination:
            uids = receipt.destination_uids or (None,) * len(receipt.source_uids)
            sent = zip(receipt.source_uids, uids, unfold_flags(receipt.flags), strict=False)
            for source, uid, remembered in sent:
                if flags := wanted(flags_put(remembered)):
                    yield _Sent(source, uid, flags)


def _last(sent: Sequence[_Sent]) -> _Sent | None:
    """The last copy that was sent with a system flag: a folder may be unable to hold keywords."""
    return next((one for one in reversed(sent) if system_flags(" ".join(one.flags))), None)


def _lost_before(lane: Lane, history: FolderHistory, sent: Sequence[_Sent]) -> int:
    """How many copies of earlier legs lack flags, if the last one of them does."""
    last, numbered = _last(sent), {one.uid: one for one in sent if one.uid is not None}
    if last is None or last.uid is None:
        return 0
    with suppress(FolderUnusable, FolderChanged):
        if _lacking(lane, history, {last.uid: last}):
            return _lacking(lane, history, numbered)
    return 0


def _set_flags(lane: Lane, history: FolderHistory, sent: Sequence[_Sent], new_from: Uid) -> int:
    """Set the flags, those of the last copy in the end: if that is interrupted, the next leg finds that this
    one lacks them. Return how many copies lack flags, as far as that can be told; else all of them do."""
    last = _last(sent)
    with suppress(FolderUnusable, FolderChanged):
        numbered = _numbered(lane, history, sent)
        groups: defaultdict[tuple[bool, tuple[str, ...]], list[Uid]] = defaultdict(list)
        for uid, one in numbered.items():
            if uid >= new_from:
                groups[one is last, tuple(one.flags.values())].append(uid)
        for (_, add), uids in sorted(groups.items()):
            lane.destination.change_flags(history.destination, UidSet.of(uids), add, ())
        return len(sent) - len(numbered) + _lacking(lane, history, numbered)
    return len(sent)


def _lacking(lane: Lane, history: FolderHistory, sent: Mapping[Uid, _Sent]) -> int:
    """How many of the copies that are still there lack a flag."""
    now = lane.destination.flags(history.destination, UidSet.of(sent))
    return sum(not sent[uid].flags.keys() <= copied_flags(flags).keys() for uid, flags in now if uid in sent)


def _numbered(lane: Lane, history: FolderHistory, sent: Sequence[_Sent]) -> dict[Uid, _Sent]:
    """The copies by their UIDs. One without a known UID is the only message with its header and its size."""
    numbered = {one.uid: one for one in sent if one.uid is not None}
    unnumbered = {one.source: one for one in sent if one.uid is None}
    if not unnumbered:
        return numbered
    index = ExistingMailIndex()
    others = lane.destination.uids(history.destination) - history.destination_uids
    for lines in lane.destination.headers(history.destination, others):
        index.add(lines.uid, lines.size_bytes, lines.header)
    found: defaultdict[Uid, list[_Sent]] = defaultdict(list)
    for lines in lane.source.headers(history.source, UidSet.of(unnumbered)):
        for uid in index.namesakes(CandidateKeys.of(lines.header)):
            if index.has_size(uid, lines.size_bytes):
                found[uid].append(unnumbered[lines.uid])
    sources = Counter(one.source for ones in found.values() for one in ones)
    return numbered | {
        uid: ones[0] for uid, ones in found.items() if len(ones) == 1 and sources[ones[0].source] == 1
    }
