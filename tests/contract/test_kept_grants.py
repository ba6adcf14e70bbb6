"""The contract of the store's methods for grants that are kept after a stop."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from importer.domain import import_state
from importer.domain.model import Account, Batch, BatchId, Import, ImportId, State
from importer.domain.receipts.undo_report import UndoReport
from importer.ports.store import RouteUnderWay, SealedGrants, Store
from providers.endpoint import Endpoint
from tests.contract.conftest import OpenStore

NOW = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
DAY = timedelta(days=1)
SEALED = SealedGrants(b"a", b"b")
OLD = Account("ada@old.example", "ada", Endpoint("imap.old.example"))
NEW = Account("ada@new.example", "ada", Endpoint("imap.new.example"))


@pytest.fixture
def store(open_store: OpenStore) -> Store:
    return open_store()


def submit(store: Store, name: str, owner: str = "ada") -> Import:
    import_ = Import(ImportId(name), OLD, NEW, NOW, batch_id=BatchId(f"batch-{name}"))
    batch = Batch(BatchId(f"batch-{name}"), NOW, imports=(import_.id,), owner=owner)
    store.add_batch(batch, [(import_, SEALED)])
    return import_


def stop(store: Store, import_: Import, kept_until: datetime | None) -> Import:
    lease = store.acquire(f"import:{import_.id}", "w", DAY)
    assert lease is not None
    stopped = import_state.ended(import_, State.STOPPED, NOW, grants_kept_until=kept_until)
    assert store.finish_import(stopped, (), lease)
    store.release(lease)
    return stopped


def test_a_stopped_import_with_kept_grants_is_not_due_until_it_is_reopened(store: Store) -> None:
    stopped = stop(store, submit(store, "one"), NOW + DAY)
    assert store.import_(stopped.id) == stopped
    assert store.grants(stopped.id) == SEALED
    assert not store.due_imports(NOW + DAY)
    reopened = store.reopen_import(stopped.id)
    assert reopened == store.import_(stopped.id) == import_state.reopened(stopped)
    assert [*store.due_imports(NOW + DAY)] == [stopped.id]
    assert store.grants(stopped.id) == SEALED
    assert store.reopen_import(stopped.id) is None


def test_without_kept_grants_nothing_is_reopened(store: Store) -> None:
    stopped = stop(store, submit(store, "one"), None)
    assert store.grants(stopped.id) is None
    assert store.reopen_import(stopped.id) is None
    assert store.reopen_import(ImportId("unknown")) is None
    assert not store.erase_kept_grants(stopped.id)
    assert store.import_(stopped.id) == stopped


def test_kept_grants_are_found_by_their_time_and_erased(store: Store) -> None:
    later = stop(store, submit(store, "one"), NOW + 2 * DAY)
    sooner = stop(store, submit(store, "two"), NOW + DAY)
    later = replace(later, successor=sooner.id)
    assert [*store.imports_with_kept_grants(NOW)] == []
    assert [*store.imports_with_kept_grants(NOW + DAY)] == [sooner]
    assert [*store.imports_with_kept_grants(NOW + 2 * DAY)] == [sooner, later]
    assert [*store.imports_with_kept_grants(NOW + 2 * DAY, limit=1)] == [sooner]
    assert store.erase_kept_grants(sooner.id)
    assert store.grants(sooner.id) is None
    assert store.import_(sooner.id) == replace(sooner, grants_kept_until=None)
    assert store.grants(later.id) == SEALED


def test_erasing_kept_grants_spares_an_import_that_was_reopened(store: Store) -> None:
    stopped = stop(store, submit(store, "one"), NOW + DAY)
    store.reopen_import(stopped.id)
    assert not store.erase_kept_grants(stopped.id)
    assert store.grants(stopped.id) == SEALED


def test_of_one_owner_and_route_only_one_import_is_under_way(store: Store) -> None:
    stopped = stop(store, submit(store, "one"), NOW + DAY)
    submit(store, "two")
    with pytest.raises(RouteUnderWay):
        store.reopen_import(stopped.id)
    assert store.import_(stopped.id) == replace(stopped, successor=ImportId("two"))


def test_another_owner_does_not_keep_it_from_being_reopened(store: Store) -> None:
    stopped = stop(store, submit(store, "one"), NOW + DAY)
    submit(store, "two", owner="grace")
    assert store.reopen_import(stopped.id) is not None


def test_an_undo_erases_kept_grants_with_its_report(store: Store) -> None:
    stopped = stop(store, submit(store, "one"), NOW + DAY)
    lease = store.acquire(f"import:{stopped.id}", "w", DAY)
    assert lease is not None
    store.save_undo(UndoReport(stopped.id, NOW), lease)
    undone = store.import_(stopped.id)
    assert undone is not None
    assert (undone.state, undone.grants_kept_until) == (State.UNDONE, None)
    assert store.grants(stopped.id) is None
    assert store.reopen_import(stopped.id) is None
