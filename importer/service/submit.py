"""Taking orders: rows become a batch of imports; what is done or under way is not started again."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from importer.domain.model import Batch, BatchId, Import, ImportId, State
from importer.domain.rows import Row
from importer.domain.state import ALIVE
from importer.ports import RouteUnderWay, SealedGrants
from importer.service.deps import Deps


class Fate(StrEnum):
    """What became of one row."""

    STARTED = "started"
    DONE = "done"  # complete already, with the same passwords
    UNDER_WAY = "under way"  # an earlier submission of it has not ended
    PASSWORD_UPDATED = "password updated"  # noqa: S105 - under way, goes on with the new password


@dataclass(frozen=True, slots=True)
class Placed:
    """One row and the import that it stands for, new or earlier."""

    row: Row
    import_: Import
    fate: Fate


@dataclass(frozen=True, slots=True)
class Submission:
    """`batch` holds the started imports; it is None when there was nothing to start."""

    batch: Batch | None
    placed: tuple[Placed, ...]

    @property
    def started(self) -> tuple[Import, ...]:
        return tuple(p.import_ for p in self.placed if p.fate is Fate.STARTED)


def submit(
    deps: Deps, rows: Sequence[Row], *, name: str = "", submitter: str = "", again: bool = False
) -> Submission:
    """Stores a batch of imports and rings for each.

    A row is started when its route is new, or its last import did not end complete, or a password is
    another than then; with `again`, also when all is as it was (to fetch what is new). Validated rows only.
    """
    batch_id = BatchId(new_id())
    placed = [_place(deps, row, batch_id, submitter, again=again) for row in rows]
    while starting := [p for p in placed if p.fate is Fate.STARTED]:
        batch = Batch(batch_id, deps.clock.now(), name, submitter, tuple(p.import_.id for p in starting))
        try:
            deps.store.add_batch(batch, [(p.import_, sealed(deps, p.import_.id, p.row)) for p in starting])
        except RouteUnderWay:  # somebody submitted one of them a moment ago: look at them again
            placed = [
                _place(deps, p.row, batch_id, submitter, again=again) if p.fate is Fate.STARTED else p
                for p in placed
            ]
        else:
            for p in starting:
                deps.queue.ring(p.import_.id)
            return Submission(batch, tuple(placed))
    return Submission(None, tuple(placed))


def sealed(deps: Deps, import_id: ImportId, row: Row) -> SealedGrants:
    """Both passwords of a row, sealed for that import."""
    return SealedGrants(
        deps.vault.seal(row.source_password, source_context(import_id)),
        deps.vault.seal(row.destination_password, destination_context(import_id)),
    )


def source_context(import_id: ImportId) -> str:
    """What the source password is sealed for."""
    return f"{import_id}:source"


def destination_context(import_id: ImportId) -> str:
    """What the destination password is sealed for."""
    return f"{import_id}:destination"


def new_id() -> str:
    """Twelve letters and digits that nobody can guess (60 bits), easy to read out."""
    return "".join(secrets.choice("abcdefghjkmnpqrstuvwxyz23456789") for _ in range(12))


def new_import(deps: Deps, row: Row, batch_id: BatchId, submitter: str) -> Import:
    """A queued import of that row."""
    return Import(
        id=ImportId(new_id()),
        source=row.source,
        destination=row.destination,
        created_at=deps.clock.now(),
        batch_id=batch_id,
        row=row.line,
        submitter=submitter,
        password_mark=deps.vault.mark(row.source_password, row.destination_password),
    )


def _place(deps: Deps, row: Row, batch_id: BatchId, submitter: str, *, again: bool) -> Placed:
    fresh = new_import(deps, row, batch_id, submitter)
    latest = deps.store.latest_import(fresh.route)
    if latest is None:
        return Placed(row, fresh, Fate.STARTED)
    same_passwords = latest.password_mark == fresh.password_mark
    if latest.state in ALIVE and deps.store.grants(latest.id) is not None:
        if same_passwords:
            return Placed(row, latest, Fate.UNDER_WAY)
        if deps.store.replace_grants(latest.id, sealed(deps, latest.id, row), fresh.password_mark):
            deps.queue.ring(latest.id)
            return Placed(row, latest, Fate.PASSWORD_UPDATED)
        return _place(deps, row, batch_id, submitter, again=again)  # it ended just now
    if latest.state is State.COMPLETE and same_passwords and not again:
        return Placed(row, latest, Fate.DONE)
    return Placed(row, fresh, Fate.STARTED)
