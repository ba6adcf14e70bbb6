"""Finds imports and batches by the beginning of their ids, so that a person need not type whole ids.

Restricted to one owner, ids of other owners are ignored: they make no beginning ambiguous.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from importer.domain.import_filter import ImportFilter
from importer.domain.model import Batch, BatchId, Import, ImportId
from importer.service.deps import Deps

_BEGINNING: Final = re.compile("[a-z0-9]{1,40}")
MAX_CANDIDATES: Final = 6


class Ambiguous(Exception):
    """Several ids begin like that; `ids` holds the first MAX_CANDIDATES of them."""

    def __init__(self, ids: Sequence[str]) -> None:
        super().__init__(f"several ids begin like that: {', '.join(ids)}")
        self.ids = tuple(ids)


def import_beginning(deps: Deps, beginning: str, *, owner: str | None = None) -> Import | None:
    """The import with this id, or the only one whose id begins like that; None if there is none. With
    `owner`, the imports of others do not exist. Raises Ambiguous."""
    found = _imports_beginning(deps, beginning, owner)
    if len(found) > 1:
        raise Ambiguous([import_.id for import_ in found])
    return found[0] if found else None


def import_or_batch_beginning(
    deps: Deps, beginning: str, *, owner: str | None = None
) -> Import | Batch | None:
    """As `import_beginning`, among imports and batches together."""
    found: list[Import | Batch] = [
        *_imports_beginning(deps, beginning, owner),
        *_batches_beginning(deps, beginning, owner),
    ]
    exact = [each for each in found if each.id == beginning]
    if len(found) > 1 and not exact:
        raise Ambiguous([each.id for each in found][:MAX_CANDIDATES])
    return next(iter(exact or found), None)


def batch_beginning(deps: Deps, beginning: str, *, owner: str | None = None) -> Batch | None:
    """As `import_beginning`, among batches."""
    found = _batches_beginning(deps, beginning, owner)
    if len(found) > 1:
        raise Ambiguous([batch.id for batch in found])
    return found[0] if found else None


def _imports_beginning(deps: Deps, beginning: str, owner: str | None) -> Sequence[Import]:
    if not _BEGINNING.fullmatch(beginning):
        return ()
    found = deps.store.imports(ImportFilter(beginning=beginning, owner=owner), limit=MAX_CANDIDATES)
    exact = deps.store.imports(ImportFilter(owner=owner), ids=[ImportId(beginning)], limit=1)
    return exact or found


def _batches_beginning(deps: Deps, beginning: str, owner: str | None) -> Sequence[Batch]:
    if not _BEGINNING.fullmatch(beginning):
        return ()
    exact = deps.store.batch(BatchId(beginning))
    if exact is not None and owner in (None, exact.owner):
        return (exact,)
    return deps.store.batches(MAX_CANDIDATES, beginning=beginning, owner=owner)
