"""The outbox: exactly one sender claims each mail."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, func, literal, or_, select, update

from importer.adapters.store import mapping
from importer.adapters.store.columns import ExactText
from importer.adapters.store.database import Database, insert_into
from importer.adapters.store.tables import notices
from importer.ports.notices import MailState, Notice


class SqlOutbox(Database):
    """Implements `importer.ports.notices.Outbox`."""

    def post(self, notices: Sequence[Notice]) -> None:
        with self.writing() as connection:
            post_notices(connection, notices)

    def due_notices(self, now: datetime, limit: int = 50) -> Sequence[Notice]:
        due = (
            select(notices)
            .where(
                notices.c.state == MailState.PENDING,
                or_(notices.c.not_before.is_(None), notices.c.not_before <= now),
            )
            .order_by(notices.c.created_at, notices.c.seq)
            .limit(limit)
        )
        with self.reading() as connection:
            return [mapping.notice(row) for row in connection.execute(due)]

    def claim_notice(self, key: str) -> bool:
        claimed = (
            update(notices)
            .where(notices.c.key == key, notices.c.state == MailState.PENDING)
            .values(state=MailState.SENDING)
        )
        with self.writing() as connection:
            return connection.execute(claimed).rowcount == 1

    def settle_notice(
        self, key: str, state: MailState, *, error: str = "", not_before: datetime | None = None
    ) -> None:
        """Does nothing unless the notice is SENDING."""
        settled = (
            update(notices)
            .where(notices.c.key == key, notices.c.state == MailState.SENDING)
            .values(
                state=state,
                attempts=notices.c.attempts + int(state is MailState.PENDING),
                error=error,
                not_before=not_before,
            )
        )
        with self.writing() as connection:
            connection.execute(settled)

    def notices(self, *key_prefixes: str) -> Sequence[Notice]:
        statement = select(notices).order_by(notices.c.created_at, notices.c.seq)
        if key_prefixes:
            statement = statement.where(or_(*map(_begins_with, key_prefixes)))
        with self.reading() as connection:
            return [mapping.notice(row) for row in connection.execute(statement)]

    def unsent(self) -> Sequence[Notice]:
        statement = select(notices).where(notices.c.state != MailState.SENT)
        with self.reading() as connection:
            rows = connection.execute(statement.order_by(notices.c.created_at, notices.c.seq))
            return [mapping.notice(row) for row in rows]


def _begins_with(key_prefix: str) -> ColumnElement[bool]:
    prefix = literal(key_prefix, ExactText)  # not LIKE, which ignores case on SQLite
    return func.substr(notices.c.key, 1, func.length(prefix)) == prefix


def post_notices(connection: Connection, new: Sequence[Notice]) -> None:
    """Adds the notices with new keys, in the order of their keys, so that concurrent transactions with the
    same keys cannot deadlock."""
    if new:
        ordered = sorted(new, key=lambda n: n.key)
        insertion = insert_into(connection, notices).on_conflict_do_nothing(index_elements=[notices.c.key])
        connection.execute(insertion, [mapping.notice_values(n) for n in ordered])
