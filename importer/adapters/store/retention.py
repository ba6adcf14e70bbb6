"""Removes records older than their lifetime.

Each step reads expired rows without a lock, and removes them in transactions of at most STEP_ROWS rows, so
that neither a worker nor a page waits for it, on either database. A step that is interrupted is continued by
the next. Which lifetime a table has, and why, is in `table_rules.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Table, and_, exists, literal, or_, select, update
from sqlalchemy import Text as TextType

from importer.adapters.store.database import Database, database_now
from importer.adapters.store.removal import STEP_ROWS, delete_some, id_in_key, remove_imports, remove_ledger
from importer.adapters.store.tables import (
    audit_events,
    backoffs,
    batches,
    folder_tallies,
    grants,
    imports,
    kept_routes,
    leases,
    meters,
    notices,
    refusals,
    slots,
    tokens,
)
from importer.domain.import_state import ALIVE
from importer.domain.lifetimes import Lifetimes
from importer.domain.planning.host_allowance import DAY, HOUR
from importer.ports.notices import MailState

STEP_BATCHES: Final = 20
"""Of at most 25 imports each."""


class SqlRetention(Database):
    """Implements `importer.ports.retention.Retention`."""

    def sweep_expired(self, now: datetime, lifetimes: Lifetimes) -> Mapping[str, int]:
        removed = {
            "refusals": self._blank_refusals(now - min(lifetimes.refusals, lifetimes.reports)),
            "mails": self._delete(notices, _over_mails(now - lifetimes.mails)),
            "reports": self._remove_reports(now - lifetimes.reports),
            "receipts": self._remove_receipts(now - lifetimes.receipts),
            "leases": self._delete(leases, leases.c.expires_at < now - lifetimes.leases),
            "audit_events": self._delete(audit_events, audit_events.c.at < now - lifetimes.audit),
            "tokens": self._delete(tokens, _invalid_tokens(now - lifetimes.audit)),
            "budgets": self._delete(slots, slots.c.expires_at < now - HOUR)
            + self._delete(meters, meters.c.hour <= now - DAY - HOUR)
            + self._delete(backoffs, backoffs.c.until < now - DAY),
        }
        return {kind: rows for kind, rows in removed.items() if rows}

    def _delete(self, table: Table, condition: ColumnElement[bool]) -> int:
        with self.reading() as connection:  # mostly there is none, and then no lock is needed
            if (
                connection.execute(select(literal(1)).select_from(table).where(condition).limit(1)).first()
                is None
            ):
                return 0
        with self.writing() as connection:
            return delete_some(connection, table, condition, STEP_ROWS)

    def _blank_refusals(self, before: datetime) -> int:
        """Removes subjects and dates; the other facts about the message stay in the report."""
        ended = select(imports.c.id).where(imports.c.finished_at < before)
        over = and_(or_(refusals.c.subject != "", refusals.c.date != ""), refusals.c.import_id.in_(ended))
        with self.reading() as connection:
            found = connection.execute(select(refusals.c.seq).where(over).limit(STEP_ROWS)).scalars().all()
        if found:
            blank = update(refusals).where(refusals.c.seq.in_(found)).values(subject="", date="")
            with self.writing() as connection:
                connection.execute(blank)
        return len(found)

    def _remove_reports(self, before: datetime) -> int:
        """Whole batches, once all of their imports have ended before; their refusals and tallies first, which
        may be many."""
        with self.reading() as connection:
            over = _over_batches(before, database_now(connection))
            oldest = select(batches.c.seq).where(over).order_by(batches.c.created_at).limit(STEP_BATCHES)
            found = connection.execute(oldest).scalars().all()
        removed = 0
        for submission in found:
            with self.writing() as connection:
                this = and_(batches.c.seq == submission, _over_batches(before, database_now(connection)))
                if connection.execute(select(batches.c.seq).where(this)).first() is None:
                    continue  # continued since
                of_batch = imports.c.submission == submission
                ids = select(imports.c.id).where(of_batch)
                parts = 0
                for table in (refusals, folder_tallies):
                    parts += delete_some(connection, table, table.c.import_id.in_(ids), STEP_ROWS)
                removed += parts
                if parts < STEP_ROWS:
                    rows = connection.execute(select(imports).where(of_batch)).all()
                    remove_imports(connection, rows)
                    removed += len(rows)
        return removed

    def _remove_receipts(self, before: datetime) -> int:
        unused = and_(kept_routes.c.used_at < before, ~exists().where(imports.c.route == kept_routes.c.route))
        with self.reading() as connection:
            found = (
                connection.execute(select(kept_routes.c.route).where(unused).limit(STEP_BATCHES))
                .scalars()
                .all()
            )
        removed = 0
        for route in found:
            with self.writing() as connection:
                this = and_(kept_routes.c.route == route, unused)
                if connection.execute(select(kept_routes.c.route).where(this)).first() is not None:
                    removed += remove_ledger(connection, route, STEP_ROWS)
            if removed >= STEP_ROWS:
                break
        return removed


def _over_mails(before: datetime) -> ColumnElement[bool]:
    """Sent or refused mails about ended imports and batches. As long as an import continues, its mails show
    which ones its owner got."""
    alive = imports.c.state.in_(sorted(ALIVE))
    return and_(
        notices.c.state != MailState.PENDING,
        notices.c.created_at < before,
        ~exists().where(imports.c.id == id_in_key(), alive),
        ~exists().where(imports.c.batch_id == id_in_key(), alive),
    )


def _over_batches(before: datetime, now: ColumnElement[datetime] | datetime) -> ColumnElement[bool]:
    """Batches that hold no import that can continue, is held by a process, ended since, or has failed
    messages that another one tries again."""
    has_grants = exists().where(grants.c.import_id == imports.c.id)
    retries = imports.alias("retries")
    held = exists().where(
        leases.c.name == literal("import:", TextType) + imports.c.id,
        leases.c.owner.is_not(None),
        leases.c.expires_at > now,
    )
    needed = or_(
        imports.c.finished_at >= before,
        imports.c.created_at >= before,
        imports.c.grants_kept_until.is_not(None),
        and_(imports.c.state.in_(sorted(ALIVE)), has_grants),
        exists().where(retries.c.retry_of == imports.c.id, retries.c.state.in_(sorted(ALIVE))),
        held,
    )
    return and_(batches.c.created_at < before, ~exists().where(imports.c.submission == batches.c.seq, needed))


def _invalid_tokens(before: datetime) -> ColumnElement[bool]:
    """API tokens that were revoked or expired before."""
    return or_(tokens.c.revoked_at < before, tokens.c.expires_at < before)
