"""Requests about a person's data: complete over every table, and no dump names the address afterwards."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url, select

from importer.adapters.store import SqlStore
from importer.adapters.store.personal_data import SqlPersonalData
from importer.adapters.store.table_rules import RULES
from importer.adapters.store.tables import metadata
from importer.domain.audit_event import AuditAction, AuditActor
from importer.domain.model import Batch, BatchId, Import, ImportId, State
from importer.domain.personal_data import AddressPattern, Erasure
from importer.ports.store import SealedGrants
from importer.service.access.data_requests import StillUnderWay, erase_data, known_data
from importer.service.deps import Deps
from tests.contract.full_store import ADDRESS, OTHERS, OWN, account, fill
from tests.contract.test_store import hold
from tests.rehearsal.postgres import programs
from tests.unit.test_service import Office

NOW = datetime.now(UTC)
OPERATOR = AuditActor("operator:root")


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    store = SqlStore.open(url)
    yield store
    store.close()


@pytest.fixture
def deps(store: SqlStore) -> Deps:
    office = Office()
    office.clock.time = NOW
    return replace(office.deps, store=store, personal_records=SqlPersonalData(store.engine))


def fill_store(store: SqlStore, *, ledger_of_others: bool = True) -> None:
    with store.writing() as connection:
        fill(connection, NOW, ledger_of_others=ledger_of_others)


def dumped(url: str) -> bytes:
    """SQLite: the bytes of all files, free pages and log included. PostgreSQL: what pg_dump writes."""
    parts = make_url(url)
    if parts.get_backend_name() == "sqlite":
        file = Path(str(parts.database))
        return b"".join(path.read_bytes() for path in sorted(file.parent.glob(f"{file.name}*")))
    command = [str(programs() / "pg_dump"), "-h", str(parts.query["host"]), "-U", str(parts.username)]
    return subprocess.run([*command, str(parts.database)], capture_output=True, check=True).stdout


def test_after_an_erasure_no_dump_names_the_address(store: SqlStore, url: str, deps: Deps) -> None:
    fill_store(store, ledger_of_others=False)
    assert ADDRESS.encode() in dumped(url)
    erased = erase_data(deps, ADDRESS, OPERATOR)
    assert erased.kept.rows == {}
    assert erased.is_overwritten
    assert ADDRESS.encode() not in dumped(url).lower()
    assert erase_data(deps, ADDRESS, OPERATOR).changed == {}
    events = store.audit_events(actions=[AuditAction.DATA_ERASE])
    assert {event.target for event in events} == {erased.pseudonym}


def test_what_is_known_and_what_is_erased_cover_every_table(store: SqlStore, deps: Deps) -> None:
    fill_store(store)
    known = known_data(deps, ADDRESS, OPERATOR)
    assert set(known.rows) == {name for name, rule in RULES.items() if rule.erasure is not Erasure.NONE}
    for name, rows in known.rows.items():
        for column in RULES[name].sealed:
            assert {row[column] for row in rows} == {"sealed"}
    assert {row["detail"]["code"] for row in known.rows["audit_events"]} == {"audit_words"}
    erase_data(deps, ADDRESS, OPERATOR)
    left = known_data(deps, ADDRESS, OPERATOR)
    assert set(left.rows) == {name for name, rule in RULES.items() if rule.erasure is Erasure.KEPT}
    assert all(row.get("import_id", OTHERS) == OTHERS for rows in left.rows.values() for row in rows)


def test_imports_of_others_keep_everything_but_the_address(store: SqlStore, deps: Deps) -> None:
    fill_store(store)
    erase_data(deps, ADDRESS, OPERATOR)
    with store.reading() as connection:
        rows = {t.name: connection.execute(select(t)).all() for t in metadata.sorted_tables}
    [import_] = rows["imports"]
    assert (import_.id, import_.source_address, import_.submitter) == (OTHERS, "eve@old.example", "")
    for name in ("batches", "accounts", "refusals", "undos", "receipts", "grants", "tokens", "marks"):
        assert rows[name], name
    assert "erased:" in rows["refusals"][0].subject
    assert [row.source_folder for row in rows["receipts"]] == [f"source_folder of {ADDRESS}"]


def test_a_ledger_whose_report_is_gone_is_found_by_digest(store: SqlStore, deps: Deps) -> None:
    fill_store(store, ledger_of_others=False)
    with store.writing() as connection:
        for name in ("grants", "consents", "accounts"):
            table = metadata.tables[name]
            connection.execute(table.delete().where(table.c.import_id == OWN))
        connection.execute(metadata.tables["imports"].delete().where(metadata.tables["imports"].c.id == OWN))
    erased = erase_data(deps, ADDRESS.upper(), OPERATOR)
    assert erased.changed["receipts"] == 1
    with store.reading() as connection:
        [receipt] = connection.execute(select(metadata.tables["receipts"])).all()
    assert receipt.import_id == OTHERS


RUNNING = Import(
    ImportId("running23456"),
    account(ADDRESS),
    account("ada@new.example"),
    NOW,
    BatchId("b1"),
    state=State.RUNNING,
)


def test_running_imports_are_refused_and_then_cancelled(store: SqlStore, deps: Deps) -> None:
    """A worker holds the import; it applies the cancellation after its batch."""
    batch = Batch(BatchId("b1"), NOW, imports=(RUNNING.id,), owner="mailbox:eve")
    store.add_batch(batch, [(RUNNING, SealedGrants(b"s", b"d"))])
    lease = hold(store, f"import:{RUNNING.id}")
    with pytest.raises(StillUnderWay, match=RUNNING.id):
        erase_data(deps, ADDRESS, OPERATOR)
    assert store.import_(RUNNING.id) is not None
    with pytest.raises(StillUnderWay):
        erase_data(deps, ADDRESS, OPERATOR, cancels=True)  # the worker takes longer than that
    store.release(lease)
    erased = erase_data(deps, ADDRESS, OPERATOR, cancels=True)
    assert erased.changed["imports"] == 1
    assert store.import_(RUNNING.id) is None
    assert store.batch(BatchId("b1")) is None


@pytest.mark.parametrize(
    ("text", "is_named"),
    [
        ("mailbox:ada@old.example imap.old.example", True),
        ("<ADA@Old.Example>,", True),
        ("?to=ada%40old.example", True),
        ("grada@old.example", False),
        ("ada@old.example.org", False),
        ("ada@old.examples", False),
        ("ada@old.example.", True),
        ({"a": ["ada@old.example"]}, True),
    ],
)
def test_an_address_is_found_whole(text: Any, is_named: bool) -> None:
    assert AddressPattern(ADDRESS).is_in(text) is is_named


@pytest.mark.parametrize("address", ["o'brien@old.example", "grün@old.example", 'a"b\\c@old.example'])
def test_an_address_is_found_as_json_and_html_write_it(
    store: SqlStore, url: str, deps: Deps, address: str
) -> None:
    text = f"names {address}"
    html = text.replace("'", "&#x27;").replace('"', "&quot;")
    with store.writing() as connection:
        fill(connection, NOW, ledger_of_others=False)
        connection.execute(metadata.tables["notices"].update().values(html=html, text=text, recipient="x"))
        connection.execute(metadata.tables["undos"].update().values(folders=[text]))
        connection.execute(metadata.tables["refusals"].update().values(subject=f"{text} again"))
    known = known_data(deps, address, OPERATOR)
    assert {"notices", "undos", "refusals"} <= set(known.rows)
    erase_data(deps, address, OPERATOR)
    assert known_data(deps, address, OPERATOR).rows == {}
