"""Settling doubtful appends: they were sent, and nobody heard what became of them.

Invariant: after `settle`, every message that such an append stored has a receipt, and its intent is gone.
An append is never repeated without this look (RFC 4315 has no way to ask "did it land?").
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final

from importer.compact.digest_set import DIGEST_BYTES, Digests
from importer.compact.uid_set import Uid, UidSet
from importer.domain.messages.date_and_subject import date_and_subject
from importer.domain.messages.flag_runs import fold_flags, unfold_flags
from importer.domain.messages.message_identity import digest, header_block, header_key, munged
from importer.domain.model import (
    ANY_UIDVALIDITY,
    Intent,
    NotHandedOut,
    Outcome,
    Receipt,
    Refusal,
    RefusalCode,
)
from importer.engine.leg_context import Lane, Leg
from providers.errors import FolderChanged, FolderUnusable

LOOK_AGAIN_S: Final = 1.0
TRIES_ALONE: Final = 9
"""Fruitless legs until a message that was sent alone is given up; 100 in a batch are halved to 1 in seven."""

LONG_AGO: Final = timedelta(minutes=10)
"""No server is still storing what it received so long ago: one look is enough."""


def settle(leg: Leg, lane: Lane, folder: str) -> None:
    """Looks whether the folder's open intents came true, and records what did.

    A server may still be storing what it received before a connection died, so a message that is not
    there yet is looked for again, for as long as the leg's pace says. Messages that did not land get no
    receipt and will be copied like any other.
    """
    open_ = leg.ledger.intents(leg.import_.route, folder)
    for intent in open_:
        age = leg.clock.now() - intent.sent_at
        # Looks are counted, not timed: a clock that jumps must neither end the wait nor prolong it.
        looks = 1 if age > LONG_AGO else 1 + round(leg.pace.settle_quiet.total_seconds() / LOOK_AGAIN_S)
        rivals = [other for other in open_ if other.slot != intent.slot]
        landed, _ = _landed(leg, lane, intent, rivals, looks=looks, guess=True)
        _record(leg, intent, landed, closes=True)
        if not landed and _breaks_connections(leg, intent):
            _refuse(leg, lane, intent)


def settle_answered(leg: Leg, lane: Lane, intent: Intent, *, leave_doubt: bool) -> list[Receipt]:
    """Settles an append that the server answered with an error, in the middle of a leg, while the source may
    be busy with the next batch: one look, at the destination alone.

    With `leave_doubt` the intent stays for the next leg when something landed that may be what was sent,
    with other bytes, and that no other append under way sent. Returns the receipt, if anything landed.
    Raises LeaseLost, and what the session raises.
    """
    open_ = leg.ledger.intents(leg.import_.route, intent.destination.name)
    rivals = [other for other in open_ if other.slot != intent.slot]
    landed, strangers = _landed(leg, lane, intent, rivals, looks=1, guess=False)
    doubtful = leave_doubt and bool(strangers) and len(landed) < len(intent.source_uids)
    return _record(leg, intent, landed, closes=not doubtful)


def _record(leg: Leg, intent: Intent, landed: dict[int, Uid], *, closes: bool) -> list[Receipt]:
    """The receipt of what landed, if anything did; the intent goes with it if that `closes` it."""
    receipts = [_receipt(intent, landed)] if landed else []
    leg.ledger.record(
        leg.import_.route,
        intent.destination.name,
        receipts,
        [],
        leg.lease,
        closes_slot=intent.slot if closes else None,
    )
    return receipts


def _breaks_connections(leg: Leg, intent: Intent) -> bool:
    """Whether one message is to blame: leg after leg came to nothing, and it was sent alone."""
    alone = len(intent.source_uids) == 1 and intent.import_id == leg.import_.id
    return alone and leg.import_.attempts >= TRIES_ALONE


def _refuse(leg: Leg, lane: Lane, intent: Intent) -> None:
    (uid,) = intent.source_uids
    date, subject = "", ""
    with suppress(FolderUnusable, FolderChanged):  # the report goes without
        for lines in lane.source.headers(intent.source, UidSet.of((uid,))):
            date, subject = date_and_subject(lines.header)
    refusal = Refusal(
        leg.import_.id,
        intent.source.name,
        intent.source.uidvalidity,
        uid,
        "the new mailbox ended the connection each time it was to be stored",
        date,
        subject,
        intent.sizes_bytes[0],
        code=RefusalCode.BREAKS_CONNECTION,
    )
    leg.ledger.record(leg.import_.route, intent.destination.name, [], [refusal], leg.lease)


def _landed(
    leg: Leg, lane: Lane, intent: Intent, rivals: Sequence[Intent], *, looks: int, guess: bool
) -> tuple[dict[int, Uid], dict[Uid, bytes]]:
    """Index within the intent -> destination UID, for those that are there; and the headers of strangers:
    what is there and equals nothing that was sent. `rivals` are appends into the same folder that were under
    way at the same time. With `guess` what landed with other bytes is found too, by asking the source."""
    folder, destination = intent.destination, lane.destination
    try:
        if destination.status(folder.name).uidvalidity != folder.uidvalidity:
            return {}, {}
    except FolderUnusable:
        return {}, {}
    wanted = {intent.digest_at(i): i for i in range(len(intent.source_uids))}
    landed: dict[int, Uid] = {}
    theirs = {rival.digests[at : at + 16] for rival in rivals for at in range(0, len(rival.digests), 16)}
    nameless = _without_uids(leg.ledger.receipts(leg.import_.route, folder.name), intent)
    settled = _contents(nameless)
    strangers: dict[Uid, bytes] = {}
    looked_at = _known(leg.ledger.receipts(leg.import_.route, folder.name), intent)
    for look in range(looks):
        if look:
            leg.clock.sleep(LOOK_AGAIN_S)
            leg.budget.spent()  # for the lease: it may have been lost while we waited
        tail = destination.uids(folder, at_or_above=intent.uidnext) - looked_at
        for message in destination.messages(folder, tail):
            if isinstance(message, NotHandedOut):
                continue
            body = digest(message.body)
            at = wanted.get(body)
            if at is None and body not in theirs and body not in settled:
                strangers[message.uid] = header_block(message.body)
            elif at is not None:
                landed.setdefault(at, message.uid)
        looked_at |= tail
        if guess and (len(landed) + len(strangers) >= len(wanted) or look == looks - 1):
            landed |= _rewritten(lane, intent, [*rivals, *nameless], landed, strangers)
        if len(landed) == len(wanted):
            break
    return landed, strangers


def _rewritten(
    lane: Lane,
    intent: Intent,
    others: Sequence[Intent | Receipt],
    landed: dict[int, Uid],
    strangers: dict[Uid, bytes],
) -> dict[int, Uid]:
    """What landed with other bytes than were sent: some servers change what they store (Dovecot turns NUL
    into 0x80, Cyrus 8-bit bytes in headers into X, Exchange rewrites whole messages). Told by headers that
    only one message on each side has, those of `others`, which may have landed there too, counted."""
    open_ = {uid: i for i, uid in enumerate(intent.source_uids) if i not in landed}
    if not open_ or not strangers:
        return {}
    there: dict[bytes, list[Uid]] = {}
    for uid, header in strangers.items():
        there.setdefault(header_key(munged(header)).digest, []).append(uid)
    sent: dict[bytes, list[int]] = {}
    try:
        for lines in lane.source.headers(intent.source, UidSet.of(open_)):
            key = header_key(munged(lines.header))
            if key.has_message_id and key.digest in there:
                sent.setdefault(key.digest, []).append(open_[lines.uid])
        for other in others if sent else ():
            for lines in lane.source.headers(other.source, UidSet.of(other.source_uids)):
                if (found := header_key(munged(lines.header)).digest) in sent:
                    sent[found].append(-1)  # so that it is not alone
    except (FolderUnusable, FolderChanged):
        return {}  # nobody can tell any more: rather twice than not at all
    return {
        ours[0]: theirs[0]
        for key, ours in sent.items()
        if len(ours) == 1 and len(theirs := there.get(key, [])) == 1
    }


def _known(receipts: Iterable[Receipt], intent: Intent) -> UidSet:
    """Destination UIDs that have a receipt already."""
    valid = (intent.destination.uidvalidity, ANY_UIDVALIDITY)
    return UidSet.of(
        uid
        for receipt in receipts
        if receipt.destination.uidvalidity in valid
        for uid in receipt.destination_uids
        if uid >= intent.uidnext
    )


def _without_uids(receipts: Iterable[Receipt], intent: Intent) -> list[Receipt]:
    """Copies that stand in the folder under UIDs that the server did not name (no UIDPLUS): appends that
    were under way with this one may be among them."""
    return [
        receipt
        for receipt in receipts
        if receipt.outcome is Outcome.COPIED
        and receipt.destination == intent.destination
        and not receipt.destination_uids
    ]


def _contents(receipts: Iterable[Receipt]) -> Digests:
    found = Digests()
    for receipt in receipts:
        for at in range(0, len(receipt.digests), DIGEST_BYTES):
            found.add(receipt.digests[at : at + DIGEST_BYTES])
    return found


def _receipt(intent: Intent, landed: dict[int, Uid]) -> Receipt:
    order = sorted(landed)
    flags = unfold_flags(intent.flags)
    return Receipt(
        import_id=intent.import_id,
        source=intent.source,
        source_uids=tuple(intent.source_uids[i] for i in order),
        outcome=Outcome.COPIED,
        destination=intent.destination,
        destination_uids=tuple(landed[i] for i in order),
        digests=b"".join(intent.digest_at(i) for i in order),
        size_bytes=sum(intent.sizes_bytes[i] for i in order),
        flags=fold_flags(flags[i] for i in order) if flags else "",
    )
