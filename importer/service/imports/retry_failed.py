"""Whether the failed messages of an import can be tried again alone."""

from __future__ import annotations

from importer.domain.import_state import ALIVE
from importer.domain.model import Import, State
from importer.domain.planning.retry_scope import RetryScope
from importer.service.deps import Deps
from providers.text import Text


class RetryRefused(Exception):
    """The failed messages of the import cannot be tried again alone; `text` says why."""

    def __init__(self, text: Text) -> None:
        super().__init__(text)
        self.text = text


def require_failed(deps: Deps, import_: Import) -> None:
    """Raises RetryRefused unless the import came to its end with failed messages."""
    if import_.state in ALIVE:
        raise RetryRefused(Text("retry_under_way"))
    if import_.state is State.UNDONE:
        raise RetryRefused(Text("retry_undone"))
    if import_.state not in (State.COMPLETE, State.INCOMPLETE):
        raise RetryRefused(Text("retry_unfinished"))
    if not has_failed(deps, import_):
        raise RetryRefused(Text("retry_none_failed"))


def has_failed(deps: Deps, import_: Import) -> bool:
    """Whether the import came to its end, and messages of it failed."""
    if import_.state is not State.INCOMPLETE:
        return False
    copies = (copies.receipt for copies in deps.store.copies(import_.route, import_.id))
    return bool(RetryScope.of(deps.store.refusals(import_.id), copies))
