"""The database cost of an import, as limits on the numbers of transactions and statements.

Each transaction that writes is an fsync on SQLite and several round trips to PostgreSQL, and all threads of a
worker wait for one another there. The mailboxes are in memory, so that the numbers are the same on any
machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, text

from importer.adapters.store import SqlStore
from importer.adapters.store.tables import metadata
from importer.domain.model import Route, State
from importer.engine.leg_context import TransferLimits
from tests.contract.conftest import migrated_url
from tests.rehearsal.database_counts import counting
from tests.rehearsal.ports import PATIENCE_S
from tests.unit.test_service import DATE, Office

MESSAGES = 77  # of each folder, fewer than a batch


def _office(store: SqlStore, folders: int) -> Office:
    office = Office()
    office.store = store  # type: ignore[assignment]
    office.deps = replace(office.deps, store=store, transfer_limits=TransferLimits(batch_messages=200))
    office.old.folders["INBOX"].messages.clear()
    for number in range(folders):
        folder = office.old.folders["INBOX"] if not number else office.old.create(f"Folder {number}")
        for message in range(MESSAGES):
            folder.add((), DATE, b"Subject: %d %d\r\n\r\ntext\r\n" % (number, message))
    return office


def _costs(url: str, folders: int) -> dict[str, int]:
    """The counts of an import of so many small folders into an empty mailbox, from its ring to its end."""
    store = SqlStore.open(url)
    try:
        with store.engine.begin() as connection:
            for table in reversed([t for t in metadata.sorted_tables if t.name != "audit_events"]):
                connection.execute(delete(table))
        office = _office(store, folders)
        before = office.new.message_count
        _, import_id = office.submit()
        with counting(store.engine) as counts:
            assert office.work(import_id).state is State.COMPLETE
        assert office.new.message_count - before == folders * MESSAGES
        return counts.figures()
    finally:
        store.close()


@pytest.fixture
def postgres_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlStore]:
    store = SqlStore.open(migrated_url("postgres", request, tmp_path))
    yield store
    store.close()


def test_postgresql_is_asked_nothing_but_what_a_transaction_needs(
    postgres_store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connections stay open, and only those that were idle are tried first."""
    pings: list[object] = []
    ping = postgres_store.engine.dialect.do_ping

    def counted(connection: Any) -> bool:
        pings.append(connection)
        return ping(connection)

    monkeypatch.setattr(postgres_store.engine.dialect, "do_ping", counted)
    monkeypatch.setattr("importer.adapters.store.sql_engine._FRESH_S", PATIENCE_S)
    with counting(postgres_store.engine) as counts, ThreadPoolExecutor(20) as threads:
        for _ in range(5):
            list(threads.map(lambda _: postgres_store.checkpoints(Route("r")), range(60)))
    assert counts.reads >= 300
    assert counts.connections <= 24  # 80 and more until 0.1.0, which closed all but 8 after use
    assert not pings
    monkeypatch.setattr("importer.adapters.store.sql_engine._FRESH_S", 0.0)
    postgres_store.checkpoints(Route("r"))
    assert len(pings) == 1
    others = "pid <> pg_backend_pid() AND datname = current_database()"
    with postgres_store.writing() as connection:
        connection.execute(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"))  # noqa: S608
    with ThreadPoolExecutor(20) as threads:  # as after a restart: no transaction notices
        list(threads.map(lambda _: postgres_store.checkpoints(Route("r")), range(60)))


def test_a_small_folder_costs_one_transaction(url: str) -> None:
    """Its intent, written together with the receipts and the checkpoint of the folder before. Until 0.1.0 it
    cost 3 that wrote and 4 that read."""
    one, many = _costs(url, 1), _costs(url, 13)
    per_folder = {name: (many[name] - one[name]) / 12 for name in many}
    assert per_folder["writes"] < 1.1  # one transaction more notes the folders that are created
    assert per_folder["reads"] < 0.5  # the leg looks for requests once a second
    assert per_folder["statements"] <= 6  # 15 until 0.1.0
    # Leases, slots, states, progress, mails, and the first folder.
    assert one["writes"] <= 17
    assert one["reads"] <= 21
    assert one["statements"] <= 62
