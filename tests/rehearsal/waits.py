"""Skips the waiting times of imports by moving their times in the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, select, update

from importer.adapters.store import SqlStore, open_engine
from importer.adapters.store.columns import Instant
from importer.adapters.store.tables import imports, leases
from importer.domain.import_state import ENDED
from importer.domain.model import Import, ImportId, State
from tests.rehearsal.installation import Installation
from tests.rehearsal.ports import wait_until

_INSTANTS = [column for column in imports.c if isinstance(column.type, Instant)]
_LOOKS = select(leases.c.fence).where(leases.c.name == "tick")


def standing(import_: Import) -> tuple[State, str]:
    """The state of an import, and the code of the reason why it waits or stopped; "" without one."""
    return import_.state, import_.problem.text.code if import_.problem else ""


def at_rest(installation: Installation, id_: str) -> Import:
    """The import once it has ended, or waits for a time that has not come. Raises AssertionError if it
    takes too long."""
    with _engine(installation) as engine:
        store = SqlStore(engine)

        def found() -> Import:
            import_ = store.import_(ImportId(id_))
            assert import_ is not None
            return import_

        def rests() -> bool:
            import_ = found()
            until = import_.not_before if import_.state is State.WAITING else None
            return import_.state in ENDED or (until is not None and until > datetime.now(UTC))

        assert wait_until(rests, every_s=0.05), f"{found()}\n{installation.log()}"
        return found()


def later(installation: Installation, id_: str, time: timedelta) -> Import:
    """A waiting import after `time` has passed: all of its times are moved back by that much.

    First, a worker looks for due imports: it rings for an import again only if it found the import not due in
    between.
    """
    with _engine(installation) as engine:

        def looks() -> int:
            with engine.connect() as connection:
                return connection.scalar(_LOOKS) or 0

        before = looks()
        assert wait_until(lambda: looks() >= before + 2, every_s=0.05)
        with engine.connect() as connection:
            row = connection.execute(select(*_INSTANTS).where(imports.c.id == id_)).mappings().one()
        earlier = {name: at - time for name, at in row.items() if at is not None}
        with engine.begin() as connection:
            connection.execute(update(imports).where(imports.c.id == id_).values(earlier))
    return at_rest(installation, id_)


@contextmanager
def _engine(installation: Installation) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{installation.data / 'mailhaul.db'}")
    try:
        yield engine
    finally:
        engine.dispose()
