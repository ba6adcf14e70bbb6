"""Undoing an import: what it added and nobody has touched since is removed, and nothing else.

Invariants:
- A message is removed only when the ledger says that this import stored it under this UID and UIDVALIDITY,
  its bytes have the digest of what was stored, and its flags are those that it was stored with.
- Before a removal it is noted, after it the receipt counts no more: an undo that breaks off at any point is
  taken up by the next one, and another import may bring the messages again.
- A folder is removed only when this import made it, nobody made it anew, and it is empty.
- What its owner touches between the look at it and its removal stays too, where the server keeps modification
  sequences (CONDSTORE, RFC 7162); elsewhere that moment, the time of one batch, is open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from importer.compact.uid_set import Uid, UidSet
from importer.domain.messages.flag_runs import touched, unfold_flags
from importer.domain.messages.message_identity import digest
from importer.domain.model import (
    FolderRef,
    FolderStatus,
    Import,
    NotHandedOut,
    Receipt,
)
from importer.domain.receipts.undo_report import FolderUndo, UndoReport
from importer.engine.survey import Survey, survey
from importer.ports.leases import Lease
from importer.ports.ledger import Copies, Ledger
from importer.ports.mailbox import MailboxSession
from importer.ports.process import Clock
from providers.errors import FolderChanged, FolderUnusable

_NOT_EMPTY: Final = "there is mail in it, or a folder inside it"
_NOT_OURS: Final = "it was made anew by somebody else"


@dataclass(frozen=True, slots=True)
class Undoing:
    """What one undo works with. `lease` is that of the destination mailbox, `check` raises LeaseLost when it
    is lost; `told` hears the account of a folder as it grows."""

    import_: Import
    session: MailboxSession
    ledger: Ledger
    lease: Lease
    check: Callable[[], None]
    clock: Clock
    told: Callable[[FolderUndo], None] = lambda _folder: None


def undo(undoing: Undoing) -> UndoReport:
    """Removes what can be removed, and accounts for the rest. Safe to repeat, after a failure as well.

    The server has to remove exactly (`MailboxSession.removes_exactly`). Raises what the session and the
    ledger raise.
    """
    return _Undo(undoing).run()


class _Undo:
    def __init__(self, undoing: Undoing) -> None:
        self._undoing = undoing
        self._route = undoing.import_.route
        self._accounts: dict[str, FolderUndo] = {}

    def run(self) -> UndoReport:
        work, ledger = self._undoing, self._undoing.ledger
        there = survey(work.session)
        for folder, number in ledger.undone(self._route, work.import_.id).items():
            self._count(folder.name, added=number, removed=number)
        copies = ledger.copies(self._route, work.import_.id)
        for name, of_folder in groupby(copies, lambda one: one.receipt.destination.name):
            self._clear(name, there.statuses.get(name), of_folder)
        for name in dict.fromkeys(ref.name for ref in ledger.undone(self._route, work.import_.id)):
            ledger.undo_followers(self._route, work.import_.id, name, work.lease)
        removed, kept = self._remove_folders(there)
        return UndoReport(
            work.import_.id,
            work.clock.now(),
            tuple(self._accounts.values()),
            tuple(removed),
            tuple(kept.items()),
            self._doubtful(),
        )

    # --- Messages -----------------------------------------------------------------------------------

    def _clear(self, name: str, status: FolderStatus | None, copies: Iterable[Copies]) -> None:
        """One destination folder, receipt by receipt."""
        shown: UidSet | None = None
        modseq = 0
        for one in copies:
            receipt = one.receipt
            number = len(receipt.source_uids)
            if status is None:
                self._count(name, added=number, gone=number)
                continue
            ref = status.ref(name)
            uids = receipt.destination_uids
            if not uids or receipt.destination != ref or max(uids) >= status.uidnext:
                self._count(name, added=number, unidentified=number)
                continue
            try:
                if shown is None:
                    shown = self._undoing.session.uids(ref)
                    modseq = self._modseq(name)
                self._clear_receipt(ref, one, shown, modseq)
            except (FolderUnusable, FolderChanged):
                self._count(name, added=number, unidentified=number)

    def _modseq(self, name: str) -> int:
        """The folder's modification sequence by now, 0 where there is none. Asked for twice: a Dovecot counts
        from when somebody first asks."""
        for _ in range(2):
            _, statuses = self._undoing.session.folders_and_statuses(modseqs=True)
        status = statuses.get(name)
        return status.highest_modseq if isinstance(status, FolderStatus) else 0

    def _clear_receipt(self, ref: FolderRef, copies: Copies, shown: UidSet, modseq: int) -> None:
        """`modseq`: the folder's modification sequence before anybody looked, 0 where there is none."""
        work, uids = self._undoing, UidSet.of(copies.receipt.destination_uids)
        # Noted by an undo that broke off, and not there any more: it had come to remove them.
        removed = copies.undoing & uids - shown
        if removed:
            work.ledger.undo_copies(copies.number, removed, work.lease)
        gone = uids - shown - removed
        looked_at = self._looked_at(ref, copies.receipt, uids & shown)
        untouched = UidSet.of(uid for uid, fate in looked_at.items() if fate is None)
        if untouched:
            work.check()  # the lease may have been lost while we read
            work.ledger.note_undoing(copies.number, untouched, work.lease)
            stays = self._removed_but(ref, copies.receipt, untouched, modseq)
            if stays:
                untouched -= stays
                work.ledger.note_undoing(copies.number, untouched, work.lease)
            work.ledger.undo_copies(copies.number, untouched, work.lease)
            looked_at |= dict.fromkeys(stays, "touched")
        fates = [fate for fate in looked_at.values() if fate is not None]
        self._count(
            ref.name,
            added=len(uids),
            removed=len(removed) + len(untouched),
            gone=len(gone) + fates.count("gone"),
            touched=fates.count("touched"),
            altered=fates.count("altered"),
        )

    def _removed_but(self, ref: FolderRef, receipt: Receipt, uids: UidSet, modseq: int) -> UidSet:
        """Removes them, but for those that somebody touched since they were looked at."""
        session = self._undoing.session
        changed = session.remove(ref, uids, unchanged_since=modseq)
        if not changed:
            return changed
        # Changed, and perhaps only by us: marked as deleted on a connection that was lost then.
        sent = {uid: flags for uid, (_, flags) in _expected(receipt).items()}
        found = dict(session.flags(ref, changed))
        stays = UidSet.of(uid for uid, now in found.items() if touched(sent[uid] or (), now))
        if as_before := UidSet.of(found) - stays:
            session.remove(ref, as_before)
        return stays

    def _looked_at(self, ref: FolderRef, receipt: Receipt, uids: UidSet) -> dict[Uid, str | None]:
        """Why each message stays; None where nothing speaks against removing it."""
        expected = _expected(receipt)
        fates: dict[Uid, str | None] = dict.fromkeys(uids, "gone")
        for message in self._undoing.session.messages(ref, uids):
            if isinstance(message, NotHandedOut):
                fates[message.uid] = "altered"
                continue
            body, sent = expected[message.uid]
            if digest(message.body) != body:
                fates[message.uid] = "altered"
            else:
                fates[message.uid] = "touched" if sent is None or touched(sent, message.flags) else None
        return fates

    def _doubtful(self) -> int:
        """Messages of appends that nobody heard of: the next import settles them."""
        work = self._undoing
        folders = dict.fromkeys(work.ledger.folder_map(self._route).values())
        return sum(
            len(intent.source_uids)
            for folder in folders
            for intent in work.ledger.intents(self._route, folder)
            if intent.import_id == work.import_.id
        )

    def _count(self, name: str, **numbers: int) -> None:
        before = self._accounts.get(name, FolderUndo(name))
        self._accounts[name] = before + FolderUndo(name, **numbers)
        self._undoing.told(self._accounts[name])

    # --- Folders ------------------------------------------------------------------------------------

    def _remove_folders(self, before: Survey) -> tuple[list[str], dict[str, str]]:
        """Names of those removed, and why the others stay; inner folders go before those they are in."""
        work, ledger = self._undoing, self._undoing.ledger
        removed: list[str] = []
        kept: dict[str, str] = {}
        there = before.statuses
        created = [n for n in ledger.created(work.import_.id) if n in there and n.upper() != "INBOX"]
        proofs = self._proofs() if created else set()
        for name in sorted(created, key=len, reverse=True):
            ref = there[name].ref(name)
            if ref not in proofs:
                kept[name] = _NOT_OURS
                continue
            work.check()
            try:
                work.session.remove_folder(ref)
            except FolderUnusable:
                kept[name] = _NOT_EMPTY
            except FolderChanged:
                kept[name] = _NOT_OURS
            else:
                ledger.forget_folder(self._route, work.import_.id, name, work.lease)
                removed.append(name)
        return removed, kept

    def _proofs(self) -> set[FolderRef]:
        """The folders, as they were then, that this route's imports stored into or copied to their end."""
        ledger, import_ = self._undoing.ledger, self._undoing.import_
        return {
            *ledger.undone(self._route, import_.id),
            *(one.receipt.destination for one in ledger.copies(self._route, import_.id)),
            *(checkpoint.destination for checkpoint in ledger.checkpoints(self._route).values()),
        }


def _expected(receipt: Receipt) -> dict[Uid, tuple[bytes, tuple[str, ...] | None]]:
    """UID -> digest and flags that each copy went with; None when they were not remembered."""
    flags = unfold_flags(receipt.flags)
    return {
        uid: (receipt.digest_at(at), flags[at] if flags else None)
        for at, uid in enumerate(receipt.destination_uids)
    }
