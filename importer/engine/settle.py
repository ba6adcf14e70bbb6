"""Settling a doubtful append: it was sent, and nobody heard what became of it.

Invariant: after `settle`, every message that the append stored has a receipt, and no intent is left.
An append is never repeated without this look (RFC 4315 has no way to ask "did it land?").
"""

from __future__ import annotations

from typing import Final

from importer.domain.identity import digest
from importer.domain.model import ANY_UIDVALIDITY, Intent, Outcome, Receipt
from importer.domain.uidset import Uid, UidSet
from importer.engine.context import Leg
from providers.errors import FolderUnusable

LOOK_AGAIN_S: Final = 1.0


def settle(leg: Leg, destination_folder: str, *, answered: bool = False) -> list[Receipt]:
    """Looks whether the folder's open intent, if any, came true, and records what did.

    A server may still be storing what it received before the connection died, so a message that is not
    there yet is looked for until the intent is as old as the leg's pace says; unless it `answered`, and is
    done. Messages that did not land get no receipt and will be copied like any other.
    Returns the receipt, if anything landed.
    """
    route = leg.import_.route
    intent = leg.ledger.intent(route, destination_folder)
    if intent is None:
        return []
    landed = _landed(leg, intent, answered=answered)
    receipts = [_receipt(intent, landed)] if landed else []
    leg.ledger.record(route, destination_folder, receipts, [], leg.lease, closes_intent=True)
    return receipts


def _landed(leg: Leg, intent: Intent, *, answered: bool) -> dict[int, Uid]:
    """Index within the intent -> destination UID, for those that are there."""
    folder = intent.destination
    try:
        if leg.destination.status(folder.name).uidvalidity != folder.uidvalidity:
            return {}
    except FolderUnusable:
        return {}
    wanted = {intent.digests[16 * i : 16 * i + 16]: i for i in range(len(intent.source_uids))}
    known = UidSet.of(
        uid
        for receipt in leg.ledger.receipts(leg.import_.route, folder.name)
        if receipt.destination.uidvalidity in (folder.uidvalidity, ANY_UIDVALIDITY)
        for uid in receipt.destination_uids
    )
    quiet_at = intent.sent_at + leg.pace.settle_quiet
    landed: dict[int, Uid] = {}
    looked_at = known
    while True:
        tail = leg.destination.uids(folder, at_or_above=intent.uidnext) - looked_at
        for message in leg.destination.messages(folder, tail):
            if isinstance(message, tuple):
                continue
            at = wanted.get(digest(message.body))
            if at is not None:
                landed.setdefault(at, message.uid)
        looked_at |= tail
        if answered or len(landed) == len(wanted) or leg.clock.now() >= quiet_at:
            return landed
        leg.clock.sleep(LOOK_AGAIN_S)


def _receipt(intent: Intent, landed: dict[int, Uid]) -> Receipt:
    order = sorted(landed)
    return Receipt(
        import_id=intent.import_id,
        source=intent.source,
        source_uids=tuple(intent.source_uids[i] for i in order),
        outcome=Outcome.COPIED,
        destination=intent.destination,
        destination_uids=tuple(landed[i] for i in order),
        digests=b"".join(intent.digests[16 * i : 16 * i + 16] for i in order),
        size_bytes=sum(intent.sizes_bytes[i] for i in order),
    )
