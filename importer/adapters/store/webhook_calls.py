"""Webhook calls: one sender claims each call for a limited time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, or_, select, update

from importer.adapters.store.database import Database, insert_into
from importer.adapters.store.tables import calls
from importer.ports.webhook_calls import CallState, WebhookCall


class SqlWebhookCalls(Database):
    """Implements `importer.ports.webhook_calls.WebhookCalls`."""

    def post_calls(self, calls: Sequence[WebhookCall]) -> None:
        if calls:
            with self.writing() as connection:
                add_calls(connection, calls)

    def due_calls(
        self, now: datetime, limit: int = 50, *, besides: Collection[str] = ()
    ) -> Sequence[WebhookCall]:
        due = select(calls).where(_due(now), calls.c.hook.not_in(besides))
        statement = due.order_by(calls.c.created_at, calls.c.seq).limit(limit)
        with self.reading() as connection:
            return [_call(row) for row in connection.execute(statement)]

    def claim_call(self, key: str, now: datetime, until: datetime) -> bool:
        claimed = update(calls).where(calls.c.key == key, _due(now))
        with self.writing() as connection:
            result = connection.execute(claimed.values(not_before=until, attempts=calls.c.attempts + 1))
            return result.rowcount == 1

    def settle_call(
        self, key: str, state: CallState, *, error: str = "", not_before: datetime | None = None
    ) -> None:
        settled = update(calls).where(calls.c.key == key)
        with self.writing() as connection:
            connection.execute(settled.values(state=state, error=error, not_before=not_before))

    def calls(self) -> Sequence[WebhookCall]:
        statement = select(calls).order_by(calls.c.created_at, calls.c.seq)
        with self.reading() as connection:
            return [_call(row) for row in connection.execute(statement)]


def add_calls(connection: Connection, new: Sequence[WebhookCall]) -> None:
    """Adds the calls with new keys in the order of their keys, as `post_notices` does."""
    if new:
        insertion = insert_into(connection, calls).on_conflict_do_nothing(index_elements=[calls.c.key])
        connection.execute(insertion, [asdict(call) for call in sorted(new, key=lambda call: call.key)])


def _due(now: datetime) -> ColumnElement[bool]:
    retry_due = or_(calls.c.not_before.is_(None), calls.c.not_before <= now)
    return and_(calls.c.state == CallState.PENDING, retry_due)


def _call(row: Row[Any]) -> WebhookCall:
    values = row._asdict()
    del values["seq"]
    return WebhookCall(**values | {"state": CallState(values["state"])})
