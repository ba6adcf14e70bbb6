"""A database with a row in every table, each column filled by its type and by its rule.

A new table needs a line in `OVERRIDES` if its rows belong to an import, to a route or to a time that matters;
a new column needs none.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import JSON, Boolean, Column, Connection, Float, Integer, LargeBinary, Table, insert
from sqlalchemy.exc import IntegrityError

from importer.adapters.store.columns import CodedText, EventDetail, Instant, personal_digest
from importer.adapters.store.table_rules import RULES, TableRule
from importer.adapters.store.tables import metadata
from importer.domain.model import Account, Progress, State, route_of
from importer.domain.personal_data import Erasure
from providers.endpoint import Endpoint
from providers.text import Text

ADDRESS: Final = "ada@old.example"
OWN: Final = "ownimport234"
OTHERS: Final = "otherimport2"
OVER: Final = timedelta(hours=1)
"""How long ago everything ended when `fill` is done."""


def account(address: str) -> Account:
    return Account(address, address, Endpoint(f"imap.{address.partition('@')[2]}"))


def fill(connection: Connection, now: datetime, *, ledger_of_others: bool = True) -> None:
    """One import of ADDRESS and one of another person, in a batch each, which has ended; all readable columns
    of the other's rows name the address, too, but for its mailboxes and, without `ledger_of_others`, for the
    folders of their ledger."""
    for import_id, addresses in (
        (OWN, (ADDRESS, "ada@new.example")),
        (OTHERS, ("eve@old.example", "eve@new.example")),
    ):
        source, destination = map(account, addresses)
        for table in metadata.sorted_tables:
            rule = RULES.get(table.name)
            if rule is None:
                continue  # test_table_rules.py says what to do
            values = {column.name: _value(rule, column, import_id, now - OVER) for column in table.columns}
            values |= _overrides(table, import_id, source, destination, now - OVER)
            if import_id == OTHERS and not ledger_of_others and rule.erasure is Erasure.KEPT:
                values |= dict.fromkeys(rule.readable, "INBOX")
            try:
                with connection.begin_nested():
                    connection.execute(insert(table).values(values))
            except IntegrityError:
                if import_id == OWN:
                    raise  # of tables whose key is the address alone, one row is enough


def _value(rule: TableRule, column: Column[Any], import_id: str, at: datetime) -> Any:
    named = f"{column.name} of {ADDRESS}" if column.name in rule.readable else f"{column.name} {import_id}"
    by_type: dict[type[Any], Any] = {
        Instant: at,
        CodedText: Text("not_taken", words=named),
        EventDetail: Text("audit_words", words=named),
        JSON: {"text": named} if column.name in rule.readable else [],
        LargeBinary: b"sealed",
        Boolean: False,
        Integer: 7 if column.name != "seq" else _seq(import_id),
        Float: 0.5,
    }
    return next((value for kind, value in by_type.items() if isinstance(column.type, kind)), named)


def _seq(import_id: str) -> int:
    """Beyond those that the database gives."""
    return 1_000_001 if import_id == OWN else 1_000_002


def _overrides(
    table: Table, import_id: str, source: Account, destination: Account, at: datetime
) -> dict[str, Any]:
    """What ties rows together, and what makes them over."""
    seq = _seq(import_id)
    names = set(table.columns.keys())
    values: dict[str, Any] = {
        "import_id": import_id,
        "route": route_of(source, destination),
        "batch_id": f"batch{import_id}"[:12],
    }
    values = {name: value for name, value in values.items() if name in names}
    of_table: dict[str, dict[str, Any]] = {
        "batches": {"id": f"batch{import_id}"[:12], "imports": [import_id]},
        "imports": {
            "id": import_id,
            "submission": seq,
            "state": State.COMPLETE,
            "grants_kept_until": None,
            "wish": None,
            "problem_side": None,
            "progress": asdict(Progress(f"folder of {ADDRESS}")),
            "alerts": [["source", f"alert for {ADDRESS}"]],
            **{
                f"{side}_{part}": value
                for side, mailbox in (("source", source), ("destination", destination))
                for part, value in (
                    ("address", mailbox.address),
                    ("login", mailbox.login),
                    ("host", mailbox.endpoint.host),
                    ("port", 993),
                    ("security", "tls"),
                    ("guarded", False),
                )
            },
        },
        "kept_routes": {
            "destination": personal_digest(destination.key),
            "addresses": [personal_digest(source.address), personal_digest(destination.address)],
        },
        "notices": {"key": f"import:{import_id}:{ADDRESS}", "state": "sent", "recipient": ADDRESS},
        "leases": {"owner": None},
        "accounts": {"listing": None},
    }
    return values | of_table.get(table.name, {})
