"""Decides whether the destination, or one folder of it, is another one than at the last import."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from importer.compact.uid_set import Uid
from importer.domain.folder_mapping.folder_map import INBOX, is_inbox
from importer.domain.mailbox_content import FolderRef, FolderStatus
from importer.domain.receipts.receipt import Receipt
from importer.engine.leg_context import Leg
from importer.engine.survey import Survey
from importer.ports.mailbox import MailboxReader
from importer.ports.mailbox_errors import FolderChanged, FolderUnusable
from providers.frozen import frozen


def is_replaced(leg: Leg, destination: Survey, mapped: Iterable[str]) -> bool:
    """Whether the mailbox was replaced, given that its INBOX is another one.

    It was not if one of the `mapped` destination folders, other than INBOX, is still the folder that the last
    receipt into it names: then a server or a repair renumbered the INBOX alone, and what the owner removed
    from other folders stays removed.
    """
    for name in sorted(set(mapped)):
        status = destination.statuses.get(name)
        if status is not None and not is_inbox(name):
            last = leg.ledger.last_receipt(leg.import_.route, name)
            if last is not None and _is_same(last, status):
                return False
    return True


def another_inbox(leg: Leg, destination: Survey) -> FolderRef | None:
    """The INBOX, if it is another one under the same UIDVALIDITY: some servers number the folders of each
    mailbox alike. Raises what the session raises."""
    status = next((status for name, status in destination.statuses.items() if is_inbox(name)), None)
    last = leg.ledger.last_receipt(leg.import_.route, INBOX)
    if status is None or last is None or last.destination.uidvalidity != status.uidvalidity:
        return None
    named = max(last.destination_uids, default=Uid(0))
    if named >= status.uidnext:
        with suppress(FolderUnusable, FolderChanged):
            folder = status.ref(INBOX)
            return folder if numbering(leg.lane.destination, folder, status, named).is_another else None
    return None


@frozen
class Numbering:
    """How a folder numbers its messages: `is_another` if it is not the one that got the UID in question."""

    uidnext: Uid
    is_another: bool


def numbering(session: MailboxReader, folder: FolderRef, status: FolderStatus, named: Uid) -> Numbering:
    """The numbering of a folder of which a receipt names the UID `named`, which its UIDNEXT has not reached.

    If the folder lists a UID that UIDNEXT has not reached, UIDNEXT is wrong and proves nothing. Else another
    folder has its name and its UIDVALIDITY, unless a new connection shows otherwise: the first one may have
    led to a replica that lags behind. Raises what the session raises.
    """
    found = _numbering(session, folder, status, named)
    if found.is_another:
        session.renew()
        found = _numbering(session, folder, status, named)
    return found


def _numbering(session: MailboxReader, folder: FolderRef, status: FolderStatus, named: Uid) -> Numbering:
    highest = session.uids(folder).highest or Uid(0)
    uidnext = max(status.uidnext, session.status(folder.name).uidnext)  # later than the list
    if highest >= uidnext:
        return Numbering(Uid(highest + 1), is_another=False)
    return Numbering(uidnext, is_another=named >= uidnext)


def _is_same(receipt: Receipt, status: FolderStatus) -> bool:
    """A server may reuse a UIDVALIDITY, so UIDNEXT is compared too."""
    same = receipt.destination.uidvalidity == status.uidvalidity
    return same and max(receipt.destination_uids, default=0) < status.uidnext
