"""Looking at batches and imports as their owner. Every front end that serves more than one person reads
through here: what belongs to another person is not there, in the same way as what does not exist."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from importer.domain.model import Batch, BatchId, Import, ImportId
from importer.domain.people.identities import PersonId
from importer.service.deps import Deps
from importer.service.queries import list_batches

_ID: Final = re.compile("[a-z0-9]{1,40}")
"""Whatever somebody writes into an address of ours: nothing else is looked up."""


def batches_of(deps: Deps, person: PersonId, limit: int = 50) -> Sequence[tuple[Batch, Sequence[Import]]]:
    """That person's batches with their imports, newest first."""
    return list_batches(deps, owner=_known(person), limit=limit)


def batch_of(deps: Deps, person: PersonId, batch_id: BatchId) -> tuple[Batch, Sequence[Import]] | None:
    """None when there is no such batch, or it is somebody else's."""
    batch = deps.store.batch(batch_id) if _ID.fullmatch(batch_id) else None
    if batch is None or batch.owner != _known(person):
        return None
    return batch, deps.store.imports(batch_id=batch_id, limit=len(batch.imports))


def import_of(deps: Deps, person: PersonId, import_id: ImportId) -> Import | None:
    """None when there is no such import, or it is somebody else's."""
    import_ = deps.store.import_(import_id) if _ID.fullmatch(import_id) else None
    if import_ is None or import_.batch_id is None:
        return None
    return import_ if batch_of(deps, person, import_.batch_id) else None


def _known(person: PersonId) -> str:
    """The console's own batches have no owner, and nobody at a front end may pass for it."""
    if not person:
        raise ValueError("nobody owns nothing")
    return person
