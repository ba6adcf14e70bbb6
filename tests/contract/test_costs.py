"""What an import asks of its database: the numbers of transactions and statements are held here.

Each transaction that writes is an fsync on SQLite and several round trips to PostgreSQL, and all threads of a
worker wait for one another there. The mailboxes are in memory, so that the numbers are the same on any
machine.
"""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import delete

from importer.adapters.store import SqlStore
from importer.adapters.store.tables import metadata
from importer.domain.model import State
from importer.engine.leg_context import TransferLimits
from tests.rehearsal.database_counts import counting
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


def test_a_small_folder_costs_one_transaction(url: str) -> None:
    """Its intent, written together with the receipts and the checkpoint of the folder before. Until 0.1.0 it
    cost 3 that wrote and 4 that read."""
    one, many = _costs(url, 1), _costs(url, 13)
    per_folder = {name: (many[name] - one[name]) / 12 for name in many}
    assert per_folder["writes"] < 1.1  # one transaction more notes the folders that are created
    assert per_folder["reads"] < 0.1
    assert per_folder["statements"] <= 6  # 15 until 0.1.0
    # Leases, slots, states, progress, mails, and the first folder.
    assert one["writes"] <= 17
    assert one["reads"] <= 21
    assert one["statements"] <= 62
