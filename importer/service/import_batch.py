"""The batch that an import belongs to."""

from __future__ import annotations

from importer.domain.model import Batch, Import
from importer.service.deps import Deps


def batch_of_import(deps: Deps, import_: Import) -> Batch | None:
    """None if it belongs to none, or to one that the store no longer has."""
    return deps.store.batch(import_.batch_id) if import_.batch_id is not None else None
