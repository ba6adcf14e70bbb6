"""Decides whether the destination is another mailbox than at the last import."""

from __future__ import annotations

from collections.abc import Iterable

from importer.domain.mailbox_content import FolderStatus
from importer.domain.receipts.receipt import Receipt
from importer.engine.leg_context import Leg
from importer.engine.survey import Survey


def is_replaced(leg: Leg, destination: Survey, mapped: Iterable[str]) -> bool:
    """Whether the mailbox was replaced, given that the UIDVALIDITY of its INBOX changed.

    It was not if one of the `mapped` destination folders, other than INBOX, is still the folder that the last
    receipt into it names: then a server or a repair renumbered the INBOX alone, and what the owner removed
    from other folders stays removed.
    """
    for name in sorted(set(mapped)):
        status = destination.statuses.get(name)
        if status is not None and name.upper() != "INBOX":
            last = leg.ledger.last_receipt(leg.import_.route, name)
            if last is not None and _is_same(last, status):
                return False
    return True


def _is_same(receipt: Receipt, status: FolderStatus) -> bool:
    """A server may reuse a UIDVALIDITY, so UIDNEXT is compared too."""
    same = receipt.destination.uidvalidity == status.uidvalidity
    return same and max(receipt.destination_uids, default=0) < status.uidnext
