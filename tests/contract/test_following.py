"""The contract of the store's methods for imports that follow their mailbox."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from importer.domain import import_state
from importer.domain.import_options import DEFAULTS
from importer.domain.model import Account, Batch, BatchId, Import, ImportId, Problem, State
from importer.domain.planning.cutover_options import FollowUntil, MxNames
from importer.ports.store import SealedGrants, Store
from providers.endpoint import Endpoint
from providers.text import Text
from tests.contract.conftest import OpenStore

NOW = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
DAY = timedelta(days=1)
SEALED = SealedGrants(b"a", b"b")
OLD = Account("ada@old.example", "ada", Endpoint("imap.old.example"))
NEW = Account("ada@new.example", "ada", Endpoint("imap.new.example"))
OPTIONS = DEFAULTS.choose(
    {
        "until_cutover": True,
        "follow_until": FollowUntil(NOW.date()),
        "cutover_mx": MxNames(("mx.new.example",)),
    }
)


@pytest.fixture
def store(open_store: OpenStore) -> Store:
    return open_store()


def add(store: Store, sealed: SealedGrants | None = SEALED) -> Import:
    import_ = Import(ImportId("one"), OLD, NEW, NOW, batch_id=BatchId("b"))
    store.add_batch(Batch(BatchId("b"), NOW, imports=(import_.id,)), [(import_, sealed)])
    return import_


def test_an_import_waits_for_its_next_pass_with_its_grants_and_is_due_then(store: Store) -> None:
    import_ = add(store)
    problem = Problem(Text("awaiting_cutover.moved", domain="old.example", until=NOW + DAY))
    waiting = replace(import_state.awaiting_pass(import_, problem, NOW + DAY), moved_at=NOW)
    store.update_import(waiting)
    assert store.import_(import_.id) == waiting
    assert [*store.due_imports(NOW)] == []
    assert [*store.due_imports(NOW + DAY)] == [import_.id]
    assert store.grants(import_.id) == SEALED


def test_options_are_replaced_without_a_lease_while_there_are_grants(store: Store) -> None:
    import_ = add(store)
    lease = store.acquire(f"import:{import_.id}", "worker", DAY)
    assert lease is not None
    assert store.choose_options(import_.id, OPTIONS)
    assert store.import_(import_.id) == replace(import_, options=OPTIONS)
    store.update_import(import_state.continued(import_, progressed=True), lease)  # of a running leg
    stored = store.import_(import_.id)
    assert stored is not None
    assert stored.options == OPTIONS
    ended = import_state.ended(import_, State.COMPLETE, NOW)
    assert not store.finish_import(ended, (), lease, options=import_.options)
    assert store.import_(import_.id) == stored
    assert store.finish_import(ended, (), lease, options=OPTIONS)
    assert not store.choose_options(import_.id, DEFAULTS)
    assert not store.choose_options(ImportId("unknown"), DEFAULTS)


def test_the_options_of_a_stopped_import_are_replaced_while_its_grants_are_kept(store: Store) -> None:
    import_ = add(store)
    lease = store.acquire(f"import:{import_.id}", "worker", DAY)
    assert lease is not None
    stopped = import_state.ended(import_, State.STOPPED, NOW, grants_kept_until=NOW + DAY)
    assert store.finish_import(stopped, (), lease)
    assert store.choose_options(import_.id, OPTIONS)
    store.release(lease)
    reopened = store.reopen_import(import_.id)
    assert reopened is not None
    assert reopened.options == OPTIONS


def test_a_foreground_copy_has_no_options_to_replace(store: Store) -> None:
    assert not store.choose_options(add(store, None).id, OPTIONS)
