"""Tells which imports ended so recently that copies which no recount has seen may still appear."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from importer.domain.model import ImportId
from importer.domain.planning.retry_limits import MAY_APPEAR_FOR
from importer.service.deps import Deps


def sent_lately(deps: Deps) -> Callable[[ImportId], bool]:
    """Return a function that tells whether an import ended within MAY_APPEAR_FOR; of one that has not ended,
    whether it began within that time. It asks the store once for each import."""

    @cache
    def lately(import_id: ImportId) -> bool:
        import_ = deps.store.import_(import_id)
        if import_ is None:
            return False
        last = import_.finished_at or import_.started_at or import_.created_at
        return deps.clock.now() - last < MAY_APPEAR_FOR

    return lately
