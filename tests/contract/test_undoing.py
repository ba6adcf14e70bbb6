"""The undo part of the ledger's contract: in memory, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from importer.compact.uid_set import Uid, UidSet, UidValidity
from importer.domain.mailbox_content import FolderRef
from importer.domain.messages.flags import fold_flags, unfold_flags
from importer.domain.model import ImportId, State
from importer.domain.receipts.folder_tally import FolderCheckpoint
from importer.domain.receipts.receipt import CopyNote, Outcome, Receipt
from importer.domain.receipts.undo_report import FolderKept, FolderUndo, UndoReport
from importer.ports.leases import Lease, LeaseLost
from importer.ports.store import Store
from tests.contract.test_store import (
    NOW,
    OTHER_ROUTE,
    ROUTE,
    TTL,
    a_checkpoint,
    a_receipt,
    add,
    an_import,
    hold,
)

ONE, TWO = ImportId("one"), ImportId("two")
SEEN, PLAIN, TAGGED = ("\\Seen",), (), ("\\Seen", "$Label;1")


def copied(first_uid: int = 1, **facts: object) -> Receipt:
    receipt = replace(a_receipt(first_uid), flags=fold_flags([SEEN, PLAIN, TAGGED]), size_bytes=30)
    return replace(receipt, **facts)  # type: ignore[arg-type]


def followers(first_uid: int, *digests_of: Receipt) -> Receipt:
    """A receipt of duplicates: of the first message of each given receipt."""
    uids = tuple(Uid(first_uid + at) for at in range(len(digests_of)))
    digests = b"".join(receipt.digest_at(0) for receipt in digests_of)
    return a_receipt(
        first_uid,
        import_id=TWO,
        source_uids=uids,
        outcome=Outcome.DUPLICATE,
        destination_uids=(),
        digests=digests,
    )


def checkpoint_into(folder: FolderRef) -> FolderCheckpoint:
    checkpoint = a_checkpoint()
    return replace(
        checkpoint, destination=folder, tally=replace(checkpoint.tally, destination_folder=folder.name)
    )


def all_receipts(store: Store) -> list[Receipt]:
    return list(store.receipts(ROUTE, "Archive"))


def test_the_copies_of_an_import_are_grouped_by_folder(store: Store) -> None:
    held = hold(store)
    first, second = copied(1), copied(11)
    elsewhere = replace(copied(21), destination=FolderRef("Sent", UidValidity(9)))
    store.record(
        ROUTE, "Archive", [first, replace(copied(31), import_id=TWO), followers(41, first)], [], held
    )
    store.record(ROUTE, "Sent", [elsewhere], [], held)
    store.record(ROUTE, "Archive", [second], [], held)
    store.record(OTHER_ROUTE, "Archive", [copied(51)], [], held)
    receipts = [copies.receipt for copies in store.copies(ROUTE, ONE)]
    assert receipts in ([first, second, elsewhere], [elsewhere, first, second])
    assert unfold_flags(receipts[0].flags) == [SEEN, PLAIN, TAGGED]
    assert store.undone(ROUTE, ONE) == {}


def test_flags_that_are_synced_later_are_stored(store: Store) -> None:
    held = hold(store)
    first, second = copied(1), copied(11)
    store.record(ROUTE, "Archive", [first, replace(second, import_id=TWO), followers(21, first)], [], held)
    store.record(
        ROUTE, "Sent", [replace(copied(31), destination=FolderRef("Sent", UidValidity(9)))], [], held
    )
    store.record(OTHER_ROUTE, "Archive", [copied(51)], [], held)
    stored = list(store.copies_into(ROUTE, "Archive"))
    assert [copies.receipt for copies in stored] == [first, replace(second, import_id=TWO)]
    updated = fold_flags([PLAIN, ("*\\seen",), ("\\Seen", "?$Label;1")])
    store.note_flags({stored[1].number: updated}, held)
    assert [copies.receipt.flags for copies in store.copies_into(ROUTE, "Archive")] == [first.flags, updated]
    store.undo_copies({stored[0].number: UidSet.of(first.destination_uids)}, held)
    assert [copies.number for copies in store.copies_into(ROUTE, "Archive")] == [stored[1].number]
    store.save_checkpoint(
        ROUTE, replace(a_checkpoint(), status=replace(a_checkpoint().status, highest_modseq=2**62)), held
    )
    assert next(iter(store.checkpoints(ROUTE).values())).status.highest_modseq == 2**62


def test_undone_copies_no_longer_count(store: Store) -> None:
    held = hold(store)
    receipt = copied(1)
    store.record(ROUTE, "Archive", [receipt, copied(11)], [], held)
    store.save_checkpoint(ROUTE, checkpoint_into(receipt.destination), held)
    store.save_checkpoint(
        ROUTE, replace(a_checkpoint(), tally=replace(a_checkpoint().tally, source_folder="Other")), held
    )
    [copies, _] = store.copies(ROUTE, ONE)
    gone = UidSet.of([receipt.destination_uids[1], 999_999])
    store.note_undoing({copies.number: gone}, held)
    assert next(store.copies(ROUTE, ONE)).undoing == gone
    assert len(all_receipts(store)) == 2
    store.undo_copies({copies.number: gone}, held)
    [left, other] = all_receipts(store)
    assert left == replace(
        receipt,
        source_uids=receipt.source_uids[::2],
        destination_uids=receipt.destination_uids[::2],
        digests=receipt.digest_at(0) + receipt.digest_at(2),
        flags=fold_flags([SEEN, TAGGED]),
        size_bytes=20,
    )
    assert other == copied(11)
    assert [c.undoing for c in store.copies(ROUTE, ONE)] == [UidSet(), UidSet()]
    assert store.undone(ROUTE, ONE) == {receipt.destination: 1}
    assert set(store.checkpoints(ROUTE)) == {"Other"}
    store.undo_copies({copies.number: UidSet.of(receipt.destination_uids)}, held)
    assert all_receipts(store) == [copied(11)]
    assert store.undone(ROUTE, ONE) == {receipt.destination: 3}
    store.detach(ROUTE, "Archive", receipt.destination.uidvalidity, held)
    assert store.undone(ROUTE, ONE) == {receipt.destination: 3}


def test_copies_that_an_undo_was_about_to_remove_do_not_count_nor_what_follows_from_them(
    store: Store,
) -> None:
    held = hold(store)
    this = an_import("one")
    other = an_import("two", destination=this.destination)
    add(store, this, other)
    copies = copied(1)
    store.record(this.route, "Archive", [copies], [], held)
    for import_ in (this, other):
        store.record(import_.route, "Archive", [followers(21, copies, copied(11))], [], held)
        store.save_checkpoint(import_.route, checkpoint_into(copies.destination), held)
    [before] = store.copies(this.route, ONE)
    store.note_undoing({before.number: UidSet.of(copies.destination_uids[:1])}, held)
    [left, following] = store.receipts(this.route, "Archive")
    assert left.source_uids == copies.source_uids[1:]
    assert [following.source_uids] == [r.source_uids for r in store.receipts(other.route, "Archive")]
    assert following.source_uids == (22,)
    assert next(store.copies(this.route, ONE)).receipt == copies
    assert store.checkpoints(this.route) == store.checkpoints(other.route) == {}
    store.note_undoing({before.number: UidSet.of(copies.destination_uids)}, held)
    assert list(store.receipts(this.route, "Archive")) == [following]
    store.undo_copies({before.number: UidSet()}, held)  # they have stayed after all
    assert list(store.receipts(this.route, "Archive")) == [copies, following]
    assert list(store.copies(this.route, ONE)) == [before]


def test_several_receipts_are_noted_and_undone_together(store: Store) -> None:
    held = hold(store)
    this = an_import("one")
    other = an_import("two", destination=this.destination)
    add(store, this, other)
    whole, part, stays = copied(1), copied(11), copied(21)
    store.record(this.route, "Archive", [whole, part, stays], [], held)
    store.record(other.route, "Archive", [followers(31, whole, part, stays)], [], held)
    numbers = [copies.number for copies in store.copies(this.route, ONE)]
    going = [UidSet.of(whole.destination_uids), UidSet.of(part.destination_uids[:1])]
    removals = dict(zip(numbers, going, strict=False))
    store.note_undoing(removals, held)
    assert [copies.undoing for copies in store.copies(this.route, ONE)] == [*going, UidSet()]
    assert store.noted_removals(other.destination) == {whole.destination: going[0] | going[1]}
    assert store.noted_removals(other.source) == {}
    [following] = store.receipts(other.route, "Archive")
    assert following.source_uids == (33,)
    left = list(store.receipts(this.route, "Archive"))
    assert [receipt.source_uids for receipt in left] == [part.source_uids[1:], stays.source_uids]
    store.undo_copies(removals, held)
    assert list(store.receipts(this.route, "Archive")) == left
    assert store.undone(this.route, ONE) == {whole.destination: 4}
    assert store.noted_removals(other.destination) == {}


@pytest.mark.parametrize("moves", ["detach", "detach_all", "outdate_all"])
def test_what_an_undo_noted_in_a_folder_that_was_removed_is_undone(store: Store, moves: str) -> None:
    held = hold(store)
    this = an_import("one")
    add(store, this)
    part, whole = copied(1), copied(11)
    store.record(this.route, "Archive", [part, whole], [], held)
    numbers = [copies.number for copies in store.copies(this.route, ONE)]
    noted = (UidSet.of(part.destination_uids[:1]), UidSet.of(whole.destination_uids))
    store.note_undoing(dict(zip(numbers, noted, strict=True)), held)
    folder = part.destination
    match moves:
        case "detach":
            store.detach(this.route, folder.name, folder.uidvalidity, held)
        case "detach_all":
            store.detach_all(this.destination, [folder.name], held)
        case "outdate_all":
            store.outdate_all(this.destination, folder, held)
    [left] = store.receipts(this.route, "Archive")
    assert (left.source_uids, left.destination_uids) == (part.source_uids[1:], ())
    assert left.destination.uidvalidity != folder.uidvalidity
    assert [copies.undoing for copies in store.copies(this.route, ONE)] == [UidSet()]
    assert store.undone(this.route, ONE) == {folder: 4}


def test_copies_that_an_undo_was_about_to_remove_do_not_count_once_noted_as_unseen(store: Store) -> None:
    held = hold(store)
    receipt = copied(1)
    store.record(ROUTE, "Archive", [receipt], [], held)
    [copies] = store.copies(ROUTE, ONE)
    store.note_undoing({copies.number: UidSet.of(receipt.destination_uids[:2])}, held)
    unseen = UidSet.of(receipt.source_uids[1:])
    store.note_unseen(ROUTE, "Archive", receipt.source, unseen, CopyNote.UNSEEN, held)
    [left] = store.receipts(ROUTE, "Archive")
    assert (left.source_uids, left.reason) == (receipt.source_uids[2:], CopyNote.UNSEEN)


def test_what_any_route_settled_because_of_an_undone_copy_no_longer_counts(store: Store) -> None:
    held = hold(store)
    this, elsewhere = an_import("one"), an_import("three")
    other = an_import("two", destination=replace(this.destination, login=this.destination.login.upper()))
    add(store, this, other, elsewhere)
    gone, stays = copied(1), copied(11)
    following = followers(21, gone, stays)
    for import_ in (this, other, elsewhere):
        store.save_checkpoint(import_.route, checkpoint_into(gone.destination), held)
        store.record(import_.route, "Archive", [following], [], held)
    store.record(this.route, "Archive", [gone, stays], [], held)
    store.undo_copies({next(store.copies(this.route, ONE)).number: UidSet.of(gone.destination_uids)}, held)
    for _ in range(2):
        store.undo_followers(this, "Archive", held)
        for import_ in (this, other):
            [part] = [r for r in store.receipts(import_.route, "Archive") if r.outcome is Outcome.DUPLICATE]
            assert part.source_uids == following.source_uids[1:]
            assert store.checkpoints(import_.route) == {}
    assert list(store.receipts(elsewhere.route, "Archive")) == [following]
    assert store.checkpoints(elsewhere.route)
    assert store.undone(this.route, ONE) == {gone.destination: 3}


def test_folders_created_by_an_import_are_recorded_and_forgotten(store: Store) -> None:
    held = hold(store)
    store.map_folders(ROUTE, {"Archiv": "Archive", "Gesendet": "Sent"}, held)
    store.save_checkpoint(ROUTE, checkpoint_into(FolderRef("Archive", UidValidity(7))), held)
    store.note_created(ONE, ["Archive", "Größe \x00"], held)
    store.note_created(ONE, ["Archive", "Later"], held)
    store.note_created(TWO, ["Archive"], held)
    assert list(store.created(ONE)) == ["Archive", "Größe \x00", "Later"]
    store.forget_folder(ROUTE, ONE, "Archive", held)
    assert list(store.created(ONE)) == ["Größe \x00", "Later"]
    assert list(store.created(TWO)) == ["Archive"]
    assert store.folder_map(ROUTE) == {"Gesendet": "Sent"}
    assert store.checkpoints(ROUTE) == {}


def test_an_undo_report_is_stored_and_replaced(store: Store) -> None:
    add(store, an_import("one", state=State.INCOMPLETE))
    held = hold(store)
    assert store.undo_report(ONE) is None
    folders = (FolderUndo("Größe", 6, 1, 1, 1, 1, 2), FolderUndo("INBOX"))
    for report in (
        UndoReport(ONE, NOW, folders, ("Gone",), (("Kept", FolderKept.NOT_EMPTY),), 3),
        UndoReport(ONE, NOW + TTL),
    ):
        store.save_undo(report, held)
        assert store.undo_report(ONE) == report
        assert (import_ := store.import_(ONE)) is not None
        assert (import_.state, import_.problem) == (State.UNDONE, None)
    assert store.undo_report(TWO) is None


WRITES: list[Callable[[Store, int, Lease], object]] = [
    lambda store, number, held: store.note_flags({number: "3"}, held),
    lambda store, number, held: store.note_undoing({number: UidSet.of([1001])}, held),
    lambda store, number, held: store.undo_copies({number: UidSet.of([1001])}, held),
    lambda store, number, held: store.undo_followers(an_import("one"), "Archive", held),
    lambda store, number, held: store.save_undo(UndoReport(ONE, NOW), held),
    lambda store, number, held: store.note_created(ONE, ["New"], held),
    lambda store, number, held: store.forget_folder(ROUTE, ONE, "Archive", held),
]


@pytest.mark.parametrize("write", WRITES)
def test_a_lost_lease_undoes_nothing(store: Store, write: Callable[[Store, int, Lease], object]) -> None:
    held = hold(store)
    store.map_folders(ROUTE, {"Archiv": "Archive"}, held)
    store.record(ROUTE, "Archive", [copied(1)], [], held)
    [before] = store.copies(ROUTE, ONE)
    assert store.renew(held, -TTL)
    assert store.acquire(held.name, "rival", TTL) is not None
    with pytest.raises(LeaseLost):
        write(store, before.number, held)
    assert list(store.copies(ROUTE, ONE)) == [before]
    assert list(store.created(ONE)) == []
    assert store.undo_report(ONE) is None
    assert store.folder_map(ROUTE) == {"Archiv": "Archive"}
