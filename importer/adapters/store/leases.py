"""Leases. Each method is a single statement, so two processes cannot both succeed."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import ColumnElement, and_, or_, select, update

from importer.adapters.store.database import Database, database_now, insert_into
from importer.adapters.store.tables import leases
from importer.ports.leases import Lease


class SqlLeases(Database):
    """Implements `importer.ports.leases.Leases`. Released rows remain, so that `fence` never decreases."""

    def acquire(self, name: str, owner: str, ttl: timedelta) -> Lease | None:
        with self.writing() as connection:
            now = database_now(connection)
            insertion = insert_into(connection, leases).values(
                name=name, owner=owner, fence=1, expires_at=now + ttl
            )
            acquired = insertion.on_conflict_do_update(
                index_elements=[leases.c.name],
                set_={
                    "owner": insertion.excluded.owner,
                    "fence": leases.c.fence + 1,
                    "expires_at": insertion.excluded.expires_at,
                },
                where=or_(leases.c.owner.is_(None), leases.c.expires_at <= now),
            ).returning(leases.c.fence)
            fence: int | None = connection.execute(acquired).scalar()
            return None if fence is None else Lease(name, owner, fence)

    def renew(self, lease: Lease, ttl: timedelta) -> bool:
        with self.writing() as connection:
            expires_at = database_now(connection) + ttl
            renewed = update(leases).where(_is(lease)).values(expires_at=expires_at)
            return connection.execute(renewed).rowcount == 1

    def holder(self, name: str) -> str | None:
        with self.reading() as connection:
            unexpired = leases.c.expires_at > database_now(connection)
            statement = select(leases.c.owner).where(leases.c.name == name, unexpired)
            owner: str | None = connection.execute(statement).scalar()
            return owner

    def release(self, lease: Lease) -> None:
        with self.writing() as connection:
            connection.execute(update(leases).where(_is(lease)).values(owner=None))


def _is(lease: Lease) -> ColumnElement[bool]:
    return and_(leases.c.name == lease.name, leases.c.owner == lease.owner, leases.c.fence == lease.fence)
