"""Settles doubtful appends: those that were sent and whose outcome is unknown.

Invariant: after `settle` no intent of the folder is open, and every message of such an append that is found
at the destination has a receipt. An append is never repeated without this check (RFC 4315 has no way to ask
"did it land?").

By the time a leg settles, no process sends what it finds open. Either the same process sent it and its
connection is closed, or another one did, whose send deadline has passed: it lies a quarter of a lease before
another worker can acquire the lease (`importer/service/legs/heartbeat.py`). The amount that the operating
system of a frozen process still held is bounded (`importer/adapters/imap/fenced_sender.py`), and lands within
that quarter and the wait here. The age of an intent says nothing, since the clocks of two workers may differ
and an append may take an hour, so the wait is always the same.

If the UIDVALIDITY of the folder changed since the append, the whole folder is searched, and bytes alone
decide. A message that is not found then may be there in another form: it gets a receipt under
FORMER_UIDVALIDITY, which settles nothing and makes `FolderHistory` compare it before it is sent again.

A stored message can be missed, and may then be copied again, in four cases: the server receives or stores it
after the wait (a host in between buffers more than the line carries meanwhile, or a whole machine was
suspended together with the last bytes of an append); the server altered it, and its headers do not identify
it (no Message-ID, not unique, or no longer readable at the source); the destination folder was removed, or
cannot be opened; a filter or its owner moved the message before it was found (equal bytes in another folder
would not prove that: they may have been there before).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import chain
from typing import Final

from importer.compact.digest_set import Digests, each_digest
from importer.compact.uid_set import Uid, UidSet
from importer.domain.mailbox_content import FolderRef, NotHandedOut
from importer.domain.messages.date_and_subject import date_and_subject
from importer.domain.messages.message_identity import digest, header_block, header_key, munged
from importer.domain.planning.retry_limits import MAX_SOLO_ATTEMPTS
from importer.domain.receipts.folder_tally import Refusal, RefusalCode
from importer.domain.receipts.receipt import (
    ANY_UIDVALIDITY,
    FORMER_UIDVALIDITY,
    CopyNote,
    Intent,
    Outcome,
    Receipt,
)
from importer.engine.leg_context import Lane, Leg
from importer.engine.new_receipts import copied_receipt
from importer.ports.mailbox_errors import FolderChanged, FolderUnusable
from providers.frozen import frozen
from providers.text import Text

CHECK_INTERVAL_S: Final = 1.0


class SettlingWait:
    """The checks that are left for messages that are missing. All appends of a folder wait together: the wait
    of one counts for the others. Checks are counted, not timed: a clock that jumps must neither end the wait
    nor prolong it."""

    def __init__(self, duration: timedelta = timedelta(0)) -> None:
        self.checks_left = round(duration.total_seconds() / CHECK_INTERVAL_S)


def settle(leg: Leg, lane: Lane, folder: str) -> bool:
    """Check which messages of the folder's open intents were stored, and record them.

    A server may still be storing what it received before a connection was lost, so the check for a missing
    message is repeated for the time in `TransferLimits.settle_quiet`. Messages that did not land get no
    receipt and are copied like any other. A message that has broken connections `MAX_SOLO_ATTEMPTS` times is
    refused. Return whether there were any. Raises LeaseLost, and what the sessions raise.
    """
    open_ = leg.ledger.intents(leg.import_.route, folder)
    wait = SettlingWait(leg.limits.settle_quiet)
    for search in [_search(leg, lane, intent) for intent in open_]:
        intent = search.intent
        concurrent = [other for other in open_ if other.slot != intent.slot]
        landed, _ = _landed(leg, lane, search, concurrent, wait, match_headers=True)
        detached = bool(landed) and _created_again(leg, lane, intent)
        hidden = _hidden(
            search, landed, partial(_lists_no_copy, leg, lane, search.folder or intent.destination)
        )
        _record(leg, search, landed, hidden, closes=True, detached=detached)
        if not (landed or hidden) and _breaks_connections(leg, intent):
            _refuse(leg, lane, intent)
    return bool(open_)


def settle_answered(leg: Leg, lane: Lane, intent: Intent, *, leave_doubt: bool) -> list[Receipt]:
    """Settle an append that the server answered with an error, in the middle of a leg. The source may be busy
    with the next batch, so this is one check at the destination alone.

    With `leave_doubt` the intent stays open for the next leg if messages landed that equal nothing sent by
    any append under way: they may be sent messages that the server altered. Returns the receipt if anything
    landed, else an empty list. Raises LeaseLost, and what the session raises.
    """
    search = _search(leg, lane, intent)
    open_ = leg.ledger.intents(leg.import_.route, intent.destination.name)
    concurrent = [other for other in open_ if other.slot != intent.slot]
    landed, unmatched = _landed(leg, lane, search, concurrent, SettlingWait(), match_headers=False)
    doubtful = leave_doubt and bool(unmatched) and len(landed) < len(intent.source_uids)
    return _record(leg, search, landed, closes=not doubtful)


def settle_lost(
    leg: Leg, lane: Lane, intent: Intent, wait: SettlingWait, may_hide: Callable[[int], bool]
) -> tuple[list[Receipt], list[Receipt]]:
    """Settle an append during which the connection was lost, in the middle of a leg. The source must not be
    in use.

    The check for a missing message is repeated as in `settle`, as long as `wait` has checks left. If some are
    still missing, `may_hide` is called with the number of those found; True: the destination may hold the
    others without listing them. Returns the receipt of what landed, if anything did, and that of what may be
    hidden; both are recorded in one transaction. Raises LeaseLost, and what the sessions raise.
    """
    search = _search(leg, lane, intent)
    open_ = leg.ledger.intents(leg.import_.route, intent.destination.name)
    concurrent = [other for other in open_ if other.slot != intent.slot]
    landed, _ = _landed(leg, lane, search, concurrent, wait, match_headers=True)
    hidden = _hidden(search, landed, may_hide)
    return _record(leg, search, landed, hidden, closes=True), hidden


@frozen
class _Search:
    """The search for the messages of an intent: in `folder`, from `intent.uidnext` on.

    `folder` is the intent's folder, or the one that its owner renamed it to; None if there is neither.
    `renumbered`: its UIDVALIDITY has changed since the append, so any UID can be that of a sent message.
    """

    intent: Intent
    folder: FolderRef | None
    renumbered: bool = False


def _search(leg: Leg, lane: Lane, intent: Intent) -> _Search:
    """Some servers assign another UIDVALIDITY to an empty folder with its first message: that is the same
    folder."""
    name = intent.destination.name
    try:
        status = lane.destination.status(name)
        if status.uidvalidity != intent.destination.uidvalidity:
            renamed = _renamed(leg, lane, intent.destination)
            if renamed is not None:
                return _Search(intent, renamed)
            status, _ = lane.destination.open_for_appending(name)  # some servers settle it only then
    except FolderUnusable:
        return _Search(intent, _renamed(leg, lane, intent.destination))
    now = status.ref(name)
    if now == intent.destination or intent.uidnext <= 1:
        return _Search(replace(intent, destination=now), now)
    return _Search(replace(intent, destination=now, uidnext=Uid(1)), now, renumbered=True)


def _hidden(search: _Search, landed: dict[int, Uid], may_hide: Callable[[int], bool]) -> list[Receipt]:
    """The receipt of the messages that the destination does not list so far, and may hold. A renumbered
    folder has receipts of another kind (`_doubtful`)."""
    rest = [i for i in range(len(search.intent.source_uids)) if i not in landed]
    if not rest or search.folder is None or search.renumbered or not may_hide(len(landed)):
        return []
    return [copied_receipt(search.intent, rest, [])]


def _lists_no_copy(leg: Leg, lane: Lane, folder: FolderRef, _landed: int) -> bool:
    """Whether the folder lists no message although the destination accepted some from this import: it may
    show mail late, so that what got no answer may be there, too."""
    return any(
        receipt.outcome is Outcome.COPIED
        and receipt.import_id == leg.import_.id
        and receipt.destination == folder
        for receipt in leg.ledger.receipts(leg.import_.route, folder.name)
    ) and not lane.destination.uids(folder)


def _record(
    leg: Leg,
    search: _Search,
    landed: dict[int, Uid],
    hidden: Sequence[Receipt] = (),
    *,
    closes: bool,
    detached: bool = False,
) -> list[Receipt]:
    """Record the receipts of what landed, if anything did, and of what may be hidden; with `closes`, remove
    the intent in the same transaction. Return the receipt of what landed. `detached`: the receipts of its
    folder were detached before (`Ledger.detach`)."""
    intent = search.intent
    receipts = [_receipt(intent, landed)] if landed else []
    if detached:
        removed = FolderRef(intent.destination.name, ANY_UIDVALIDITY)
        note = CopyNote.IN_REMOVED_FOLDER
        receipts = [replace(one, destination=removed, destination_uids=(), reason=note) for one in receipts]
    leg.ledger.record(
        leg.import_.route,
        intent.destination.name,
        [*receipts, *hidden, *_doubtful(search, landed)] if closes else receipts,
        [],
        leg.lease,
        closes_slot=intent.slot if closes else None,
    )
    return receipts


def _doubtful(search: _Search, landed: dict[int, Uid]) -> list[Receipt]:
    """A receipt for the messages that were not found in a renumbered folder."""
    intent = search.intent
    open_ = {i: Uid(0) for i in range(len(intent.source_uids)) if i not in landed}
    if not search.renumbered or not open_:
        return []
    former = FolderRef(intent.destination.name, FORMER_UIDVALIDITY)
    return [replace(_receipt(intent, open_), destination=former, destination_uids=())]


def _breaks_connections(leg: Leg, intent: Intent) -> bool:
    """Whether one message is the cause: it was sent alone, in leg after leg without progress."""
    alone = len(intent.source_uids) == 1 and intent.import_id == leg.import_.id
    return alone and leg.import_.attempts >= MAX_SOLO_ATTEMPTS


def _refuse(leg: Leg, lane: Lane, intent: Intent) -> None:
    (uid,) = intent.source_uids
    date, subject = "", ""
    with suppress(FolderUnusable, FolderChanged):  # the report then has no date and no subject
        for lines in lane.source.headers(intent.source, UidSet.of((uid,))):
            date, subject = date_and_subject(lines.header)
    refusal = Refusal(
        leg.import_.id,
        intent.source.name,
        intent.source.uidvalidity,
        uid,
        Text("breaks_connection"),
        date,
        subject,
        intent.sizes_bytes[0],
        code=RefusalCode.BREAKS_CONNECTION,
    )
    leg.ledger.record(leg.import_.route, intent.destination.name, [], [refusal], leg.lease)


def _landed(
    leg: Leg,
    lane: Lane,
    search: _Search,
    concurrent: Sequence[Intent],
    wait: SettlingWait,
    *,
    match_headers: bool,
) -> tuple[dict[int, Uid], dict[Uid, bytes]]:
    """Return index within the intent -> destination UID of each message that landed, and destination UID ->
    headers of each unmatched message: one that equals nothing that was sent.

    `concurrent` are the intents of appends into the same folder that were under way at the same time. With
    `match_headers`, messages that the server altered are matched too, by headers that the source is asked
    for.
    """
    intent, folder, destination = search.intent, search.folder, lane.destination
    if folder is None:
        return {}, {}
    match_headers = match_headers and not search.renumbered
    wanted = {intent.digest_at(i): i for i in range(len(intent.source_uids))}
    landed: dict[int, Uid] = {}
    sent_concurrently = {content for other in concurrent for content in each_digest(other.digests)}
    receipts_without_uids = _without_uids(
        leg.ledger.receipts(leg.import_.route, intent.destination.name), intent
    )
    settled = _contents(receipts_without_uids)
    unmatched: dict[Uid, bytes] = {}
    # What other sources copied since the append is not what was sent, although its content may be the same;
    # nor is what an undo is about to remove, of which `receipts` says nothing.
    route, name = leg.import_.route, intent.destination.name
    copies = (copies.receipt for copies in leg.ledger.copies_into(route, name))
    checked = _known(chain(leg.ledger.receipts(route, name), copies, leg.copies_of_others(name)), intent)
    while True:
        tail = destination.uids(folder, at_or_above=intent.uidnext) - checked
        unread: list[Uid] = []
        for message in destination.messages(folder, tail):
            if isinstance(message, NotHandedOut):
                unread.append(message.uid)
                continue
            content = digest(message.body)
            index = wanted.get(content)
            if index is None and content not in sent_concurrently and content not in settled:
                unmatched[message.uid] = header_block(message.body)
            elif index is not None:
                landed.setdefault(index, message.uid)
        if unread:  # one of them may be what was sent: its headers can tell
            for lines in destination.headers(folder, UidSet.of(unread)):
                unmatched[lines.uid] = lines.header
        checked |= tail
        if match_headers and (len(landed) + len(unmatched) >= len(wanted) or not wait.checks_left):
            landed |= _altered(lane, intent, [*concurrent, *receipts_without_uids], landed, unmatched)
        if len(landed) == len(wanted) or not wait.checks_left:
            return landed, unmatched
        wait.checks_left -= 1
        leg.clock.sleep(CHECK_INTERVAL_S)
        leg.budget.spent()  # raises LeaseLost if the lease was lost during the wait


def _renamed(leg: Leg, lane: Lane, folder: FolderRef) -> FolderRef | None:
    """Where a folder that is no longer under its name is now, as far as that can be told: it is the only one
    with its UIDVALIDITY, which Dovecot and Cyrus keep (2026-11), and nothing is copied into it."""
    mapped = {folder.name, *leg.ledger.folder_map(leg.import_.route).values()}
    others = [f.name for f in lane.destination.folders() if f.selectable and f.name not in mapped]
    same = [
        status.ref(name)
        for name, status in lane.destination.statuses(others).items()
        if not isinstance(status, FolderUnusable) and status.uidvalidity == folder.uidvalidity
    ]
    return same[0] if len(same) == 1 else None


def _created_again(leg: Leg, lane: Lane, intent: Intent) -> bool:
    """Whether the folder was renamed and then created again for another route: the receipts of this route
    were detached by then, so that those of the intent have to be, too."""
    try:
        if lane.destination.status(intent.destination.name).uidvalidity == intent.destination.uidvalidity:
            return False
    except FolderUnusable:
        return False
    receipts = leg.ledger.receipts(leg.import_.route, intent.destination.name)
    return not any(receipt.destination == intent.destination for receipt in receipts)


def _altered(
    lane: Lane,
    intent: Intent,
    others: Sequence[Intent | Receipt],
    landed: dict[int, Uid],
    unmatched: dict[Uid, bytes],
) -> dict[int, Uid]:
    """Match messages that the server altered while it stored them (Dovecot turns NUL into 0x80, Cyrus turns
    8-bit bytes in headers into X, Exchange rewrites whole messages).

    A match is a header key that exactly one message has on each side. The messages of `others`, which may
    have landed in the folder too, count at the source.
    """
    open_ = {uid: i for i, uid in enumerate(intent.source_uids) if i not in landed}
    if not open_ or not unmatched:
        return {}
    stored: dict[bytes, list[Uid]] = {}
    for uid, header in unmatched.items():
        stored.setdefault(header_key(munged(header)).digest, []).append(uid)
    sent: dict[bytes, list[int]] = {}
    try:
        for lines in lane.source.headers(intent.source, UidSet.of(open_)):
            key = header_key(munged(lines.header))
            if key.has_message_id and key.digest in stored:
                sent.setdefault(key.digest, []).append(open_[lines.uid])
        for other in others if sent else ():
            for lines in lane.source.headers(other.source, UidSet.of(other.source_uids)):
                if (other_key := header_key(munged(lines.header)).digest) in sent:
                    sent[other_key].append(-1)  # makes the key ambiguous
    except (FolderUnusable, FolderChanged):
        return {}  # undecidable now: a message copied twice is better than a lost one
    return {
        indexes[0]: uids[0]
        for key, indexes in sent.items()
        if len(indexes) == 1 and len(uids := stored.get(key, [])) == 1
    }


def _known(receipts: Iterable[Receipt], intent: Intent) -> UidSet:
    """Destination UIDs at or above the intent's UIDNEXT that already have a receipt."""
    valid = (intent.destination.uidvalidity, ANY_UIDVALIDITY)
    return UidSet.of(
        uid
        for receipt in receipts
        if receipt.destination.uidvalidity in valid
        for uid in receipt.destination_uids
        if uid >= intent.uidnext
    )


def _without_uids(receipts: Iterable[Receipt], intent: Intent) -> list[Receipt]:
    """Receipts of copies in the folder whose UIDs the server did not report (no UIDPLUS). They may include
    appends that were under way together with this one."""
    return [
        receipt
        for receipt in receipts
        if receipt.outcome is Outcome.COPIED
        and receipt.destination == intent.destination
        and not receipt.destination_uids
    ]


def _contents(receipts: Iterable[Receipt]) -> Digests:
    contents = Digests()
    for receipt in receipts:
        for content in each_digest(receipt.digests):
            contents.add(content)
    return contents


def _receipt(intent: Intent, landed: dict[int, Uid]) -> Receipt:
    order = sorted(landed)
    return copied_receipt(intent, order, [landed[i] for i in order])
