"""Web sessions and rate-limit counters, with their expiry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Table, case, delete, insert, select, update

from importer.adapters.store.database import Database, insert_into
from importer.adapters.store.removal import STEP_ROWS, delete_some
from importer.adapters.store.tables import answers, calls, counts, visits
from importer.domain.people.identities import PersonId, WebSession, WebSessionId
from importer.ports.webhook_calls import CALLS_KEPT_FOR


class SqlWebSessions(Database):
    """Implements `importer.ports.web_sessions.WebSessions`."""

    def add_web_session(self, visit: WebSession) -> None:
        with self.writing() as connection:
            connection.execute(insert(visits).values(asdict(visit)))

    def web_session(
        self, visit_id: WebSessionId, now: datetime, used_since: datetime | None = None
    ) -> WebSession | None:
        statement = select(visits).where(visits.c.id == visit_id, visits.c.expires_at > now)
        if used_since is not None:
            statement = statement.where(visits.c.used_at >= used_since)
        with self.reading() as connection:
            row = connection.execute(statement).one_or_none()
            return None if row is None else WebSession(*row)

    def web_sessions(self, now: datetime, person: PersonId | None = None) -> Sequence[WebSession]:
        statement = select(visits).where(visits.c.expires_at > now).order_by(visits.c.used_at.desc())
        if person is not None:
            statement = statement.where(visits.c.person == person)
        with self.reading() as connection:
            return [WebSession(*row) for row in connection.execute(statement)]

    def touch_web_session(self, visit_id: WebSessionId, now: datetime) -> None:
        with self.writing() as connection:
            connection.execute(update(visits).where(visits.c.id == visit_id).values(used_at=now))

    def replace_web_session(self, visit_id: WebSessionId, renewed: WebSession) -> bool:
        with self.writing() as connection:
            if connection.execute(delete(visits).where(visits.c.id == visit_id)).rowcount != 1:
                return False
            connection.execute(insert(visits).values(asdict(renewed)))
            return True

    def save_web_session(self, visit_id: WebSessionId, sealed: bytes, before: bytes) -> bool:
        unchanged = update(visits).where(visits.c.id == visit_id, visits.c.sealed == before)
        with self.writing() as connection:
            return connection.execute(unchanged.values(sealed=sealed)).rowcount == 1

    def end_web_session(self, visit_id: WebSessionId) -> None:
        with self.writing() as connection:
            connection.execute(delete(visits).where(visits.c.id == visit_id))

    def count(self, key: str, now: datetime, span: timedelta) -> int:
        expired = counts.c.expires_at <= now
        with self.writing() as connection:
            insertion = insert_into(connection, counts).values(key=key, number=1, expires_at=now + span)
            counted = insertion.on_conflict_do_update(
                index_elements=[counts.c.key],
                set_={
                    "number": case((expired, 1), else_=counts.c.number + 1),
                    "expires_at": case((expired, insertion.excluded.expires_at), else_=counts.c.expires_at),
                },
            ).returning(counts.c.number)
            number: int = connection.execute(counted).scalar_one()
            return number

    def uncount(self, key: str) -> None:
        decremented = update(counts).where(counts.c.key == key, counts.c.number > 0)
        with self.writing() as connection:
            connection.execute(decremented.values(number=counts.c.number - 1))

    def sweep(self, now: datetime) -> None:
        expired: list[tuple[Table, ColumnElement[bool]]] = [
            (table, table.c.expires_at <= now) for table in (visits, counts, answers)
        ]
        for table, condition in [*expired, (calls, calls.c.created_at <= now - CALLS_KEPT_FOR)]:
            with self.writing() as connection:
                delete_some(connection, table, condition, STEP_ROWS)
