"""The contract of `importer.ports.store.Store`: in memory, on SQLite and on PostgreSQL.

`open_store()` opens another handle on the same data, as another worker would; `store` is the first handle.
"""

from __future__ import annotations

import multiprocessing
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import make_url, text
from sqlalchemy.exc import SQLAlchemyError

from importer.adapters.store import SqlStore, open_engine
from importer.adapters.store.revision import create, is_current
from importer.adapters.store.schema import migrate, schema_state
from importer.adapters.store.tables import metadata
from importer.compact.uid_set import Uid, UidSet, UidValidity
from importer.domain.folder_mapping.label_rules import LabelRule
from importer.domain.import_filter import ImportFilter
from importer.domain.import_options import ImportOptions
from importer.domain.import_state import ENDED
from importer.domain.mailbox_content import FolderRef, FolderStatus
from importer.domain.messages.skip_reason import VANISHED, SkipReason
from importer.domain.model import (
    Account,
    Alert,
    Batch,
    BatchId,
    ControlRequest,
    Import,
    ImportId,
    Problem,
    Progress,
    Route,
    State,
)
from importer.domain.people.identities import PersonId, WebSession, WebSessionId
from importer.domain.planning.retry_scope import RetryScope
from importer.domain.receipts.folder_tally import (
    MISSING_FOLDER,
    FolderCheckpoint,
    FolderTally,
    Refusal,
    RefusalCode,
)
from importer.domain.receipts.receipt import (
    ANY_UIDVALIDITY,
    FORMER_UIDVALIDITY,
    CopyNote,
    Intent,
    Outcome,
    Receipt,
    read_reason,
)
from importer.ports.leases import Lease, LeaseLost
from importer.ports.notices import MailState, Notice
from importer.ports.process import DatabaseUnavailable
from importer.ports.schema import SchemaAhead, SchemaState
from importer.ports.store import RouteUnderWay, SealedGrants, Store
from providers.endpoint import Endpoint, Security
from providers.errors import Side
from providers.text import Text
from tests.contract.conftest import OpenStore
from tests.rehearsal.ports import PATIENCE_S
from tests.rehearsal.proxy import cutting_proxy

NOW = datetime(2026, 3, 29, 0, 59, 59, 123456, tzinfo=UTC)
SECOND = timedelta(seconds=1)
TTL = timedelta(minutes=2)
ROUTE = Route("0123456789abcdef0123456789abcdef")
OTHER_ROUTE = Route("fedcba9876543210fedcba9876543210")
SEALED = SealedGrants(b"\x00sealed source\xff", b"sealed destination")

T = TypeVar("T")


# --- Facts to store -------------------------------------------------------------------------------


def mailbox(address: str, host: str = "imap.old.example") -> Account:
    return Account(address, address, Endpoint(host))


def an_import(id_: str, **facts: Any) -> Import:
    defaults: dict[str, Any] = {
        "id": ImportId(id_),
        "source": mailbox(f"{id_}@old.example"),
        "destination": mailbox(f"{id_}@new.example", "imap.new.example"),
        "created_at": NOW,
    }
    return Import(**defaults | facts)


OWNER = "ada@new.example"


def add(
    store: Store,
    *imports: Import,
    batch: str = "",
    sealed: SealedGrants | None = SEALED,
    owner: str = OWNER,
) -> None:
    """Add the imports as one batch."""
    batch_id = BatchId(batch or f"batch of {imports[0].id}")
    facts = Batch(batch_id, imports[0].created_at, imports=tuple(i.id for i in imports), owner=owner)
    store.add_batch(facts, [(i, sealed) for i in imports])


def a_receipt(first_uid: int = 1, messages: int = 3, folder: str = "Archive", **facts: Any) -> Receipt:
    uids = tuple(Uid(n) for n in range(first_uid, first_uid + messages))
    defaults: dict[str, Any] = {
        "import_id": ImportId("one"),
        "source": FolderRef("Archiv", UidValidity(2**32 - 1)),
        "source_uids": uids,
        "outcome": Outcome.COPIED,
        "destination": FolderRef(folder, UidValidity(7)),
        "destination_uids": tuple(Uid(n + 1000) for n in uids),
        "digests": b"".join(sha256(b"%d" % n).digest()[:16] for n in uids),
        "size_bytes": 2**40,
    }
    return Receipt(**defaults | facts)


def a_checkpoint() -> FolderCheckpoint:
    return FolderCheckpoint(
        ImportId("one"),
        FolderStatus(UidValidity(2**32 - 1), Uid(12), 7),
        FolderRef("Drafts", UidValidity(3)),
        Uid(0),
        FolderTally(
            "Entwürfe",
            "Drafts",
            found=7,
            copied=5,
            skipped={VANISHED: 1},
            confirmed=5,
            recognised=1,
            changes={"line_ends": 2},
            gone=1,
        ),
        FolderStatus(UidValidity(3), Uid(9), 5),
    )


def an_intent(first_uid: int = 1, folder: str = "Archive", slot: int = 0) -> Intent:
    uids = (Uid(first_uid + 5), Uid(first_uid), Uid(first_uid + 1))
    return Intent(
        import_id=ImportId("one"),
        source=FolderRef("Archiv", UidValidity(3)),
        source_uids=uids,
        destination=FolderRef(folder, UidValidity(7)),
        uidnext=Uid(2**32 - 1),
        digests=bytes(range(48)),
        sizes_bytes=(2**33, 0, 17),
        sent_at=NOW,
        slot=slot,
    )


def a_refusal(uid: int | None = 4, reason: str = "too large") -> Refusal:
    return Refusal(
        ImportId("one"),
        "Archiv",
        UidValidity(3),
        None if uid is None else Uid(uid),
        Text("not_taken", words=reason),
        size_bytes=2**34,
    )


def a_notice(key: str, **facts: Any) -> Notice:
    defaults: dict[str, Any] = {
        "key": key,
        "recipient": "ada@new.example",
        "subject": "Angekommen ✓",
        "text": "Alles da.\r\n",
        "html": "<p>Alles da.</p>",
        "message_id": f"<{key}@mailhaul.example>",
        "created_at": NOW,
    }
    return Notice(**defaults | facts)


def hold(store: Store, name: str = "import:one", owner: str = "worker") -> Lease:
    lease = store.acquire(name, owner, TTL)
    assert lease is not None
    return lease


def let_expire(store: Store, lease: Lease) -> None:
    """Make the lease expire now."""
    assert store.renew(lease, -SECOND)


def concurrently(*calls: Callable[[], T]) -> list[T]:
    """Run each call in its own thread, started together. Raises if any call raises."""
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], T]) -> T:
        start.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [done.result() for done in [pool.submit(run, call) for call in calls]]


# --- Leases ---------------------------------------------------------------------------------------


def test_a_held_lease_is_refused_until_it_expires(store: Store) -> None:
    first = hold(store)
    assert store.acquire("import:one", "rival", TTL) is None
    assert store.acquire("import:one", "worker", TTL) is None
    assert store.acquire("import:two", "rival", TTL) == Lease("import:two", "rival", first.fence)
    let_expire(store, first)
    second = store.acquire("import:one", "rival", TTL)
    assert second is not None
    assert second.fence > first.fence


def test_a_lease_lasts_for_its_duration(store: Store) -> None:
    short = timedelta(seconds=0.4)
    asked_at = time.monotonic()
    assert store.acquire("import:one", "worker", short)
    while (taken := store.acquire("import:one", "rival", TTL)) is None:
        time.sleep(0.01)
    assert time.monotonic() - asked_at >= short.total_seconds()
    assert taken.owner == "rival"


def test_the_fence_increases_after_a_release_even_for_the_same_owner(store: Store) -> None:
    fences = []
    for _ in range(3):
        lease = hold(store)
        fences.append(lease.fence)
        store.release(lease)
    assert fences == sorted(set(fences))


def test_holder_returns_the_owner_of_a_current_lease(store: Store) -> None:
    assert store.holder("import:one") is None
    lease = hold(store)
    assert store.holder("import:one") == "worker"
    let_expire(store, lease)
    assert store.holder("import:one") is None
    assert store.renew(lease, TTL)
    assert store.holder("import:one") == "worker"
    store.release(lease)
    assert store.holder("import:one") is None


def test_an_expired_lease_can_be_renewed_until_it_is_taken_over(store: Store) -> None:
    lease = hold(store)
    let_expire(store, lease)
    assert store.renew(lease, TTL)
    assert store.acquire("import:one", "rival", TTL) is None


def test_a_lost_lease_is_neither_renewed_nor_released(store: Store) -> None:
    lost = hold(store)
    let_expire(store, lost)
    held = store.acquire("import:one", "worker", TTL)
    assert held is not None
    assert not store.renew(lost, TTL)
    store.release(lost)
    assert store.acquire("import:one", "rival", TTL) is None
    assert store.renew(held, TTL)


def test_a_released_lease_is_gone(store: Store) -> None:
    lease = hold(store)
    store.release(lease)
    assert not store.renew(lease, TTL)
    store.release(lease)
    assert store.acquire("import:one", "rival", TTL) is not None


def test_of_concurrent_acquirers_one_gets_the_lease(open_store: OpenStore) -> None:
    one, two = open_store(), open_store()
    for round_ in range(10):  # for new names and for expired leases
        rivals = [(one, "a"), (two, "b")] * 2
        name = f"mailbox {round_ % 5}"
        got = concurrently(*(partial(worker.acquire, name, owner, TTL) for worker, owner in rivals))
        [lease] = [lease for lease in got if lease]
        let_expire(one, lease)


def test_expiry_follows_the_clock_of_the_database_not_of_the_worker(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On SQLite, all workers share the machine's clock."""
    if url.startswith("sqlite"):
        pytest.skip("one machine has one clock")
    ahead, right = SqlStore.open(url), SqlStore.open(url)
    lease = hold(right)
    tomorrow = SimpleNamespace(now=lambda zone: datetime.now(zone) + timedelta(days=1))
    monkeypatch.setattr("importer.adapters.store.database.datetime", tomorrow)
    assert ahead.acquire(lease.name, "rival", TTL) is None
    assert ahead.holder(lease.name) == "worker"
    ahead.close()
    right.close()


# --- Fencing --------------------------------------------------------------------------------------


def recreate_folder(store: Store, held: Lease) -> None:
    store.detach(ROUTE, "Archive", UidValidity(7), held)
    store.attach(ROUTE, "Archive", UidValidity(8), held)


WRITES: dict[str, Callable[[Store, Lease], object]] = {
    "map_folders": lambda s, held: s.map_folders(ROUTE, {"Archiv": "Elsewhere"}, held),
    "set_mailbox_epoch": lambda s, held: s.set_mailbox_epoch(ROUTE, UidValidity(99), held),
    "checkpoint": lambda s, held: s.save_checkpoint(ROUTE, a_checkpoint(), held),
    "detach": lambda s, held: s.detach(ROUTE, "Archive", UidValidity(7), held),
    "attach": recreate_folder,
    "renumber": lambda s, held: s.renumber(ROUTE, "Archive", a_receipt(1).source, held),
    "note_unseen": lambda s, held: s.note_unseen(
        ROUTE, "Archive", a_receipt(1).source, UidSet.of((1, 2)), CopyNote.UNSEEN, held
    ),
    "note_intent": lambda s, held: s.note_intent(ROUTE, an_intent(50), held),
    "record": lambda s, held: s.record(ROUTE, "Archive", [a_receipt(9)], [a_refusal(9)], held, closes_slot=0),
    "update_import": lambda s, held: s.update_import(an_import("one", state=State.STOPPED), held),
    "finish_import": lambda s, held: s.finish_import(
        an_import("one", state=State.COMPLETE), [a_notice("complete:one")], held
    ),
    "progress": lambda s, held: s.save_tallies(ImportId("one"), [], held, progress=Progress("Sent", 2)),
    "save_tallies": lambda s, held: s.save_tallies(
        ImportId("one"), [FolderTally("Archiv", "Archive", 7)], held
    ),
}


def everything(store: Store) -> list[Any]:
    return [
        store.folder_map(ROUTE),
        store.mailbox_epoch(ROUTE),
        dict(store.checkpoints(ROUTE)),
        list(store.receipts(ROUTE, "Archive")),
        list(store.intents(ROUTE, "Archive")),
        list(store.refusals(ImportId("one"))),
        store.import_(ImportId("one")),
        store.grants(ImportId("one")),
        list(store.tallies(ImportId("one"))),
        list(store.notices()),
    ]


@pytest.fixture
def worked_on(store: Store) -> Lease:
    """The lease of import `one`, which is under way in the store."""
    add(store, an_import("one"))
    held = hold(store)
    store.map_folders(ROUTE, {"Archiv": "Archive"}, held)
    store.set_mailbox_epoch(ROUTE, UidValidity(5), held)
    store.record(ROUTE, "Archive", [a_receipt()], [a_refusal()], held)
    store.note_intent(ROUTE, an_intent(), held)
    return held


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_an_expired_lease_still_writes_until_it_is_taken_over(
    store: Store, worked_on: Lease, write: Callable[[Store, Lease], object]
) -> None:
    before = everything(store)
    write(store, worked_on)
    assert everything(store) != before


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_lost_lease_writes_nothing(
    store: Store, worked_on: Lease, write: Callable[[Store, Lease], object]
) -> None:
    before = everything(store)
    let_expire(store, worked_on)
    taken = store.acquire(worked_on.name, "rival", TTL)
    assert taken is not None
    for lease in (
        worked_on,
        replace(taken, owner=worked_on.owner),
        replace(taken, fence=worked_on.fence),
        replace(taken, name="import:two"),
    ):
        with pytest.raises(LeaseLost):
            write(store, lease)
    store.release(taken)
    with pytest.raises(LeaseLost):
        write(store, taken)
    assert everything(store) == before


def test_a_takeover_waits_for_the_write_under_way(url: str) -> None:
    """Otherwise the old holder's write could be committed after the new holder has read."""
    old, new = SqlStore.open(url), SqlStore.open(url)
    lease = hold(old)
    let_expire(old, lease)
    taken: list[Lease | None] = []
    rival = threading.Thread(target=lambda: taken.append(new.acquire(lease.name, "rival", TTL)))
    with old.writing(lease):
        rival.start()
        rival.join(0.3)
        assert rival.is_alive()
    rival.join(PATIENCE_S)
    assert [held.owner for held in taken if held] == ["rival"]
    old.close()
    new.close()


def test_a_worker_frozen_in_a_transaction_blocks_a_takeover_only_briefly(url: str) -> None:
    if url.startswith("sqlite"):
        pytest.skip("SQLite's write lock belongs to the process until it goes on or ends")
    frozen, new = SqlStore.open(url, answer_within_s=1), SqlStore.open(url)
    lease = hold(frozen)
    let_expire(frozen, lease)
    with pytest.raises(DatabaseUnavailable), frozen.writing(lease):
        assert new.acquire(lease.name, "rival", TTL) is not None
    frozen.close()
    new.close()


def test_a_silent_database_counts_as_lost(url: str) -> None:
    if url.startswith("sqlite"):
        pytest.skip("a file does not fall silent")
    parts = make_url(url)
    server = Endpoint("localhost", 5432, Security.PLAINTEXT)
    with cutting_proxy(server, Path(str(parts.query["host"])) / ".s.PGSQL.5432") as proxy:
        through = parts.set(host="127.0.0.1", port=proxy.endpoint.port, query={})
        store = SqlStore.open(through.render_as_string(hide_password=False), answer_within_s=1)
        lease = hold(store)
        proxy.freeze()
        for _ in range(2):  # on a connection that was open, and on a new one
            began = time.monotonic()
            with pytest.raises(DatabaseUnavailable):
                store.renew(lease, TTL)
            assert time.monotonic() - began < PATIENCE_S
        store.close()


# --- The ledger -----------------------------------------------------------------------------------


def test_receipts_are_returned_complete_and_oldest_first(store: Store) -> None:
    held = hold(store)
    first = [
        a_receipt(10, destination_uids=(Uid(3), Uid(9), Uid(4)), reason=None, keywords_dropped=2),
        a_receipt(1, outcome=Outcome.DUPLICATE, destination_uids=()),
    ]
    second = [
        a_receipt(
            40,
            outcome=Outcome.SKIPPED,
            destination_uids=(),
            digests=b"",
            size_bytes=0,
            reason=SkipReason("our mail"),
        ),
        a_receipt(60, destination=FolderRef("Archive", UidValidity(8)), import_id=ImportId("two")),
    ]
    store.record(ROUTE, "Archive", first, [], held)
    store.record(ROUTE, "Sent", [a_receipt(folder="Sent")], [], held)
    store.record(OTHER_ROUTE, "Archive", [a_receipt(5)], [], held)
    store.record(ROUTE, "Archive", second, [], held)
    assert list(store.receipts(ROUTE, "Archive")) == first + second
    assert list(store.receipts(ROUTE, "Sent")) == [a_receipt(folder="Sent")]
    assert list(store.receipts(OTHER_ROUTE, "Archive")) == [a_receipt(5)]
    assert list(store.receipts(ROUTE, "Drafts")) == []


def test_the_last_receipt_is_the_newest_that_names_a_folder(store: Store) -> None:
    held = hold(store)
    former = FolderRef("Archive", FORMER_UIDVALIDITY)
    receipts = [a_receipt(1), a_receipt(20), a_receipt(40, destination=former, destination_uids=())]
    store.record(ROUTE, "Archive", receipts, [], held)
    store.record(ROUTE, "Sent", [a_receipt(60, folder="Sent")], [], held)
    assert store.last_receipt(ROUTE, "Archive") == a_receipt(20)
    assert store.last_receipt(OTHER_ROUTE, "Archive") is None


def test_ten_thousand_receipts_stream_while_others_write(open_store: OpenStore) -> None:
    reader, writer = open_store(), open_store()
    held = hold(writer)
    receipts = [a_receipt(1 + 50 * n, 50) for n in range(10_000)]
    for start in range(0, len(receipts), 2_000):
        writer.record(ROUTE, "Archive", receipts[start : start + 2_000], [], held)
    stream = reader.receipts(ROUTE, "Archive")
    assert next(stream) == receipts[0]
    writer.record(ROUTE, "Sent", [a_receipt(folder="Sent")], [], held)
    assert list(stream) == receipts[1:]


def test_a_receipt_for_another_folder_rejects_the_whole_record(store: Store) -> None:
    held = hold(store)
    with pytest.raises(ValueError, match="Sent"):
        store.record(ROUTE, "Archive", [a_receipt(), a_receipt(folder="Sent")], [a_refusal()], held)
    assert not list(store.receipts(ROUTE, "Archive"))
    assert not list(store.refusals(ImportId("one")))


def test_a_record_that_fails_halfway_stores_nothing(url: str) -> None:
    store = SqlStore.open(url)
    held = hold(store)
    unstorable = replace(a_refusal(), size_bytes=2**80)
    with pytest.raises((SQLAlchemyError, OverflowError)):
        store.record(ROUTE, "Archive", [a_receipt()], [a_refusal(), unstorable], held)
    assert not list(store.receipts(ROUTE, "Archive"))
    assert not list(store.refusals(ImportId("one")))
    store.close()


def test_an_intent_is_replaced_and_closed_with_its_receipts(store: Store) -> None:
    held = hold(store)
    assert not store.intents(ROUTE, "Archive")
    for intent in (an_intent(1), an_intent(20), an_intent(7, "Sent")):
        store.note_intent(ROUTE, intent, held)
    assert list(store.intents(ROUTE, "Archive")) == [an_intent(20)]
    assert not store.intents(OTHER_ROUTE, "Archive")
    store.record(ROUTE, "Archive", [a_receipt()], [], held)
    assert list(store.intents(ROUTE, "Archive")) == [an_intent(20)]
    store.record(ROUTE, "Archive", [], [], held, closes_slot=0)
    assert not store.intents(ROUTE, "Archive")
    assert list(store.intents(ROUTE, "Sent")) == [an_intent(7, "Sent")]


def test_each_lane_replaces_and_closes_only_its_own_intent(store: Store) -> None:
    held = hold(store)
    for intent in (an_intent(30, slot=2), an_intent(1), an_intent(20, slot=1), an_intent(40, slot=2)):
        store.note_intent(ROUTE, intent, held)
    open_intents = [an_intent(1), an_intent(20, slot=1), an_intent(40, slot=2)]
    assert list(store.intents(ROUTE, "Archive")) == open_intents
    store.record(ROUTE, "Archive", [a_receipt(20)], [], held, closes_slot=1)
    store.record(ROUTE, "Archive", [], [], held, closes_slot=9)
    assert list(store.intents(ROUTE, "Archive")) == [an_intent(1), an_intent(40, slot=2)]
    store.record(ROUTE, "Archive", [], [], held, closes_slot=0)
    assert list(store.intents(ROUTE, "Archive")) == [an_intent(40, slot=2)]


def test_refusals_are_returned_complete_and_in_order(store: Store) -> None:
    held = hold(store)
    refusals = [
        replace(
            a_refusal(30),
            code=RefusalCode.TOO_LARGE,
            date="Mon, 1 Jan 2001 00:00:00 +1345",
            subject="Grüße 👋",
        ),
        replace(a_refusal(None, "cannot be opened"), count=12),
        replace(a_refusal(None, "cannot be opened"), count=0),
        replace(a_refusal(2), folder="Sent"),
    ]
    store.record(ROUTE, "Archive", [], refusals[:3], held)
    store.record(ROUTE, "Archive", [], [replace(a_refusal(), import_id=ImportId("two"))], held)
    store.record(ROUTE, "Sent", [], refusals[3:], held)
    assert list(store.refusals(ImportId("one"))) == refusals
    assert list(store.refusals(ImportId("one"), refusals[0].folder)) == refusals[:3]
    assert list(store.refusals(ImportId("one"), "Sent")) == refusals[3:]
    assert not list(store.refusals(ImportId("one"), "sent"))
    assert not list(store.refusals(ImportId("three")))


def test_the_imports_with_failures_have_something_to_retry(store: Store) -> None:
    held = hold(store)
    failed_one: dict[str, tuple[list[Refusal], dict[str, Any]]] = {
        "message": ([a_refusal()], {}),
        "folder": ([replace(a_refusal(None), code=RefusalCode.FOLDER_UNUSABLE)], {}),
        "unseen": ([], {"reason": CopyNote.UNSEEN}),
        "unseen-twice": ([], {"reason": CopyNote.UNSEEN_TWICE}),
    }
    none_failed: dict[str, tuple[list[Refusal], dict[str, Any]]] = {
        "partly": ([replace(a_refusal(None), code=RefusalCode.PARTLY_SHOWN)], {}),
        "surplus": ([replace(a_refusal(None), code=RefusalCode.SURPLUS)], {}),
        "seen": ([], {}),
        "present": ([], {"outcome": Outcome.PRESENT, "reason": CopyNote.UNSEEN}),
    }
    imports = [an_import(id_) for id_ in (*failed_one, *none_failed, "untouched")]
    for import_ in imports[:-1]:
        refusals, facts = (failed_one | none_failed)[import_.id]
        refused = [replace(refusal, import_id=import_.id) for refusal in refusals]
        receipts = [a_receipt(import_id=import_.id, **facts), a_receipt(9, import_id=ImportId("later"))]
        store.record(import_.route, "Archive", receipts, refused, held)
    assert store.with_failures(imports) == set(failed_one)
    for import_ in imports:
        copies = (each.receipt for each in store.copies(import_.route, import_.id))
        assert bool(RetryScope.of(store.refusals(import_.id), copies)) == (import_.id in failed_one)
    assert not store.with_failures([])


def test_receipts_of_a_removed_folder_are_detached_until_the_mailbox_epoch_changes(store: Store) -> None:
    held = hold(store)
    for route, folder in ((ROUTE, "Archive"), (ROUTE, "Sent"), (OTHER_ROUTE, "Archive")):
        store.record(route, folder, [a_receipt(1, folder=folder), a_receipt(9, folder=folder)], [], held)
    unaffected = list(store.receipts(ROUTE, "Sent"))
    void = a_receipt(30, destination=FolderRef("Archive", UidValidity(6)))
    store.record(ROUTE, "Archive", [void], [], held)
    store.detach(ROUTE, "Archive", UidValidity(7), held)
    nowhere = FolderRef("Archive", ANY_UIDVALIDITY)
    detached = [
        replace(a_receipt(n), destination=nowhere, destination_uids=(), reason=CopyNote.IN_REMOVED_FOLDER)
        for n in (1, 9)
    ]
    assert list(store.receipts(ROUTE, "Archive")) == [*detached, void]
    store.detach(OTHER_ROUTE, "Archive", UidValidity(7), held)
    store.record(ROUTE, "Archive", [a_receipt(20)], [], held)

    store.set_mailbox_epoch(ROUTE, UidValidity(2), held)
    assert list(store.receipts(ROUTE, "Archive")) == [void, a_receipt(20)]
    assert list(store.receipts(ROUTE, "Sent")) == unaffected
    assert list(store.receipts(OTHER_ROUTE, "Archive")) == detached


def test_receipts_of_a_renumbered_source_folder_keep_all_but_its_uidvalidity(store: Store) -> None:
    held = hold(store)
    other = replace(a_receipt(9), source=FolderRef("Other", UidValidity(1)))
    store.record(ROUTE, "Archive", [a_receipt(1), other], [], held)
    store.renumber(ROUTE, "Archive", a_receipt(1).source, held)
    former = FolderRef(a_receipt(1).source.name, FORMER_UIDVALIDITY)
    assert list(store.receipts(ROUTE, "Archive")) == [replace(a_receipt(1), source=former), other]


def test_copies_are_noted_as_unseen_until_they_are_seen(store: Store) -> None:
    held = hold(store)
    source = a_receipt(1).source
    others = [
        replace(a_receipt(9), source=FolderRef("Other", source.uidvalidity)),
        a_receipt(20, outcome=Outcome.PRESENT),
    ]
    store.record(ROUTE, "Archive", [a_receipt(1, size_bytes=300), *others], [], held)

    def copies() -> list[Receipt]:
        receipts = [receipt for receipt in store.receipts(ROUTE, "Archive") if receipt not in others]
        return sorted(receipts, key=lambda receipt: receipt.source_uids)

    store.note_unseen(ROUTE, "Archive", source, UidSet.of((2, 3, 9, 21)), CopyNote.UNSEEN, held)
    kept, unseen = a_receipt(1, 1, size_bytes=100), a_receipt(2, 2, size_bytes=200, reason=CopyNote.UNSEEN)
    assert copies() == [kept, unseen]
    assert len(list(store.receipts(ROUTE, "Archive"))) == 4
    store.note_unseen(ROUTE, "Archive", source, UidSet.of((1, 3)), None, held)
    assert copies() == [
        kept,
        a_receipt(2, 1, size_bytes=100, reason=CopyNote.UNSEEN),
        a_receipt(3, 1, size_bytes=100),
    ]


@pytest.mark.parametrize("there", [None, MISSING_FOLDER])
def test_a_checkpoint_keeps_what_was_known_of_the_destination(
    store: Store, there: FolderStatus | None
) -> None:
    held = hold(store)
    checkpoint = replace(a_checkpoint(), destination_status=there)
    store.save_checkpoint(ROUTE, checkpoint, held)
    assert store.checkpoints(ROUTE) == {"Entwürfe": checkpoint}


def test_detached_receipts_and_checkpoints_stay_if_the_mailbox_was_not_replaced(store: Store) -> None:
    held = hold(store)
    store.record(ROUTE, "Archive", [a_receipt(1)], [], held)
    store.save_checkpoint(ROUTE, a_checkpoint(), held)
    store.detach(ROUTE, "Archive", UidValidity(7), held)
    before = list(store.receipts(ROUTE, "Archive")), dict(store.checkpoints(ROUTE))
    store.set_mailbox_epoch(ROUTE, UidValidity(2), held, replaced=False)
    assert store.mailbox_epoch(ROUTE) == 2
    assert (list(store.receipts(ROUTE, "Archive")), dict(store.checkpoints(ROUTE))) == before


def test_detached_receipts_are_attached_to_the_recreated_folder(store: Store) -> None:
    held = hold(store)
    store.record(ROUTE, "Archive", [a_receipt(1)], [], held)
    store.detach(ROUTE, "Archive", UidValidity(7), held)
    store.record(ROUTE, "Archive", [a_receipt(20)], [], held)
    store.attach(ROUTE, "Archive", UidValidity(8), held)
    attached = replace(
        a_receipt(1),
        destination=FolderRef("Archive", UidValidity(8)),
        destination_uids=(),
        reason=CopyNote.IN_REMOVED_FOLDER,
    )
    assert list(store.receipts(ROUTE, "Archive")) == [attached, a_receipt(20)]


def test_what_was_stored_and_never_seen_stays_away_once_its_folder_is_removed(store: Store) -> None:
    held = hold(store)
    unseen = a_receipt(1, reason=CopyNote.UNSEEN)
    unproven = a_receipt(9, reason=CopyNote.UNSEEN, destination_uids=())
    store.record(ROUTE, "Archive", [unseen, unproven], [], held)
    store.detach(ROUTE, "Archive", UidValidity(7), held)
    assert [receipt.reason for receipt in store.receipts(ROUTE, "Archive")] == [
        CopyNote.IN_REMOVED_FOLDER,
        CopyNote.UNSEEN,
    ]


def test_before_a_folder_is_created_the_receipts_of_every_route_are_detached(store: Store) -> None:
    held = hold(store)
    one = an_import("one")
    other = an_import("two", destination=one.destination)
    elsewhere = an_import("three")
    for import_ in (one, other, elsewhere):
        add(store, import_)
        old = a_receipt(30, destination=FolderRef("Archive", UidValidity(6)))
        store.record(import_.route, "Archive", [old, a_receipt(1)], [], held)
        store.record(import_.route, "Sent", [a_receipt(1, folder="Sent")], [], held)
    shouted = replace(one.destination, login=one.destination.login.upper())
    store.detach_all(shouted, ["Archive", "Lists"], held)
    nowhere = FolderRef("Archive", ANY_UIDVALIDITY)
    detached = replace(
        a_receipt(1), destination=nowhere, destination_uids=(), reason=CopyNote.IN_REMOVED_FOLDER
    )
    for import_ in (one, other):
        assert list(store.receipts(import_.route, "Archive")) == [old, detached]
        assert list(store.receipts(import_.route, "Sent")) == [a_receipt(1, folder="Sent")]
    assert list(store.receipts(elsewhere.route, "Archive")) == [old, a_receipt(1)]
    store.release(held)
    with pytest.raises(LeaseLost):
        store.detach_all(elsewhere.destination, ["Archive"], held)
    assert list(store.receipts(elsewhere.route, "Archive")) == [old, a_receipt(1)]


def test_what_perhaps_no_folder_ever_held_is_not_detached(store: Store) -> None:
    held = hold(store)
    one = an_import("one")
    add(store, one)
    doubtful = a_receipt(2, destination=FolderRef("Archive", FORMER_UIDVALIDITY), destination_uids=())
    store.record(one.route, "Archive", [a_receipt(1), doubtful], [], held)
    store.detach_all(one.destination, ["Archive"], held)
    detached = FolderRef("Archive", ANY_UIDVALIDITY)
    assert [each.destination for each in store.receipts(one.route, "Archive")] == [
        detached,
        doubtful.destination,
    ]


def test_receipts_for_a_folder_that_another_one_replaced_are_void_on_every_route(store: Store) -> None:
    held = hold(store)
    one = an_import("one")
    other = an_import("two", destination=one.destination)
    elsewhere = an_import("three")
    skipped = a_receipt(9, outcome=Outcome.SKIPPED, reason=VANISHED, destination_uids=(), digests=b"")
    unproven = a_receipt(20, reason=CopyNote.UNSEEN, destination_uids=())
    older = a_receipt(30, destination=FolderRef("Archive", UidValidity(6)))
    for import_ in (one, other, elsewhere):
        add(store, import_)
        present = a_receipt(40, outcome=Outcome.PRESENT)
        store.record(import_.route, "Archive", [a_receipt(1), skipped, unproven, older, present], [], held)
    before = list(store.receipts(elsewhere.route, "Archive"))
    shouted = replace(one.destination, login=one.destination.login.upper())
    store.outdate_all(shouted, a_receipt(1).destination, held)
    former = FolderRef("Archive", FORMER_UIDVALIDITY)
    void: dict[str, Any] = {"destination": former, "destination_uids": ()}
    removed = void | {"reason": CopyNote.IN_REMOVED_FOLDER}
    for import_ in (one, other):
        assert list(store.receipts(import_.route, "Archive")) == [
            replace(a_receipt(1), **removed),
            skipped,
            replace(unproven, **void),
            older,
            replace(present, **removed),
        ]
        assert store.last_receipt(import_.route, "Archive") == older
    assert list(store.receipts(elsewhere.route, "Archive")) == before
    store.release(held)
    with pytest.raises(LeaseLost):
        store.outdate_all(elsewhere.destination, a_receipt(1).destination, held)


def test_checkpoints_are_kept_per_folder_until_the_mailbox_epoch_changes(store: Store) -> None:
    held = hold(store)
    assert store.checkpoints(ROUTE) == {}
    store.save_checkpoint(ROUTE, a_checkpoint(), held)
    later = replace(a_checkpoint(), highest_uid=Uid(9), tally=replace(a_checkpoint().tally, copied=4))
    store.save_checkpoint(ROUTE, later, held)
    store.save_checkpoint(OTHER_ROUTE, a_checkpoint(), held)
    assert store.checkpoints(ROUTE) == {"Entwürfe": later}
    store.set_mailbox_epoch(ROUTE, UidValidity(2), held)
    assert store.checkpoints(ROUTE) == {}
    assert store.checkpoints(OTHER_ROUTE) == {"Entwürfe": a_checkpoint()}


def test_the_folder_map_and_the_epoch_belong_to_a_route(store: Store) -> None:
    held = hold(store)
    assert store.folder_map(ROUTE) == {}
    assert store.mailbox_epoch(ROUTE) is None
    store.map_folders(ROUTE, {"Archiv": "Archive", "Gesendet": "Sent"}, held)
    store.map_folders(ROUTE, {"Archiv": "Archive (2)", "Neu": "New"}, held)
    store.map_folders(ROUTE, {}, held)
    store.set_mailbox_epoch(ROUTE, UidValidity(1), held)
    store.set_mailbox_epoch(ROUTE, UidValidity(2**32 - 1), held)
    assert store.folder_map(ROUTE) == {"Archiv": "Archive (2)", "Gesendet": "Sent", "Neu": "New"}
    assert store.mailbox_epoch(ROUTE) == 2**32 - 1
    assert store.folder_map(OTHER_ROUTE) == {}
    assert store.mailbox_epoch(OTHER_ROUTE) is None


ODD_NAMES = [
    "Entwürfe/日本語/👩‍👩‍👧",
    "Caf\u00e9",
    "Cafe\u0301",
    "INBOX",
    "inbox",
    " both ends ",
    "back\\slash \\u0000 \\\\",
    "nul \x00 and half a pair \ud83d",
    "line\r\nbreak\t'quote\" %_",
    # Too long for an index entry, and hashed so that compression does not make it fit.
    "".join(sha256(b"%d" % n).hexdigest() for n in range(200)),
]


def test_odd_folder_names_stay_distinct_and_round_trip_exactly(store: Store) -> None:
    held = hold(store)
    add(store, an_import("one"))
    store.map_folders(ROUTE, {name: name + "!" for name in ODD_NAMES}, held)
    for n, name in enumerate(ODD_NAMES):
        store.record(ROUTE, name, [a_receipt(n + 1, folder=name, reason=read_reason(name))], [], held)
        store.note_intent(ROUTE, an_intent(n + 1, name), held)
        store.save_tallies(
            ImportId("one"), [FolderTally(name, name, skipped={SkipReason.read(name): n})], held
        )
    assert store.folder_map(ROUTE) == {name: name + "!" for name in ODD_NAMES}
    for n, name in enumerate(ODD_NAMES):
        assert list(store.receipts(ROUTE, name)) == [a_receipt(n + 1, folder=name, reason=read_reason(name))]
        assert list(store.intents(ROUTE, name)) == [an_intent(n + 1, name)]
    assert list(store.tallies(ImportId("one"))) == [
        FolderTally(name, name, skipped={SkipReason.read(name): n}) for n, name in enumerate(ODD_NAMES)
    ]


# --- The outbox -----------------------------------------------------------------------------------


def test_a_notice_is_returned_complete_and_posting_its_key_again_changes_nothing(store: Store) -> None:
    notice = a_notice("complete:one:ada", not_before=NOW + SECOND, attempts=2, error="450 \x00 später")
    store.post([notice, replace(notice, subject="within one call")])
    store.post([replace(notice, subject="in another call"), a_notice("complete:two")])
    store.post([])
    assert [n for n in store.notices() if n.key == notice.key] == [notice]
    assert [n.key for n in store.notices()] == ["complete:one:ada", "complete:two"]


def test_due_notices_are_pending_and_past_not_before_oldest_first(store: Store) -> None:
    store.post(
        [
            a_notice("young", created_at=NOW + 2 * SECOND),
            a_notice("old", created_at=NOW - SECOND),
            a_notice("later", not_before=NOW + 10 * SECOND),
            a_notice("now", not_before=NOW + 3 * SECOND),
            a_notice("sent", state=MailState.SENT),
            a_notice("refused", state=MailState.REFUSED),
            a_notice("claimed"),
        ]
    )
    assert store.claim_notice("claimed")
    now = (NOW + 3 * SECOND).astimezone(timezone(timedelta(hours=-9)))
    assert [n.key for n in store.due_notices(now)] == ["old", "now", "young"]
    assert [n.key for n in store.due_notices(now, limit=2)] == ["old", "now"]


def test_a_claimed_notice_is_settled_once(store: Store) -> None:
    store.post([a_notice("one"), a_notice("two"), a_notice("three")])
    store.settle_notice("one", MailState.SENT)  # ignored: not claimed
    assert store.notices("one") == [a_notice("one")]
    assert store.claim_notice("one")
    assert not store.claim_notice("one")
    assert not store.claim_notice("no such notice")
    later = NOW + timedelta(minutes=5)
    store.settle_notice("one", MailState.PENDING, error="450 busy", not_before=later)
    assert store.notices("one") == [a_notice("one", attempts=1, error="450 busy", not_before=later)]
    assert store.claim_notice("one")
    store.settle_notice("one", MailState.SENT)
    assert store.notices("one") == [a_notice("one", attempts=1, state=MailState.SENT)]
    assert store.claim_notice("two")
    store.settle_notice("two", MailState.REFUSED, error="550 no such user")
    store.settle_notice("two", MailState.SENT)
    assert store.notices("two") == [a_notice("two", state=MailState.REFUSED, error="550 no such user")]
    assert [n.key for n in store.due_notices(NOW + TTL)] == ["three"]


def test_unsent_notices_are_listed(store: Store) -> None:
    store.post(
        [a_notice(state, state=state, created_at=NOW - n * SECOND) for n, state in enumerate(MailState)]
    )
    assert [n.key for n in store.unsent()] == ["refused", "sending", "pending"]


def test_notices_are_found_by_the_exact_prefix_of_their_key(store: Store) -> None:
    keys = ["a_b:1", "a%b:1", "A_B:1", "a_b:2", "axb:1", "\\u:1", "\x00:1"]
    store.post([a_notice(key, created_at=NOW + n * SECOND) for n, key in enumerate(keys)])
    for prefix in ("a_b:", "a%", "A", "\\", "\\u", "\x00", "a_b:2", "b"):
        assert [n.key for n in store.notices(prefix)] == [k for k in keys if k.startswith(prefix)]
    assert [n.key for n in store.notices()] == keys


def test_of_two_concurrent_senders_one_claims(open_store: OpenStore) -> None:
    first, second = open_store(), open_store()
    first.post([a_notice(f"notice {n}") for n in range(10)])
    for n in range(10):
        claims = concurrently(*(partial(sender.claim_notice, f"notice {n}") for sender in (first, second)))
        assert sorted(claims) == [False, True]


def test_concurrent_posts_of_the_same_keys_are_stored_once(open_store: OpenStore) -> None:
    first, second = open_store(), open_store()
    for round_ in range(5):
        first_notices = [a_notice(f"{round_} {n}", text="mine") for n in range(20)]
        second_notices = [a_notice(f"{round_} {n}", text="theirs") for n in reversed(range(20))]
        concurrently(partial(first.post, first_notices), partial(second.post, second_notices))
        posted = first.notices(f"{round_} ")
        assert sorted(n.key for n in posted) == sorted(n.key for n in first_notices)
        assert len({n.text for n in posted}) == 1


# --- Batches and imports --------------------------------------------------------------------------

FULL = an_import(
    "full",
    source=Account(
        "Ädä@old.example", "old\\ada", Endpoint("2001:db8::1", 1143, Security.PLAINTEXT), public_only=True
    ),
    destination=Account("ada@new.example", "ada", Endpoint("imap.new.example", 143, Security.STARTTLS)),
    batch_id=BatchId("b"),
    row=25,
    submitter="grace@old.example",
    state=State.WAITING,
    problem=Problem(
        Text("throttled", host="\x00 \udcff", number=3), Side.SOURCE, "NO [LIMIT] \x00 später \udcff"
    ),
    not_before=NOW + TTL,
    attempts=3,
    progress=Progress("Entwürfe \x00 \ud800", 1, 2, 3, 4, 2**40),
    started_at=NOW.astimezone(timezone(timedelta(hours=13, minutes=45))),
    finished_at=NOW + 2 * TTL,
    password_fingerprint="c0ffee",
    requested=ControlRequest.PAUSE,
    held_up_since=NOW - TTL,
    options=ImportOptions(labels=LabelRule.EACH, sync_flags=True),
    has_labels=True,
    alerts=(Alert(Side.SOURCE, "Wartung “heute” um 22 Uhr ✓"), Alert(Side.DESTINATION, "your quota shrinks")),
    proven=True,
)


def test_a_batch_and_its_imports_are_returned_complete(open_store: OpenStore) -> None:
    store = open_store()
    plain = an_import("plain", batch_id=BatchId("b"))
    batch = Batch(BatchId("b"), NOW, "umzug ✓.csv", "grace@old.example", (FULL.id, plain.id))
    store.add_batch(batch, [(FULL, SEALED), (plain, None)])
    other = open_store()
    assert other.batch(batch.id) == batch
    assert other.import_(FULL.id) == FULL
    assert other.import_(plain.id) == plain
    assert other.grants(FULL.id) == SEALED
    assert other.grants(plain.id) is None
    assert other.batch(BatchId("none")) is None
    assert other.import_(ImportId("none")) is None
    assert other.grants(ImportId("none")) is None


def test_timestamps_are_returned_in_utc(url: str) -> None:
    store = SqlStore.open(url)
    add(store, FULL)
    import_ = store.import_(FULL.id)
    assert import_ is not None
    assert import_.started_at is not None
    assert (import_.started_at, import_.started_at.tzinfo) == (NOW, UTC)
    with pytest.raises(SQLAlchemyError, match="time zone"):
        store.due_imports(NOW.replace(tzinfo=None))
    store.close()


def test_a_batch_is_added_atomically(store: Store) -> None:
    add(store, an_import("one"), batch="first", sealed=None)
    with pytest.raises(ValueError, match="already"):
        add(store, an_import("two"), an_import("one"), batch="second")
    with pytest.raises(ValueError, match="already"):
        add(store, an_import("two"), an_import("two"), batch="second")
    with pytest.raises(ValueError, match="already"):
        add(store, an_import("two"), batch="first")
    assert [b.id for b in store.batches()] == ["first"]
    assert [i.id for i in store.imports()] == ["one"]
    assert store.grants(ImportId("two")) is None


def test_batches_and_imports_are_newest_first_and_rows_in_order(store: Store) -> None:
    def row(id_: str, n: int, batch: str, **facts: Any) -> Import:
        return an_import(id_, row=n, batch_id=BatchId(batch), **facts)

    add(store, row("b3", 3, "b"), row("b2", 2, "b", state=State.FAILED), row("b10", 10, "b"), batch="b")
    add(store, row("a1", 0, "a"), row("a2", 0, "a"), batch="a")
    add(store, an_import("older", created_at=NOW - SECOND), batch="older")
    add(store, an_import("newer", created_at=NOW + SECOND, state=State.COMPLETE), batch="newer")
    assert [b.id for b in store.batches()] == ["newer", "a", "b", "older"]
    assert [b.id for b in store.batches(limit=2)] == ["newer", "a"]
    assert [i.id for i in store.imports()] == ["newer", "a1", "a2", "b2", "b3", "b10", "older"]
    assert [i.id for i in store.imports(limit=3)] == ["newer", "a1", "a2"]
    assert [i.id for i in store.imports(ImportFilter(batch_id=BatchId("b")))] == ["b2", "b3", "b10"]
    assert [i.id for i in store.imports(ImportFilter(batch_id=BatchId("b")), limit=1)] == ["b2"]
    assert [i.id for i in store.imports(ImportFilter(states=(State.COMPLETE, State.FAILED)))] == [
        "newer",
        "b2",
    ]
    assert [i.id for i in store.imports(ImportFilter(batch_id=BatchId("b"), states=(State.FAILED,)))] == [
        "b2"
    ]
    assert not store.imports(ImportFilter(batch_id=BatchId("none")))


def test_the_latest_import_of_a_route_is_found(store: Store) -> None:
    def on_same_route(id_: str, created_at: datetime) -> Import:
        return replace(FULL, id=ImportId(id_), created_at=created_at)

    add(store, on_same_route("second", NOW + SECOND), sealed=None)
    add(store, on_same_route("third", NOW + SECOND), sealed=None)
    add(store, on_same_route("first", NOW), sealed=None)
    add(store, an_import("elsewhere", created_at=NOW + TTL))
    latest = store.latest_import(FULL.route, OWNER)
    assert latest is not None
    assert latest.id == "third"
    assert store.latest_import(ROUTE, OWNER) is None


def test_an_import_that_was_run_again_knows_the_first_import_that_followed(store: Store) -> None:
    """Of the same owner and route, and only after it has ended."""
    import_ = an_import("one")
    add(store, import_)
    again = [replace(import_, id=ImportId(f"again{n}"), created_at=NOW + SECOND) for n in range(3)]
    add(store, again[0], sealed=None)
    assert successor(store, "one") is None, "it is under way"
    store.update_import(replace(import_, state=State.STOPPED), hold(store))
    add(store, replace(import_, id=ImportId("theirs")), sealed=None, owner="mallory@old.example")
    assert successor(store, "one") is None
    add(store, again[1], sealed=None)
    add(store, again[2], sealed=None)
    assert successor(store, "one") == "again1"


def successor(store: Store, import_id: str) -> ImportId | None:
    import_ = store.import_(ImportId(import_id))
    assert import_ is not None
    return import_.successor


def test_the_import_under_way_comes_before_a_newer_copy_of_the_same_route(store: Store) -> None:
    import_ = an_import("one")
    add(store, import_)
    add(store, replace(import_, id=ImportId("copy"), created_at=NOW + SECOND), sealed=None)
    assert store.latest_import(import_.route, OWNER) == import_
    store.finish_import(replace(import_, state=State.COMPLETE), [], hold(store))
    latest = store.latest_import(import_.route, OWNER)
    assert latest is not None
    assert latest.id == "copy"


def test_updating_an_import_replaces_only_mutable_fields(store: Store) -> None:
    before = an_import(
        "full", progress=Progress("INBOX", 1), password_fingerprint="a leg does not know the newest"
    )
    add(store, before, an_import("other"))
    store.update_import(replace(FULL, submitter="mallory@old.example"))
    changed = replace(
        before,
        state=FULL.state,
        problem=FULL.problem,
        not_before=FULL.not_before,
        attempts=FULL.attempts,
        started_at=FULL.started_at,
        finished_at=FULL.finished_at,
        held_up_since=FULL.held_up_since,
        has_labels=FULL.has_labels,
        alerts=FULL.alerts,
    )
    assert store.import_(FULL.id) == changed
    store.update_import(replace(changed, problem=None, not_before=None), hold(store))
    assert store.import_(FULL.id) == replace(changed, problem=None, not_before=None)
    assert store.import_(ImportId("other")) == an_import("other")


def test_finishing_erases_the_passwords_and_posts_the_mails(store: Store) -> None:
    add(store, an_import("one"), an_import("two"))
    store.post([a_notice("batch")])
    finished = an_import("one", state=State.COMPLETE, finished_at=NOW + TTL)
    notices = [a_notice("done", text="new"), a_notice("batch", text="new")]
    assert store.finish_import(finished, notices, hold(store))
    assert store.import_(ImportId("one")) == finished
    assert store.grants(ImportId("one")) is None
    assert store.grants(ImportId("two")) == SEALED
    assert {n.key: n.text for n in store.notices()} == {"done": "new", "batch": a_notice("").text}


def test_finishing_is_atomic(url: str) -> None:
    store = SqlStore.open(url)
    add(store, an_import("one"))
    unstorable = a_notice("zzz", created_at=NOW.replace(tzinfo=None))
    with pytest.raises(SQLAlchemyError):
        store.finish_import(an_import("one", state=State.FAILED), [a_notice("a"), unstorable], hold(store))
    assert store.import_(ImportId("one")) == an_import("one")
    assert store.grants(ImportId("one")) == SEALED
    assert not store.notices()
    store.close()


def test_progress_tallies_and_passwords_are_replaced(store: Store) -> None:
    add(store, an_import("one", state=State.WAITING, not_before=NOW + TTL), an_import("two"))
    import_id, held = ImportId("one"), hold(store)
    store.save_tallies(import_id, [], held, progress=FULL.progress)
    assert store.replace_grants(import_id, {Side.SOURCE: b"new", Side.DESTINATION: b"both"}, "mark")
    changed = an_import("one", state=State.WAITING, progress=FULL.progress, password_fingerprint="mark")
    assert store.import_(import_id) == changed
    assert store.grants(import_id) == SealedGrants(b"new", b"both")
    assert store.replace_grants(import_id, {Side.DESTINATION: b"newer"}, "mark")
    assert store.grants(import_id) == SealedGrants(b"new", b"newer")
    assert store.import_(ImportId("two")) == an_import("two")
    assert store.grants(ImportId("two")) == SEALED

    skipped = {SkipReason("our mail"): 2}
    inbox = FolderTally(
        "INBOX", "INBOX", 9, 1, 2, 3, skipped, 1, 2**40, 5, confirmed=1, source_recount=9, recognised=2
    )
    store.save_tallies(import_id, [FolderTally("INBOX", "INBOX"), FolderTally("Archiv", "Archive")], held)
    store.save_tallies(import_id, [inbox], held)
    store.save_tallies(import_id, [], held)
    skipped[SkipReason("our mail")] = 99
    assert list(store.tallies(import_id)) == [
        replace(inbox, skipped={SkipReason("our mail"): 2}),
        FolderTally("Archiv", "Archive"),
    ]
    assert not store.tallies(ImportId("two"))


@pytest.mark.parametrize("end", [State.COMPLETE, State.STOPPED])
def test_passwords_that_arrive_after_the_end_are_not_stored(store: Store, end: State) -> None:
    add(store, an_import("one"))
    import_id = ImportId("one")
    store.finish_import(an_import("one", state=end), [], hold(store))
    assert not store.replace_grants(import_id, {Side.SOURCE: b"new"}, "late")
    assert store.grants(import_id) is None
    assert store.import_(import_id) == an_import("one", state=end)


def test_an_import_without_passwords_accepts_none(store: Store) -> None:
    add(store, an_import("copy"), sealed=None)
    assert not store.replace_grants(ImportId("copy"), {Side.SOURCE: b"new"}, "mark")
    assert not store.replace_grants(ImportId("ghost"), {Side.SOURCE: b"new"}, "mark")
    assert store.grants(ImportId("copy")) is None
    assert store.import_(ImportId("copy")) == an_import("copy")


def test_finishing_with_an_outdated_password_fingerprint_writes_nothing(store: Store) -> None:
    add(store, an_import("one", password_fingerprint="wrong"))
    import_id, held = ImportId("one"), hold(store)
    assert store.replace_grants(import_id, {Side.SOURCE: b"new"}, "right")
    before = everything(store)
    stopped = an_import("one", state=State.STOPPED)
    assert not store.finish_import(stopped, [a_notice("stopped")], held, password_fingerprint="wrong")
    assert everything(store) == before
    assert store.finish_import(stopped, [a_notice("stopped")], held, password_fingerprint="right")
    assert store.grants(import_id) is None


def test_a_route_has_at_most_one_import_under_way(store: Store) -> None:
    first = an_import("one")

    def again(id_: str) -> Import:
        return replace(first, id=ImportId(id_))

    add(store, first)
    with pytest.raises(RouteUnderWay):
        add(store, an_import("other"), again("two"))
    assert [i.id for i in store.imports()] == ["one"]
    add(store, again("copy"), sealed=None)  # a foreground copy waits for its turn
    store.finish_import(replace(first, state=State.COMPLETE), [], hold(store))
    add(store, again("three"))
    with pytest.raises(RouteUnderWay):
        add(store, again("four"))


def test_what_another_owner_has_submitted_takes_no_route_and_is_not_seen(store: Store) -> None:
    """Whatever its state: a route can be named by anybody."""
    states = [state for state in State if state not in ENDED]
    for number, state in enumerate(states):
        named = an_import("named", state=state, not_before=NOW + TTL, requested=ControlRequest.PAUSE)
        named = replace(named, id=ImportId(f"named {number}"))
        add(store, named, owner=f"mallory {number}")
        assert store.latest_import(named.route, OWNER) is None
        assert store.latest_import(named.route, f"mallory {number}") == named
    own = replace(an_import("named"), id=ImportId("own"))
    add(store, own)
    assert store.latest_import(own.route, OWNER) == own
    assert len(store.imports()) == len(states) + 1
    with pytest.raises(RouteUnderWay):
        add(store, replace(own, id=ImportId("again")))


def test_a_proof_is_noted_under_the_lease_and_lapses_with_the_passwords(store: Store) -> None:
    import_id, held = ImportId("one"), hold(store, "import:one")
    add(store, an_import("one", password_fingerprint="first"))

    def proven() -> bool:
        stored = store.import_(import_id)
        assert stored is not None
        return stored.proven

    store.note_proven(import_id, "other", held)
    assert not proven()
    store.note_proven(import_id, "first", held)
    store.update_import(an_import("one", state=State.RUNNING), held)
    assert proven()
    assert store.replace_grants(import_id, {Side.SOURCE: b"new"}, "second")
    assert not proven()
    store.note_proven(import_id, "first", held)  # by a leg that still has the former passwords
    assert not proven()
    store.release(held)
    with pytest.raises(LeaseLost):
        store.note_proven(import_id, "second", held)
    store.note_proven(ImportId("ghost"), "second", hold(store, "import:ghost"))


def test_of_two_concurrent_submissions_of_a_route_one_starts(open_store: OpenStore) -> None:
    first, second = open_store(), open_store()

    def submit(store: Store, id_: str, route_of: str) -> bool:
        try:
            add(store, replace(an_import(route_of), id=ImportId(id_)))
        except RouteUnderWay:
            return False
        return True

    for n in range(5):
        calls = [partial(submit, store, f"{n} {m}", f"ada{n}") for m, store in enumerate((first, second))]
        assert sorted(concurrently(*calls)) == [False, True]


def test_an_unknown_import_is_not_written_to(store: Store) -> None:
    ghost, held = ImportId("ghost"), hold(store)
    writes: list[Callable[[], object]] = [
        lambda: store.update_import(an_import("ghost")),
        lambda: store.finish_import(an_import("ghost"), [a_notice("ghost")], held),
        lambda: store.save_tallies(ghost, [], held, progress=Progress()),
        lambda: store.save_tallies(ghost, [FolderTally("INBOX", "INBOX")], held),
    ]
    for write in writes:
        with pytest.raises(LookupError, match="ghost"):
            write()
    assert not store.notices()
    assert store.grants(ghost) is None


def test_due_imports_are_unfinished_unleased_and_past_not_before(store: Store) -> None:
    soon, past = NOW + timedelta(hours=1), NOW - timedelta(hours=1)
    add(
        store,
        an_import("held"),
        an_import("queued"),
        an_import("running", state=State.RUNNING, created_at=NOW - SECOND),
        an_import("waited", state=State.WAITING, not_before=NOW),
        an_import("waiting", state=State.WAITING, not_before=soon),
        an_import("retrying", not_before=soon),
        an_import("expired", state=State.RUNNING, created_at=NOW - 2 * SECOND),
        an_import("released", created_at=NOW + SECOND),
        *(an_import(s, state=s, not_before=past) for s in ENDED),
    )
    add(store, an_import("copy"), sealed=None)
    assert store.acquire("import:held", "worker", TTL)
    assert store.acquire("import:expired", "worker", -TTL)
    assert store.acquire("mailbox:queued", "worker", TTL)
    store.release(hold(store, "import:released"))
    due = ["expired", "running", "queued", "waited", "released"]
    assert list(store.due_imports(NOW.astimezone(timezone(timedelta(hours=9))))) == due
    assert list(store.due_imports(NOW, limit=2)) == due[:2]


def test_an_import_with_a_pending_control_request_is_due(store: Store) -> None:
    soon, past = NOW + timedelta(hours=1), NOW - timedelta(hours=1)
    pause, cancel, paused = ControlRequest.PAUSE, ControlRequest.CANCEL, State.PAUSED
    add(
        store,
        an_import("to pause", state=State.WAITING, not_before=soon, requested=pause),
        an_import("to cancel", state=State.WAITING, not_before=soon, requested=cancel),
        an_import("paused", state=paused, not_before=soon, requested=pause),
        an_import("to resume", state=paused, not_before=soon),
        an_import("paused, to cancel", state=paused, not_before=soon, requested=cancel),
        an_import("forgotten", state=paused, not_before=past, requested=pause),
    )
    due = ["to pause", "to cancel", "to resume", "paused, to cancel", "forgotten"]
    assert list(store.due_imports(NOW)) == due


def test_the_control_requests_of_several_imports_are_one_answer(store: Store) -> None:
    pause, cancel = ControlRequest.PAUSE, ControlRequest.CANCEL
    add(store, an_import("one", requested=pause), an_import("two"), an_import("three", requested=cancel))
    add(store, an_import("not asked for", requested=cancel))
    asked = [ImportId(id_) for id_ in ("one", "two", "three", "unknown")]
    assert store.control_requests(asked) == {"one": pause, "three": cancel}
    assert store.control_requests([]) == {}


def test_a_control_request_survives_worker_updates_and_cancelling_is_final(store: Store) -> None:
    import_id, held = ImportId("one"), hold(store)
    assert store.request_control(import_id, ControlRequest.PAUSE) is None
    add(store, an_import("one"), an_import("two"))
    assert store.request_control(import_id, ControlRequest.PAUSE) == an_import(
        "one", requested=ControlRequest.PAUSE
    )
    store.update_import(an_import("one", state=State.RUNNING), held)
    assert store.import_(import_id) == an_import("one", state=State.RUNNING, requested=ControlRequest.PAUSE)
    assert store.request_control(import_id, None) == an_import("one", state=State.RUNNING)
    cancelled = an_import("one", state=State.RUNNING, requested=ControlRequest.CANCEL)
    assert store.request_control(import_id, ControlRequest.CANCEL) == cancelled
    assert (
        store.request_control(import_id, None)
        == store.request_control(import_id, ControlRequest.PAUSE)
        == store.import_(import_id)
        == cancelled
    )
    assert store.import_(ImportId("two")) == an_import("two")


@pytest.mark.parametrize("end", sorted(ENDED))
def test_an_ended_import_ignores_control_requests(store: Store, end: State) -> None:
    add(store, an_import("one", state=end))
    assert store.request_control(ImportId("one"), ControlRequest.CANCEL) == an_import("one", state=end)


def test_a_paused_import_keeps_its_route_and_accepts_a_password_without_resuming(store: Store) -> None:
    paused = an_import("one", state=State.PAUSED, not_before=NOW + TTL, requested=ControlRequest.PAUSE)
    add(store, paused)
    assert store.replace_grants(paused.id, {Side.SOURCE: b"new"}, "mark")
    assert store.import_(paused.id) == replace(paused, password_fingerprint="mark")
    with pytest.raises(RouteUnderWay):
        add(store, replace(an_import("one"), id=ImportId("two")))


# --- Many workers ---------------------------------------------------------------------------------

WORKER_THREADS, WORKER_WRITES = 4, 12


def work(url: str, process: int) -> None:
    """A worker process: several threads that acquire leases, read and record."""
    store = SqlStore.open(url)

    def leg(thread: int) -> None:
        name = f"{process} {thread}"
        lease = hold(store, name)
        for n in range(WORKER_WRITES):
            store.note_intent(ROUTE, an_intent(n + 1, name), lease)
            store.record(ROUTE, name, [a_receipt(n + 1, folder=name)], [], lease, closes_slot=0)
            assert len(list(store.receipts(ROUTE, name))) == n + 1
            assert store.renew(lease, TTL)
        store.release(lease)

    concurrently(*(partial(leg, thread) for thread in range(WORKER_THREADS)))
    store.close()


def test_threads_and_processes_share_a_database(url: str) -> None:
    in_parallel(work, [(url, 1), (url, 2)])
    store = SqlStore.open(url)
    for process in (1, 2):
        for thread in range(WORKER_THREADS):
            assert len(list(store.receipts(ROUTE, f"{process} {thread}"))) == WORKER_WRITES
    store.close()


def in_parallel(run: Callable[..., None], arguments: Sequence[tuple[Any, ...]]) -> None:
    """Run each call in its own process; all must exit with code 0."""
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=run, args=args, daemon=True) for args in arguments]
    for process in processes:
        process.start()
    for process in processes:
        process.join(PATIENCE_S)
    assert [process.exitcode for process in processes] == [0] * len(processes)


# --- The database itself --------------------------------------------------------------------------


def test_all_data_is_present_after_reopening(url: str) -> None:
    first = SqlStore.open(url)
    add(first, an_import("one"))
    held = hold(first)
    first.record(ROUTE, "Archive", [a_receipt()], [a_refusal()], held)
    first.note_intent(ROUTE, an_intent(), held)
    first.post([a_notice("one")])
    before = everything(first)
    first.close()
    second = SqlStore.open(url)
    assert everything(second) == before
    assert second.acquire(held.name, "rival", TTL) is None
    second.ping()
    second.close()


def test_migrating_an_empty_database_makes_it_current_and_is_idempotent(empty_url: str) -> None:
    assert schema_state(empty_url) is SchemaState.EMPTY
    migrate(empty_url)
    assert schema_state(empty_url) is SchemaState.CURRENT
    store = SqlStore.open(empty_url)
    add(store, an_import("one"))
    migrate(empty_url)
    assert schema_state(empty_url) is SchemaState.CURRENT
    assert store.import_(ImportId("one")) == an_import("one")
    store.close()


def test_concurrent_migrations_wait_for_each_other(empty_url: str) -> None:
    in_parallel(migrate, [(empty_url,)] * 3)
    assert schema_state(empty_url) is SchemaState.CURRENT


def test_opening_a_new_sqlite_file_waits_while_it_is_busy(tmp_path: Path) -> None:
    """SQLite does not wait automatically when it switches to the write-ahead log."""
    file = tmp_path / "new.db"
    busy = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    busy.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.3, busy.execute, ["ROLLBACK"])
    release.start()
    store = SqlStore.open(f"sqlite:///{file}")
    store.ping()
    assert release.finished.is_set()
    release.join()
    busy.close()
    store.close()


def test_the_migrations_create_the_tables_that_the_code_uses(url: str) -> None:
    engine = open_engine(url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_a_database_of_a_newer_version_is_not_migrated(empty_url: str) -> None:
    url = empty_url
    migrate(url)
    engine = open_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'from the future'"))
    engine.dispose()
    assert schema_state(url) is SchemaState.AHEAD
    with pytest.raises(SchemaAhead, match="schema_ahead"):
        migrate(url)
    assert schema_state(url) is SchemaState.AHEAD


@pytest.mark.parametrize(
    "wrong",
    [
        "mysql://ada:hunter2@db.example/mail",
        "postgresql+asyncpg://ada:hunter2@db.example/mail",
        "ada:hunter2",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:x?uri=true",
    ],
)
def test_an_unusable_database_url_is_explained_without_its_password(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"looks like sqlite:////\S+ or postgresql://") as refused:
        open_engine(wrong)
    assert "hunter2" not in str(refused.value)


def test_every_postgresql_url_scheme_uses_psycopg() -> None:
    for scheme in ("postgresql", "postgres", "postgresql+psycopg"):
        engine = open_engine(f"{scheme}://ada@db.example/mail")
        assert engine.driver == "psycopg"


def test_a_database_error_does_not_show_the_data(url: str) -> None:
    store = SqlStore.open(url)
    add(store, an_import("one"), sealed=None)
    with pytest.raises(ValueError, match="already") as refused:
        add(store, an_import("two"), an_import("one", submitter="ada@old.example"))
    assert "ada@old.example" not in str(refused.value.__cause__)
    store.close()


def test_the_sqlite_file_is_private_durable_and_overwrites_erased_data(
    tmp_path: Path, migrated_sqlite: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'new.db'}"
    migrate(url)
    assert (tmp_path / "new.db").stat().st_mode & 0o777 == 0o600
    store = SqlStore.open(url)
    with store.reading() as connection:
        pragmas = ("journal_mode", "synchronous", "foreign_keys", "secure_delete", "busy_timeout")
        values = {name: connection.execute(text(f"PRAGMA {name}")).scalar() for name in pragmas}
    full = 2
    assert values == {
        "journal_mode": "wal",
        "synchronous": full,
        "foreign_keys": 1,
        "secure_delete": 1,
        "busy_timeout": 60_000,
    }
    add(store, an_import("one"), sealed=SealedGrants(b"canary" * 20, b"canary" * 20))
    store.finish_import(an_import("one", state=State.COMPLETE), [], hold(store))
    store.close()
    assert b"canary" not in b"".join(file.read_bytes() for file in tmp_path.iterdir())


def test_create_builds_the_same_schema_as_the_migrations(empty_url: str) -> None:
    assert create(empty_url)
    assert is_current(empty_url)
    assert schema_state(empty_url) is SchemaState.CURRENT
    engine = open_engine(empty_url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()
    assert not create(empty_url)
    migrate(empty_url)


def test_the_quick_schema_check_agrees_with_alembic(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/quick.db"
    assert not is_current(url)
    migrate(url)
    assert is_current(url)
    with open_engine(url).begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    assert not is_current(url)


# --- Web sessions -----------------------------------------------------------------------------------


def a_web_session(id_: str = "v1", lasts: timedelta = TTL) -> WebSession:
    return WebSession(
        WebSessionId(id_),
        PersonId("mailbox:ada@new.example"),
        NOW,
        NOW + lasts,
        b"\x00sealed\xff",
        "192.0.2.1",
        NOW,
    )


def test_a_web_session_is_returned_complete_until_it_ends_or_expires(store: Store) -> None:
    store.add_web_session(a_web_session())
    store.add_web_session(a_web_session("v2"))
    assert store.web_session(WebSessionId("v1"), NOW) == a_web_session()
    assert store.web_session(WebSessionId("none"), NOW) is None
    assert store.web_session(WebSessionId("v1"), NOW + TTL) is None
    store.end_web_session(WebSessionId("v1"))
    assert store.web_session(WebSessionId("v1"), NOW) is None
    assert store.web_session(WebSessionId("v2"), NOW) == a_web_session("v2")


def test_use_of_a_web_session_is_recorded_and_an_unused_one_is_not_found(store: Store) -> None:
    store.add_web_session(a_web_session())
    assert store.web_session(WebSessionId("v1"), NOW, NOW) == a_web_session()
    assert store.web_session(WebSessionId("v1"), NOW, NOW + SECOND) is None
    store.touch_web_session(WebSessionId("v1"), NOW + SECOND)
    assert store.web_session(WebSessionId("v1"), NOW, NOW + SECOND) == replace(
        a_web_session(), used_at=NOW + SECOND
    )


def test_the_web_sessions_of_a_person_are_listed_last_used_first(store: Store) -> None:
    store.add_web_session(a_web_session("v1"))
    store.add_web_session(replace(a_web_session("v2"), used_at=NOW + SECOND))
    store.add_web_session(replace(a_web_session("v3"), person=PersonId("mailbox:bob@new.example")))
    store.add_web_session(a_web_session("v4", SECOND))
    ids = [found.id for found in store.web_sessions(NOW + SECOND, PersonId("mailbox:ada@new.example"))]
    assert ids == ["v2", "v1"]
    assert {found.id for found in store.web_sessions(NOW + SECOND)} == {"v1", "v2", "v3"}


def test_a_web_session_is_renewed_under_another_id_once(store: Store) -> None:
    store.add_web_session(a_web_session())
    assert store.replace_web_session(WebSessionId("v1"), a_web_session("v2"))
    assert store.web_session(WebSessionId("v1"), NOW) is None
    assert store.web_session(WebSessionId("v2"), NOW) == a_web_session("v2")
    assert not store.replace_web_session(WebSessionId("v1"), a_web_session("v3"))
    assert store.web_session(WebSessionId("v3"), NOW) is None


def test_session_data_is_replaced_while_the_web_session_lasts(store: Store) -> None:
    store.add_web_session(a_web_session())
    assert store.save_web_session(WebSessionId("v1"), b"other", a_web_session().sealed)
    assert not store.save_web_session(WebSessionId("v1"), b"third", a_web_session().sealed)
    assert store.web_session(WebSessionId("v1"), NOW) == replace(a_web_session(), sealed=b"other")
    store.end_web_session(WebSessionId("v1"))
    assert not store.save_web_session(WebSessionId("v1"), b"late", b"other")
    assert store.web_session(WebSessionId("v1"), NOW) is None


def test_attempts_are_counted_per_key_in_a_span_that_the_first_one_begins(store: Store) -> None:
    span = timedelta(minutes=15)
    assert [store.count("a", NOW + n * SECOND, span) for n in range(3)] == [1, 2, 3]
    assert store.count("A", NOW, span) == 1
    store.uncount("a")
    assert store.count("a", NOW + 14 * timedelta(minutes=1), span) == 3
    assert store.count("a", NOW + span, span) == 1
    store.uncount("a")
    store.uncount("a")
    store.uncount("unknown")
    assert store.count("a", NOW + span, span) == 1


def test_concurrent_attempts_are_all_counted(open_store: OpenStore) -> None:
    stores = [open_store() for _ in range(4)]
    numbers = concurrently(*(partial(store.count, "a", NOW, TTL) for store in stores for _ in range(3)))
    assert sorted(numbers) == list(range(1, 13))


def test_sweeping_removes_only_expired_entries(store: Store) -> None:
    store.add_web_session(a_web_session("short", SECOND))
    store.add_web_session(a_web_session("long"))
    store.count("short", NOW, SECOND)
    store.count("long", NOW, TTL)
    store.sweep(NOW + SECOND)
    assert store.web_session(WebSessionId("short"), NOW) is None
    assert store.web_session(WebSessionId("long"), NOW) == a_web_session("long")
    assert store.count("long", NOW + SECOND, TTL) == 2
    assert store.count("short", NOW, TTL) == 1


def test_batches_are_found_by_their_owner_and_imports_by_their_ids(store: Store) -> None:
    for name, owner in (
        ("one", "mailbox:ada"),
        ("two", ""),
        ("three", "mailbox:ada"),
        ("four", "mailbox:Ada"),
    ):
        import_ = an_import(name)
        batch = Batch(BatchId(f"b-{name}"), NOW, imports=(import_.id,), owner=owner)
        store.add_batch(batch, [(import_, None)])
    assert {b.id for b in store.batches(owner="mailbox:ada")} == {"b-one", "b-three"}
    assert {b.id for b in store.batches(owner="")} == {"b-two"}
    assert len(store.batches()) == 4
    stored = store.batch(BatchId("b-one"))
    assert stored is not None
    assert stored.owner == "mailbox:ada"
    ids = [ImportId(name) for name in ("one", "four", "none")]
    assert {i.id for i in store.imports(ids=ids)} == {"one", "four"}
    assert store.imports(ids=[]) == []


def test_imports_are_chosen_by_address_submitter_and_beginning(store: Store) -> None:
    for name, owner, submitter in (
        ("kea1", "mailbox:ada@new.example imap.new.example", ""),
        ("kea2", "", "Admin@new.example"),
        ("owl1", "client:panel_1", ""),
    ):
        import_ = an_import(
            name,
            batch_id=BatchId(f"b{name}"),
            source=mailbox(f"{name}_x@Old.example"),
            destination=mailbox(f"{name}@new.example", "imap.new.example"),
        )
        batch = Batch(BatchId(f"b{name}"), NOW, "", submitter, (import_.id,), owner)
        store.add_batch(batch, [(import_, None)])

    def found(**chosen: Any) -> set[str]:
        return {import_.id for import_ in store.imports(ImportFilter(**chosen))}

    assert found(address="@OLD.") == {"kea1", "kea2", "owl1"}
    assert found(address="kea1@new") == {"kea1"}
    assert found(address="1_X") == {"kea1", "owl1"}
    assert found(address="1%x") == set(), "no pattern"
    assert found(submitted_by="ADA@new") == {"kea1"}
    assert found(submitted_by="admin@") == {"kea2"}
    assert found(submitted_by="panel_1") == {"owl1"}
    assert found(submitted_by="panel%1") == set()
    assert found(beginning="kea") == {"kea1", "kea2"}
    assert found(beginning="kea_") == set()
    assert found(beginning="kea", address="kea2", submitted_by="admin", owner="") == {"kea2"}
    assert found(batch_id=BatchId("bkea1"), submitted_by="admin") == set()
    assert {batch.id for batch in store.batches(beginning="bk")} == {"bkea1", "bkea2"}
    assert {batch.id for batch in store.batches(beginning="bk", owner="")} == {"bkea2"}
