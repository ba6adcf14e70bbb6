"""Find a message by its Message-ID and report its outcome.

The ledger holds digests and UIDs, and no Message-ID: the headers of a mailbox are read, and the ledger is
asked about the UIDs that were found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from importer.compact.uid_set import Uid
from importer.domain.folder_mapping.folder_order import folder_order
from importer.domain.mailbox_content import FolderRef
from importer.domain.model import Import, State
from importer.domain.receipts.folder_tally import RefusalCode
from importer.domain.receipts.receipt import NEVER_SEEN, Receipt
from importer.domain.reporting.message_trace import Fate, MessageTrace, has_message_id
from importer.ports.mailbox import MailboxReader
from importer.ports.mailbox_errors import FolderUnusable
from importer.ports.work_limit import WorkEnded
from importer.service.access.sealed_grants import Credentials
from importer.service.deps import Deps
from importer.service.legs.connections import label_view
from importer.service.legs.host_limits import PostponedByHost
from importer.service.legs.host_work import LeaseHeld, host_work
from providers.errors import Side
from providers.grants import Credential
from providers.text import Text


class TraceRefused(Exception):
    """The message cannot be searched for now; `text` says why."""

    def __init__(self, text: Text) -> None:
        super().__init__(text)
        self.text = text


def trace_message(
    deps: Deps,
    import_: Import,
    message_id: str,
    side: Side,
    credential: Credential,
    *,
    on_folder: Callable[[str], None] = lambda _folder: None,
) -> list[MessageTrace]:
    """The outcomes of the messages with this Message-ID that the mailbox on that side lists; empty if it
    lists none. The mailbox is only read. Raises TraceRefused, and any MailError of scope session or account.
    """
    labels = label_view(deps.store, import_.route, import_.options) if side is Side.SOURCE else None
    open_it = partial(deps.sessions.open_source, import_.account(side), credential, labels)
    trace = _from_source if side is Side.SOURCE else _from_destination
    try:
        with host_work(deps, import_, f"trace:{import_.id}") as work:
            places = list(_places(work.open(side, open_it), message_id, on_folder))
    except LeaseHeld:
        raise TraceRefused(Text("trace_busy")) from None
    except PostponedByHost as postponed:
        raise TraceRefused(postponed.problem.text) from None
    except WorkEnded:
        raise TraceRefused(Text("trace_interrupted")) from None
    return [trace(deps, import_, folder, uid) for folder, uid in places]


def trace_in_both(
    deps: Deps,
    import_: Import,
    message_id: str,
    credentials: Credentials,
    *,
    on_folder: Callable[[str], None] = lambda _folder: None,
) -> list[MessageTrace]:
    """The same for the old mailbox, and for the new one if the old one lists no such message."""
    for side, credential in ((Side.SOURCE, credentials.source), (Side.DESTINATION, credentials.destination)):
        if traces := trace_message(deps, import_, message_id, side, credential, on_folder=on_folder):
            return traces
    return []


def _places(
    session: MailboxReader, message_id: str, on_folder: Callable[[str], None]
) -> Iterator[tuple[FolderRef, Uid]]:
    names = [folder.name for folder in session.folders() if folder.selectable]
    for name in sorted(names, key=folder_order):
        on_folder(name)
        try:
            folder = session.status(name).ref(name)
            for lines in session.headers(folder, session.uids(folder)):
                if has_message_id(lines.header, message_id):
                    yield folder, lines.uid
        except FolderUnusable:
            continue


def _from_source(deps: Deps, import_: Import, folder: FolderRef, uid: Uid) -> MessageTrace:
    destination = deps.store.folder_map(import_.route).get(folder.name, "")
    unseen = None
    for receipt in deps.store.receipts(import_.route, destination) if destination else ():
        if receipt.source == folder and uid in receipt.source_uids:
            settled = _settled(receipt, receipt.source_uids.index(uid))
            if receipt.reason not in NEVER_SEEN:
                return settled
            unseen = settled
    for refusal in deps.store.refusals(import_.id):
        if (refusal.folder, refusal.uidvalidity, refusal.uid) == (folder.name, folder.uidvalidity, uid):
            return MessageTrace(
                folder, uid, Fate.FAILED, destination, refusal=refusal.reason, import_id=import_.id
            )
    if unseen is not None:
        return unseen
    for tally in deps.store.tallies(import_.id):
        listing = tally.listing if tally.source_folder == folder.name else None
        if listing is not None and uid in listing.left_out:
            return MessageTrace(
                folder, uid, Fate.SKIPPED, reason=listing.left_out_reason, import_id=import_.id
            )
    for refusal in deps.store.refusals(import_.id, folder.name):
        if refusal.uid is None and refusal.code is RefusalCode.FOLDER_UNUSABLE:
            return MessageTrace(
                folder, uid, Fate.FAILED, destination, refusal=refusal.reason, import_id=import_.id
            )
    return _undone(deps, import_, folder, uid) or MessageTrace(folder, uid, Fate.UNKNOWN, destination)


def _undone(deps: Deps, import_: Import, folder: FolderRef, uid: Uid) -> MessageTrace | None:
    """The trace of a message whose copy an undo of this import removed; None if it removed none."""
    if import_.state is not State.UNDONE:
        return None
    for receipt, undone in deps.store.evidence_entries(import_.route, import_.id):
        if undone and receipt.source == folder and uid in receipt.source_uids:
            return MessageTrace(
                folder, uid, Fate.UNDONE, receipt.destination.name, import_id=receipt.import_id
            )
    return None


def _from_destination(deps: Deps, import_: Import, folder: FolderRef, uid: Uid) -> MessageTrace:
    for receipt in deps.store.receipts(import_.route, folder.name):
        if receipt.destination == folder and uid in receipt.destination_uids:
            return _settled(receipt, receipt.destination_uids.index(uid))
    return MessageTrace(None, None, Fate.UNKNOWN, folder.name, uid)


def _settled(receipt: Receipt, at: int) -> MessageTrace:
    return MessageTrace(
        receipt.source,
        receipt.source_uids[at],
        Fate(receipt.outcome.value),
        receipt.destination.name,
        receipt.destination_uids[at] if receipt.destination_uids else None,
        receipt.reason,
        import_id=receipt.import_id,
    )
