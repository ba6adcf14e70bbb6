"""Every table and every column with personal data has a lifetime, and the sweeps keep it.

Whoever adds a table or a column decides both in `importer/adapters/store/table_rules.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, func, select

from importer.adapters.store import SqlStore
from importer.adapters.store.columns import ExactText
from importer.adapters.store.retention import SqlRetention
from importer.adapters.store.table_rules import RULES
from importer.adapters.store.tables import metadata
from importer.domain.lifetimes import Lifetimes
from importer.domain.personal_data import AddressPattern, Lifetime
from providers.text import Text
from tests.contract.full_store import ADDRESS, fill

DAY = timedelta(days=1)
NOW = datetime.now(UTC) - 30 * DAY  # the databases refuse to delete events of the last day
TRUST = Path(__file__).parents[2] / "docs" / "trust.md"
HOW = (
    "Decide for each new table and column in importer/adapters/store/table_rules.py: who can be named in it"
    " (readable, sealed or impersonal), its lifetime, and what an erasure does; make retention.py or the"
    " import's removal (removal.py) remove it; add its row to the table in docs/trust.md."
)


def test_every_table_and_every_column_has_a_rule() -> None:
    ruled = {table: rule.readable | rule.sealed | rule.impersonal for table, rule in RULES.items()}
    columns = {table.name: frozenset(table.columns.keys()) for table in metadata.sorted_tables}
    assert ruled == columns, HOW
    for table, rule in RULES.items():
        parts = (rule.readable, rule.sealed, rule.impersonal)
        assert sum(map(len, parts)) == len(columns[table]), f"{table}: a column is listed twice. {HOW}"


def test_every_table_stands_in_the_document_about_data() -> None:
    named = set(re.findall(r"`(\w+)`", TRUST.read_text(encoding="utf-8")))
    assert set(RULES) <= named, f"Missing in docs/trust.md: {sorted(set(RULES) - named)}. {HOW}"


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    store = SqlStore.open(url)
    with store.writing() as connection:
        fill(connection, NOW)
    yield store
    store.close()


def numbers(connection: Connection) -> dict[str, int]:
    return {
        table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
        for table in metadata.sorted_tables
    }


def sweep(store: SqlStore, now: datetime, lifetimes: Lifetimes = Lifetimes()) -> dict[str, int]:  # noqa: B008
    """All steps of the housekeeping until nothing is left to remove; the rows by kind."""
    retention, total = SqlRetention(store.engine), dict[str, int]()
    store.sweep(now)
    store.forget_workers_silent_since(now - timedelta(hours=1))
    while step := retention.sweep_expired(now, lifetimes):
        total |= {kind: total.get(kind, 0) + rows for kind, rows in step.items()}
    return total


def test_the_filled_store_has_a_row_in_every_table(store: SqlStore) -> None:
    with store.reading() as connection:
        empty = {table for table, rows in numbers(connection).items() if not rows}
    assert not empty, f"tests/contract/full_store.py puts no row into {empty}. {HOW}"


def test_in_the_end_nothing_is_left_in_any_table(store: SqlStore) -> None:
    sweep(store, NOW + 36_500 * DAY)
    with store.reading() as connection:
        left = {table for table, rows in numbers(connection).items() if rows}
    assert not left, f"Nothing ever removes the rows of {left}. {HOW}"


PARTS = {
    "refusals": (Lifetimes(refusals=DAY), set[str]()),
    "mails": (Lifetimes(mails=DAY), {"notices"}),
    "reports": (
        Lifetimes(reports=DAY),
        {
            table
            for table, rule in RULES.items()
            if rule.lifetime in (Lifetime.REPORT, Lifetime.REFUSAL, Lifetime.GRANTS, Lifetime.CONSENT)
        },
    ),
    "leases": (Lifetimes(leases=DAY), {"leases"}),
    "audit": (Lifetimes(audit=DAY), {"audit_events", "tokens"}),
}


@pytest.mark.parametrize("part", PARTS)
def test_each_setting_ends_what_it_names_and_nothing_else(store: SqlStore, part: str) -> None:
    lifetimes, gone = PARTS[part]
    short = {t for t, r in RULES.items() if r.lifetime in (Lifetime.DAY, Lifetime.HOUR, Lifetime.SESSION)}
    sweep(store, NOW + 2 * DAY, lifetimes)
    with store.reading() as connection:
        empty = {table for table, rows in numbers(connection).items() if not rows}
    assert empty == gone | short


def test_a_report_without_its_subjects_still_names_the_messages(store: SqlStore) -> None:
    refusals = metadata.tables["refusals"]
    sweep(store, NOW + 2 * DAY, Lifetimes(refusals=DAY))
    with store.reading() as connection:
        rows = connection.execute(select(refusals)).all()
    assert [(row.subject, row.date) for row in rows] == [("", ""), ("", "")]
    assert all(row.folder and row.uid and row.text for row in rows)


def test_receipts_outlive_their_imports_without_naming_anybody(store: SqlStore) -> None:
    """And end some time after the last import of their route."""
    ledger = {t for t, r in RULES.items() if r.lifetime is Lifetime.RECEIPT}
    lifetimes = Lifetimes(reports=DAY, receipts=10 * DAY)
    sweep(store, NOW + 2 * DAY, lifetimes)
    with store.reading() as connection:
        left = {table for table, rows in numbers(connection).items() if rows}
        assert ledger <= left
        assert not left & {"imports", "batches"}
        kept = connection.execute(select(metadata.tables["kept_routes"])).all()
        assert all(ADDRESS not in str(row) for row in kept)
    sweep(store, NOW + 11 * DAY, lifetimes)
    with store.reading() as connection:
        assert not {table for table, rows in numbers(connection).items() if rows} & ledger


def test_readable_columns_of_a_full_store_name_the_address(store: SqlStore) -> None:
    """So that the tests of the erasure find what they do not erase."""
    pattern = AddressPattern(ADDRESS)
    with store.reading() as connection:
        for name, rule in RULES.items():
            rows = connection.execute(select(metadata.tables[name])).all()
            unfilled = {
                column
                for column in rule.readable
                if not any(pattern.is_in(_plain(row._mapping[column])) for row in rows)
            }
            assert unfilled <= {"destination_address", "destination_login"}, (name, unfilled)


def _plain(value: Any) -> Any:
    return str(value.items) if isinstance(value, Text) else value


def test_free_text_is_never_called_impersonal_by_accident() -> None:
    """Columns of text that this process did not make up."""
    known = {
        "workers.name",  # machine, process
        "slots.holder",  # as above, and a lease
        "leases.owner",
        "imports.source_host",
        "imports.destination_host",
    }
    free = {
        f"{table.name}.{column.name}"
        for table in metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, ExactText) and column.name in RULES[table.name].impersonal
    }
    assert free == known, HOW
