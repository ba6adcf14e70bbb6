"""Undoes an import: removes the messages that it added and that are untouched since, and nothing else.

Invariants:
- A message is removed only if the ledger says that this import stored it under this UID and UIDVALIDITY, its
  bytes have the digest of what was stored, its flags are those that we set, and synchronisation never noticed
  a change by its owner.
- A message counts as removed only if the server no longer lists it. One that it does not remove loses its
  \\Deleted again, which would take it with the next EXPUNGE of its owner.
- A removal is noted in the ledger before it happens; from then on the receipt no longer counts. The next undo
  continues one that was interrupted at any point, and another import may bring the messages again, also
  before that.
- A folder is removed only if this import created it, it was not recreated since, and it is empty.
- Messages that the owner changes between the check and the removal stay, too, if the server keeps
  modification sequences (CONDSTORE, RFC 7162). On other servers there is a window in which such a change is
  not noticed, as long as the check of MOST_BYTES, or of one receipt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from typing import Final, TypeAlias

from importer.compact.uid_set import Uid, UidSet
from importer.domain.folder_mapping.folder_map import is_inbox
from importer.domain.mailbox_content import FolderRef, FolderStatus, NotHandedOut
from importer.domain.messages.flags import touched_ever, unfold_flags
from importer.domain.messages.message_identity import digest
from importer.domain.model import Import
from importer.domain.receipts.receipt import Receipt
from importer.domain.receipts.undo_report import FolderKept, FolderUndo, UndoReport
from importer.engine.survey import Survey, survey
from importer.ports.leases import Lease
from importer.ports.ledger import Copies, Ledger
from importer.ports.mailbox import MailboxWriter
from importer.ports.mailbox_errors import FolderChanged, FolderUnusable
from importer.ports.process import Clock
from providers.frozen import frozen

MOST_MESSAGES: Final = 1_000
MOST_BYTES: Final = 4 * 2**20
"""Of receipts that are checked and removed together. Each time, what other imports settled in the folder is
read; and the longer the check takes, the more changes go unnoticed on a server without CONDSTORE."""

_STAYING: Final = ("touched", "altered", "refused")
"""Why a message that is there stays."""

_Expected: TypeAlias = dict[Uid, tuple[bytes, tuple[str, ...] | None]]
"""UID -> digest and flags that each copy was stored with; the flags are None if they were not recorded."""


@frozen
class Undoing:
    """The objects that one undo works with. `lease` is that of the destination mailbox, and `check` raises
    LeaseLost if it is lost. `on_folder` is called with a folder's counts each time they change."""

    import_: Import
    session: MailboxWriter
    ledger: Ledger
    lease: Lease
    check: Callable[[], None]
    clock: Clock
    on_folder: Callable[[FolderUndo], None] = lambda _folder: None


def undo(undoing: Undoing) -> UndoReport:
    """Remove what can be removed and count the rest. Safe to repeat, after an error as well.

    The server must be able to remove by UID (`MailboxWriter.supports_uid_expunge`). Raises what the session
    and the ledger raise.
    """
    return _Undo(undoing).run()


class _Undo:
    def __init__(self, undoing: Undoing) -> None:
        self._undoing = undoing
        self._route = undoing.import_.route
        self._counts: dict[str, FolderUndo] = {}
        self._renewed = False
        self._modseqs: Mapping[str, int] | None = None

    def run(self) -> UndoReport:
        work, ledger = self._undoing, self._undoing.ledger
        destination = survey(work.session, modseqs=True)
        for folder, number in ledger.undone(self._route, work.import_.id).items():
            self._count(folder.name, added=number, removed=number)
        copies = ledger.copies(self._route, work.import_.id)
        for name, folder_copies in groupby(copies, lambda item: item.receipt.destination.name):
            status = destination.statuses.get(name)
            self._clear_folder(name, status, folder_copies, closed=name in destination.unusable)
        for name in dict.fromkeys(ref.name for ref in ledger.undone(self._route, work.import_.id)):
            ledger.undo_followers(work.import_, name, work.lease)
        removed, kept = self._remove_folders(destination)
        return UndoReport(
            work.import_.id,
            work.clock.now(),
            tuple(self._counts.values()),
            tuple(removed),
            tuple(kept.items()),
            self._doubtful(),
        )

    # --- Messages -----------------------------------------------------------------------------------

    def _clear_folder(
        self, name: str, status: FolderStatus | None, folder_copies: Iterable[Copies], *, closed: bool
    ) -> None:
        """Remove what can be removed from one destination folder. Without a status it is missing, or, if
        `closed`, cannot be opened."""
        if status is None:
            for copies in folder_copies:
                number = len(copies.receipt.source_uids)
                self._count(name, added=number, **{"unidentified" if closed else "gone": number})
            return
        ref = status.ref(name)
        listed: UidSet | None = None
        modseq = 0
        for group in _groups(self._identified(ref, status.uidnext, folder_copies)):
            try:
                if listed is None:
                    listed = self._undoing.session.uids(ref)
                    modseq = self._modseq(name)
                self._clear_receipts(ref, group, listed, modseq)
            except (FolderUnusable, FolderChanged):
                for copies in group:
                    self._count_unidentified(copies.receipt)

    def _identified(self, ref: FolderRef, uidnext: Uid, folder_copies: Iterable[Copies]) -> Iterator[Copies]:
        """Those whose UIDs are known and still valid in the folder; counts the others."""
        for copies in folder_copies:
            uids = copies.receipt.destination_uids
            if uids and copies.receipt.destination == ref and max(uids) < uidnext:
                yield copies
            else:
                self._count_unidentified(copies.receipt)

    def _modseq(self, name: str) -> int:
        """A modification sequence of the folder from before the check, 0 if the server keeps none.

        It is that of one more listing after the survey, since Dovecot counts from the first request. An older
        one is as safe: what changed since is checked again.
        """
        if self._modseqs is None:
            statuses = self._undoing.session.listing(modseqs=True).statuses.items()
            self._modseqs = {n: s.highest_modseq for n, s in statuses if isinstance(s, FolderStatus)}
        return self._modseqs.get(name, 0)

    def _clear_receipts(self, ref: FolderRef, group: Sequence[Copies], listed: UidSet, modseq: int) -> None:
        """Remove what can be removed of some receipts. `modseq` is the folder's modification sequence before
        the check, 0 if there is none."""
        work, ledger = self._undoing, self._undoing.ledger
        stored = {copies.number: UidSet.of(copies.receipt.destination_uids) for copies in group}
        expected = _expected(copies.receipt for copies in group)
        reasons, marked = self._reasons_to_stay(ref, expected, UidSet.of(expected) & listed)
        untouched = UidSet.of(uid for uid, reason in reasons.items() if reason is None)
        # Noted by an interrupted undo and no longer listed: that undo removed them.
        undone = {copies.number: copies.undoing & (stored[copies.number] - listed) for copies in group}
        stays, left = UidSet(), UidSet()
        if untouched:
            work.check()  # the lease may have been lost during the read
            undone = {number: uids | (stored[number] & untouched) for number, uids in undone.items()}
            ledger.note_undoing({number: uids for number, uids in undone.items() if uids}, work.lease)
            stays, left = self._remove(ref, expected, untouched, modseq)
            reasons |= dict.fromkeys(stays, "touched") | dict.fromkeys(left, "refused")
            undone = {number: uids - stays - left for number, uids in undone.items()}
        self._unmark(ref, group, reasons, (stays | left) - marked)
        if untouched or any(copies.undoing for copies in group):
            ledger.undo_copies(undone, work.lease)
        kept = Counter(reasons[uid] for uids in stored.values() for uid in uids & listed)
        added, removed = sum(map(len, stored.values())), sum(map(len, undone.values()))
        staying = {reason: kept[reason] for reason in _STAYING}
        gone = added - removed - sum(staying.values())
        self._count(ref.name, added=added, removed=removed, gone=gone, **staying)

    def _remove(
        self, ref: FolderRef, expected: _Expected, uids: UidSet, modseq: int
    ) -> tuple[UidSet, UidSet]:
        """Remove messages. Return those that stay because they were touched since the check, and those that
        the server did not remove.

        Servers ignore the mark of a user without the right to it (RFC 4314 section 4), and some answer OK to
        EXPUNGE and keep what is under a retention rule.
        """
        session, stays = self._undoing.session, UidSet()
        with suppress(FolderUnusable):
            stays = self._remove_untouched(ref, expected, uids, modseq)
        left = (uids - stays) & session.uids(ref)
        if left and not self._renewed:
            self._renewed = True
            session.renew()  # it may be the view of that connection
            left &= session.uids(ref)
        return stays, left

    def _remove_untouched(self, ref: FolderRef, expected: _Expected, uids: UidSet, modseq: int) -> UidSet:
        """Remove messages, and return those that stay because they were touched since the check."""
        session = self._undoing.session
        changed = session.remove(ref, uids, unchanged_since=modseq)
        if not changed:
            return changed
        # The change may be ours alone: \Deleted, set over a connection that was lost afterwards.
        current = dict(session.flags(ref, changed))
        stays = UidSet.of(
            uid for uid, flags in current.items() if touched_ever(expected[uid][1] or (), flags)
        )
        if untouched := UidSet.of(current) - stays:
            session.remove(ref, untouched)
        return stays

    def _unmark(
        self, ref: FolderRef, group: Iterable[Copies], reasons: Mapping[Uid, str | None], ours: UidSet
    ) -> None:
        """Remove the mark from messages that stay although this removal, or an interrupted one, may have
        marked them as deleted: another program of their owner would expunge them."""
        noted = ours | UidSet.of(uid for copies in group for uid in copies.undoing)
        if marked := UidSet.of(uid for uid in noted if reasons.get(uid) in _STAYING):
            self._undoing.check()
            with suppress(FolderUnusable):
                self._undoing.session.change_flags(ref, marked, (), ("\\Deleted",))

    def _reasons_to_stay(
        self, ref: FolderRef, expected: _Expected, uids: UidSet
    ) -> tuple[dict[Uid, str | None], UidSet]:
        """Why each message stays ("gone", "altered", "touched"), None if it may be removed; and those that
        are marked as deleted."""
        reasons: dict[Uid, str | None] = dict.fromkeys(uids, "gone")
        marked: list[Uid] = []
        for message in self._undoing.session.messages(ref, uids):
            if isinstance(message, NotHandedOut):
                reasons[message.uid] = "altered"
                continue
            stored_digest, sent = expected[message.uid]
            if digest(message.body) != stored_digest:
                reasons[message.uid] = "altered"
            else:
                reasons[message.uid] = (
                    "touched" if sent is None or touched_ever(sent, message.flags) else None
                )
            if any(flag.lower() == "\\deleted" for flag in message.flags):
                marked.append(message.uid)
        return reasons, UidSet.of(marked)

    def _doubtful(self) -> int:
        """The number of messages in this import's doubtful appends; the next import settles them."""
        work = self._undoing
        folders = dict.fromkeys(work.ledger.folder_map(self._route).values())
        return sum(
            len(intent.source_uids)
            for folder in folders
            for intent in work.ledger.intents(self._route, folder)
            if intent.import_id == work.import_.id
        )

    def _count_unidentified(self, receipt: Receipt) -> None:
        number = len(receipt.source_uids)
        self._count(receipt.destination.name, added=number, unidentified=number)

    def _count(self, name: str, **numbers: int) -> None:
        count = self._counts.get(name, FolderUndo(name))
        self._counts[name] = count + FolderUndo(name, **numbers)
        self._undoing.on_folder(self._counts[name])

    # --- Folders ------------------------------------------------------------------------------------

    def _remove_folders(self, destination: Survey) -> tuple[list[str], dict[str, FolderKept]]:
        """Remove folders, inner ones first. Return the names of removed folders, and why each other one
        stays."""
        work, ledger = self._undoing, self._undoing.ledger
        removed: list[str] = []
        kept: dict[str, FolderKept] = {}
        statuses = destination.statuses
        created = [n for n in ledger.created(work.import_.id) if n in statuses and not is_inbox(n)]
        known = self._known_folders() if created else set()
        for name in sorted(created, key=len, reverse=True):
            ref = statuses[name].ref(name)
            if ref not in known:
                kept[name] = FolderKept.NOT_OURS
                continue
            work.check()
            try:
                work.session.remove_folder(ref)
            except FolderUnusable:
                kept[name] = FolderKept.NOT_EMPTY
            except FolderChanged:
                kept[name] = FolderKept.NOT_OURS
            else:
                ledger.forget_folder(self._route, work.import_.id, name, work.lease)
                removed.append(name)
        return removed, kept

    def _known_folders(self) -> set[FolderRef]:
        """The folders, with their UIDVALIDITY of that time, that this import stored into or that imports of
        this route completed."""
        ledger, import_ = self._undoing.ledger, self._undoing.import_
        return {
            *ledger.undone(self._route, import_.id),
            *(copies.receipt.destination for copies in ledger.copies(self._route, import_.id)),
            *(checkpoint.destination for checkpoint in ledger.checkpoints(self._route).values()),
        }


def _groups(copies: Iterable[Copies]) -> Iterator[list[Copies]]:
    """Receipts to check and remove together: at least one, more within MOST_MESSAGES and MOST_BYTES."""
    group: list[Copies] = []
    messages = size_bytes = 0
    for one in copies:
        messages += len(one.receipt.source_uids)
        size_bytes += one.receipt.size_bytes
        if group and (messages > MOST_MESSAGES or size_bytes > MOST_BYTES):
            yield group
            group, messages, size_bytes = [], len(one.receipt.source_uids), one.receipt.size_bytes
        group.append(one)
    if group:
        yield group


def _expected(receipts: Iterable[Receipt]) -> _Expected:
    expected: _Expected = {}
    for receipt in receipts:
        flags = unfold_flags(receipt.flags)
        for index, uid in enumerate(receipt.destination_uids):
            expected[uid] = (receipt.digest_at(index), flags[index] if flags else None)
    return expected
