"""Tells which imports ended so recently that copies which no recount has seen may still appear."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from importer.domain.model import ImportId
from importer.domain.planning.retry_limits import MAY_APPEAR_FOR
from importer.service.deps import Deps


def sent_lately(deps: Deps) -> Callable[[ImportId], bool]:
    """Return a function that tells whether an import may have sent messages within MAY_APPEAR_FOR: until its
    end, or until it was held up. It asks the store once for each import."""

    @cache
    def lately(import_id: ImportId) -> bool:
        import_ = deps.store.import_(import_id)
        if import_ is None:
            return False
        last = import_.finished_at or import_.held_up_since
        return last is None or deps.clock.now() - last < MAY_APPEAR_FOR

    return lately
