"""The sweep by age: what can continue stays, and each transaction is short."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event, func, insert, select

from importer.adapters.store import SqlStore
from importer.adapters.store.removal import STEP_ROWS
from importer.adapters.store.retention import SqlRetention
from importer.adapters.store.tables import metadata, refusals
from importer.compact.uid_set import UidValidity
from importer.domain.lifetimes import Lifetimes
from importer.domain.model import Batch, BatchId, Import, ImportId, State
from importer.domain.receipts.receipt import Outcome
from importer.ports.store import SealedGrants
from tests.contract.full_store import account
from tests.contract.test_store import a_receipt, hold

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
OLD = NOW - 400 * DAY
SEALED = SealedGrants(b"s", b"d")
ENDED = Import(
    ImportId("ended2345678"),
    account("ada@old.example"),
    account("ada@new.example"),
    OLD,
    BatchId("b1"),
    state=State.COMPLETE,
    finished_at=OLD,
)


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    store = SqlStore.open(url)
    yield store
    store.close()


def add(store: SqlStore, *imports: Import, sealed: SealedGrants | None = None) -> None:
    ids = tuple(import_.id for import_ in imports)
    store.add_batch(Batch(BatchId("b1"), OLD, imports=ids), [(import_, sealed) for import_ in imports])
    for import_ in imports:
        store.update_import(import_)


def sweep(store: SqlStore) -> dict[str, int]:
    return dict(SqlRetention(store.engine).sweep_expired(NOW, Lifetimes()))


def test_an_import_that_ended_long_ago_goes_with_its_batch(store: SqlStore) -> None:
    add(store, ENDED)
    assert sweep(store) == {"reports": 1}
    assert store.import_(ENDED.id) is None
    assert store.batch(BatchId("b1")) is None
    assert sweep(store) == {}


@pytest.mark.parametrize(
    ("other", "sealed"),
    [
        (replace(ENDED, state=State.WAITING, finished_at=None), SEALED),
        (replace(ENDED, state=State.STOPPED, grants_kept_until=NOW + DAY), SEALED),
        (replace(ENDED, finished_at=NOW - 100 * DAY), None),
    ],
    ids=["waits", "can be retried", "ended later"],
)
def test_a_batch_stays_whole_while_one_of_its_imports_is_needed(
    store: SqlStore, other: Import, sealed: SealedGrants | None
) -> None:
    needed = replace(other, id=ImportId("needed345678"), source=account("eve@old.example"))
    add(store, ENDED, needed, sealed=sealed)
    if sealed is not None:
        store.erase_kept_grants(ENDED.id)
    sweep(store)
    assert store.import_(ENDED.id) is not None
    assert store.import_(needed.id) is not None


def test_an_import_stays_while_another_one_tries_its_failed_messages_again(store: SqlStore) -> None:
    add(store, ENDED)
    retry = replace(
        ENDED,
        id=ImportId("retry2345678"),
        batch_id=BatchId("b2"),
        created_at=NOW,
        state=State.RUNNING,
        finished_at=None,
        retry_of=ENDED.id,
    )
    store.add_batch(Batch(BatchId("b2"), NOW, imports=(retry.id,)), [(retry, SEALED)])
    sweep(store)
    assert store.import_(ENDED.id) is not None
    stored = store.import_(retry.id)
    assert stored is not None
    assert stored.retry_of == ENDED.id
    store.update_import(replace(retry, state=State.COMPLETE, finished_at=NOW))
    sweep(store)
    assert store.import_(ENDED.id) is None


def test_an_import_that_is_being_undone_stays(store: SqlStore) -> None:
    add(store, ENDED)
    lease = hold(store, f"import:{ENDED.id}")
    sweep(store)
    assert store.import_(ENDED.id) is not None
    store.release(lease)
    sweep(store)
    assert store.import_(ENDED.id) is None


def test_a_copy_in_the_foreground_that_was_killed_does_not_stay_for_ever(store: SqlStore) -> None:
    add(store, replace(ENDED, state=State.RUNNING, finished_at=None))
    sweep(store)
    assert store.import_(ENDED.id) is None


def test_after_the_sweep_a_folder_that_is_removed_still_detaches_all_routes_into_it(store: SqlStore) -> None:
    """Otherwise the next import of the route would bring back what its owner removed with the folder."""
    add(store, ENDED)
    lease = hold(store, f"import:{ENDED.id}")
    store.record(ENDED.route, "Archive", [a_receipt()], [], lease)
    store.release(lease)
    sweep(store)
    store.detach_all(ENDED.destination, ["Archive"], hold(store, "mailbox"))
    [receipt] = store.receipts(ENDED.route, "Archive")
    assert receipt.outcome is Outcome.COPIED
    assert receipt.destination.uidvalidity == UidValidity(0)


def test_every_transaction_of_a_sweep_is_limited(store: SqlStore) -> None:
    add(store, ENDED)
    row = {
        "import_id": ENDED.id,
        "folder": "INBOX",
        "uidvalidity": 1,
        "uid": 1,
        "reason": "",
        "text": None,
        "date": "",
        "subject": "Grüße",
        "size_bytes": 1,
        "count": 1,
        "partly": False,
        "code": "too_large",
    }
    with store.writing() as connection:
        connection.execute(insert(refusals), [row] * 1_800)
    retention = SqlRetention(store.engine)
    changed: list[int] = []
    event.listen(retention.engine, "commit", lambda _c: changed.append(0))

    def note(_connection: object, cursor: object, statement: str, *_: object) -> None:
        if changed and statement.startswith(("DELETE", "UPDATE")):
            changed[-1] += max(0, getattr(cursor, "rowcount", 0))

    event.listen(retention.engine, "after_cursor_execute", note)
    changed.append(0)
    steps = 0
    while retention.sweep_expired(NOW, Lifetimes()):
        steps += 1
    assert max(changed) <= STEP_ROWS + 5  # the import, its batch, its lease
    assert steps >= 4
    with store.reading() as connection:
        counts = [
            connection.execute(select(func.count()).select_from(metadata.tables[name])).scalar_one()
            for name in ("refusals", "imports", "batches")
        ]
    assert counts == [0, 0, 0]
