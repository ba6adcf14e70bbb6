"""Pages and ticks read as much with 100,000 imports as with 100: each query uses an index."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Final
from unittest import mock

import pytest
from sqlalchemy import event

from benchmarks.stored_imports import add_in_bulk
from importer.adapters.store import SqlStore
from importer.domain.import_filter import ImportFilter
from importer.domain.model import Batch, BatchId, ImportId, State
from importer.domain.planning.fair_shares import Share
from tests.contract.conftest import migrated_url
from tests.contract.test_fair_legs import HOST
from tests.contract.test_store import NOW, SEALED, an_import

IN_ORDER = "SCAN imports USING INDEX imports_created_at_ix"
"""Read from the newest on, until the page is full."""

QUERIES: dict[str, tuple[Callable[[SqlStore], object], set[str]]] = {
    "the first page": (lambda s: s.imports(limit=50), {IN_ORDER}),
    "the next page": (lambda s: s.imports(after=ImportId("one"), limit=50), set()),
    "the next batches": (lambda s: s.batches(after=BatchId("one")), set()),
    "a person's page": (lambda s: s.imports(ImportFilter(owner="ada"), limit=50), set()),
    "a person's batches": (lambda s: s.batches(owner="ada"), set()),
    "a batch": (lambda s: s.imports(ImportFilter(batch_id=BatchId("one"))), set()),
    "running ones": (lambda s: s.imports(ImportFilter(states=(State.RUNNING,))), set()),
    "the tick": (lambda s: s.due_imports(NOW), set()),
    "the queue of legs": (lambda s: s.leg_queue(NOW), set()),
    "the next leg": (lambda s: s.next_leg(Share("ada", HOST), NOW), set()),
    "an import": (lambda s: s.import_(ImportId("one")), set()),
    "its tallies": (lambda s: s.tallies(ImportId("one")), set()),
    "its refusals": (lambda s: list(s.refusals(ImportId("one"))), set()),
    "its failures": (lambda s: s.with_failures([an_import("one")]), set()),
}


@pytest.fixture
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlStore]:
    store = SqlStore.open(migrated_url("sqlite", request, tmp_path))
    yield store
    store.close()


@pytest.mark.parametrize("query", QUERIES)
def test_no_query_reads_a_whole_table(store: SqlStore, query: str) -> None:
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT"):
            asked.append((statement, parameters))

    event.listen(store.engine, "before_cursor_execute", note)
    run, scans = QUERIES[query]
    run(store)
    event.remove(store.engine, "before_cursor_execute", note)
    assert asked
    found: set[str] = set()
    with store.reading() as connection:
        for statement, parameters in asked:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            found |= {row.detail for row in plan}
    tables = ("imports", "batches", "accounts", "refusals", "receipts")
    scanned = {line for line in found for table in tables if line.startswith(f"SCAN {table}")}
    assert scanned == scans


STEP: Final = 100
STEPS_OF_A_CHOICE: Final = 120
"""Instructions of SQLite's virtual machine for each import in the queue, whatever else the machine does. The
choice of a leg is made under a lock, and again for each leg."""


def test_the_choice_of_a_leg_costs_little_for_each_import_in_the_queue(store: SqlStore) -> None:
    owners, each = 50, 40
    submissions = (
        (
            Batch(BatchId(f"batch{owner}"), NOW, "", "", (), f"owner{owner}"),
            [an_import(f"{owner}x{row}", batch_id=f"batch{owner}") for row in range(each)],
        )
        for owner in range(owners)
    )
    add_in_bulk(store, submissions, lambda _: SEALED)
    steps: Counter[str] = Counter()
    with store.reading() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.set_progress_handler(lambda: steps.update(["taken"]), STEP)
        with mock.patch.object(SqlStore, "reading", return_value=nullcontext(connection)):
            queue = store.leg_queue(NOW)
            assert store.next_leg(Share("owner7", HOST), NOW) is not None
        driver.set_progress_handler(None, STEP)
    assert queue.due == {Share(f"owner{owner}", HOST): each for owner in range(owners)}
    assert steps["taken"] * STEP < STEPS_OF_A_CHOICE * owners * each
