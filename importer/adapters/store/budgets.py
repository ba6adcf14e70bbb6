"""Budgets that all workers share: connection slots, bytes per hour, back-off periods of hosts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, delete, func, select, update

from importer.adapters.store.database import Database, insert_into
from importer.adapters.store.former_texts import stored_problem
from importer.adapters.store.tables import backoffs, meters, slots
from importer.domain.planning.host_allowance import DAY, HOUR, Backoff, HourlyBytes, hour_of
from importer.ports.monitoring import MAINTENANCE


class _NoSlotFree(Exception):
    """Rolls the transaction back: a holder gets all slots or none."""


_LONGEST_BACKOFF: Final = (  # built once: every leg asks it
    select(backoffs)
    .where(backoffs.c.name.in_(bindparam("of_names", expanding=True)), backoffs.c.until > bindparam("now"))
    .order_by(backoffs.c.until.desc())
    .limit(1)
)


class SqlBudgets(Database):
    """Implements `importer.ports.budgets.Budgets`."""

    def acquire_slots(
        self, holder: str, wanted: Sequence[tuple[str, int]], now: datetime, ttl: timedelta
    ) -> bool:
        try:
            with self.writing() as connection:
                # All processes lock names in the same order and numbers upwards, which avoids deadlocks.
                for name, limit in sorted(wanted):
                    _take(connection, name, limit, holder, now, now + ttl)
        except _NoSlotFree:
            return False
        return True

    def renew_slots(self, holder: str, now: datetime, ttl: timedelta) -> None:
        with self.writing() as connection:
            connection.execute(update(slots).where(slots.c.holder == holder).values(expires_at=now + ttl))

    def release_slots(self, holder: str) -> None:
        with self.writing() as connection:
            connection.execute(delete(slots).where(slots.c.holder == holder))

    def count_bytes(self, name: str, now: datetime, size_bytes: int) -> None:
        with self.writing() as connection:
            insertion = insert_into(connection, meters).values(
                name=name, hour=hour_of(now), size_bytes=size_bytes
            )
            connection.execute(
                insertion.on_conflict_do_update(
                    index_elements=[meters.c.name, meters.c.hour],
                    set_={"size_bytes": meters.c.size_bytes + insertion.excluded.size_bytes},
                )
            )
            connection.execute(delete(meters).where(meters.c.name == name, meters.c.hour <= now - DAY - HOUR))

    def counted_bytes(self, name: str, now: datetime) -> Sequence[HourlyBytes]:
        statement = select(meters).where(meters.c.name == name, meters.c.hour > now - DAY - HOUR)
        with self.reading() as connection:
            rows = connection.execute(statement.order_by(meters.c.hour))
            return [HourlyBytes(row.hour, row.size_bytes) for row in rows]

    def back_off(self, backoff: Backoff) -> None:
        values = {
            "until": backoff.until,
            "code": backoff.text.public_code,
            "message": "",
            "text": backoff.text,
            "server_text": backoff.server_text,
        }
        with self.writing() as connection:
            insertion = insert_into(connection, backoffs).values(name=backoff.name, **values)
            connection.execute(
                insertion.on_conflict_do_update(
                    index_elements=[backoffs.c.name],
                    set_={name: insertion.excluded[name] for name in values},
                    where=backoffs.c.until < insertion.excluded.until,
                )
            )

    def backoff(self, names: Sequence[str], now: datetime) -> Backoff | None:
        with self.reading() as connection:
            row = connection.execute(_LONGEST_BACKOFF, {"of_names": names, "now": now}).one_or_none()
            return None if row is None else _backoff(row)

    def used_slots(self, now: datetime) -> Mapping[str, int]:
        held = select(slots.c.name, func.count()).where(slots.c.expires_at > now).group_by(slots.c.name)
        with self.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(held)}

    def used_bytes(self, now: datetime) -> Mapping[str, int]:
        used = select(meters.c.name, func.sum(meters.c.size_bytes)).where(meters.c.hour > now - DAY - HOUR)
        with self.reading() as connection:
            return {row[0]: int(row[1]) for row in connection.execute(used.group_by(meters.c.name))}

    def clear_backoffs(self, names: Sequence[str]) -> None:
        with self.writing() as connection:
            connection.execute(delete(backoffs).where(backoffs.c.name.in_(names)))

    def backoffs(self, now: datetime) -> Sequence[Backoff]:
        in_force = (backoffs.c.until > now, backoffs.c.name != MAINTENANCE)
        statement = select(backoffs).where(*in_force).order_by(backoffs.c.name)
        with self.reading() as connection:
            return [_backoff(row) for row in connection.execute(statement)]


def _backoff(row: Row[Any]) -> Backoff:
    text = row.text or stored_problem(row.code, row.message, "")
    return Backoff(row.name, row.until, text, row.server_text)


def _take(
    connection: Connection, name: str, limit: int, holder: str, now: datetime, expires_at: datetime
) -> None:
    held = select(slots.c.number).where(slots.c.name == name, slots.c.expires_at > now)
    taken = set(connection.execute(held).scalars())
    for number in range(limit):
        if number not in taken:
            insertion = insert_into(connection, slots).values(
                name=name, number=number, holder=holder, expires_at=expires_at
            )
            claimed = insertion.on_conflict_do_update(
                index_elements=[slots.c.name, slots.c.number],
                set_={"holder": insertion.excluded.holder, "expires_at": insertion.excluded.expires_at},
                where=slots.c.expires_at <= now,  # another process may have taken it since
            ).returning(slots.c.number)
            if connection.execute(claimed).scalar() is not None:
                return
    raise _NoSlotFree
