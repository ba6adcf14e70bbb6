"""Read batches and imports as their owner.

Every front end that serves more than one person reads through this module: objects of other people are
treated as nonexistent.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from importer.domain.import_filter import ImportFilter
from importer.domain.model import Batch, BatchId, Import, ImportId
from importer.domain.people.identities import PersonId
from importer.service.deps import Deps
from importer.service.queries import list_batches

_ID: Final = re.compile("[a-z0-9]{1,40}")
"""The form of ids; URL parameters of any other form are not looked up."""


def batches_of(deps: Deps, person: PersonId, limit: int = 50) -> Sequence[tuple[Batch, Sequence[Import]]]:
    """The person's batches with their imports, newest first."""
    return list_batches(deps, owner=_known_person(person), limit=limit)


def batch_of(deps: Deps, person: PersonId, batch_id: BatchId) -> tuple[Batch, Sequence[Import]] | None:
    """None if there is no such batch or it belongs to another person."""
    batch = deps.store.batch(batch_id) if _ID.fullmatch(batch_id) else None
    if batch is None or batch.owner != _known_person(person):
        return None
    return batch, deps.store.imports(ImportFilter(batch_id=batch_id), limit=len(batch.imports))


def import_of(deps: Deps, person: PersonId, import_id: ImportId) -> Import | None:
    """None if there is no such import or it belongs to another person."""
    import_ = deps.store.import_(import_id) if _ID.fullmatch(import_id) else None
    if import_ is None or import_.batch_id is None:
        return None
    return import_ if batch_of(deps, person, import_.batch_id) else None


def _known_person(person: PersonId) -> str:
    """Reject the empty id: batches of the console have no owner and must not be visible to front-end
    users."""
    if not person:
        raise ValueError("a person id must not be empty")
    return person
