"""Pause, resume, retry or cancel all imports that a filter selects, or try their failed messages again.

First a selection, which is shown with its number; then exactly its imports are changed, one by one, each as
`control` does it alone: an import that has ended meanwhile is reported as ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from importer.domain.audit_event import AuditAction, AuditActor, AuditOutcome
from importer.domain.bulk_action import BulkAction
from importer.domain.import_filter import ImportFilter
from importer.domain.import_state import ALIVE, GOING
from importer.domain.model import ControlRequest, Import, ImportId, State
from importer.domain.people.actor import Actor
from importer.service.access.audit import record_import_event
from importer.service.deps import Deps
from importer.service.imports import control
from importer.service.imports.control import Changed, Effect
from importer.service.imports.retry_failed import retry_failed
from providers.frozen import frozen

NO_ACTOR: Final = Actor()
PAGE: Final = 1000
EXAMPLES: Final = 5
MAX_CHANGED: Final = 250
"""Imports that one request of a front end changes: each takes a few transactions."""


_STOPPED: Final = frozenset({State.STOPPED, State.FAILED})
_STATES: Final[Mapping[BulkAction, frozenset[State]]] = {
    BulkAction.PAUSE: GOING,
    BulkAction.RESUME: frozenset({State.PAUSED}) | GOING,
    BulkAction.RETRY: frozenset({State.WAITING}) | _STOPPED,
    BulkAction.RETRY_FAILED: frozenset({State.INCOMPLETE}),
    BulkAction.CANCEL: ALIVE | _STOPPED,
}
_CONTROLS: Final[Mapping[BulkAction, Callable[[Deps, ImportId], Changed]]] = {
    BulkAction.PAUSE: control.pause,
    BulkAction.RESUME: control.resume,
    BulkAction.RETRY: control.resume,
    BulkAction.CANCEL: control.cancel,
}
AUDIT_ACTIONS: Final[Mapping[BulkAction, AuditAction]] = {
    BulkAction.PAUSE: AuditAction.IMPORT_PAUSE,
    BulkAction.RESUME: AuditAction.IMPORT_RESUME,
    BulkAction.RETRY: AuditAction.IMPORT_RESUME,
    BulkAction.RETRY_FAILED: AuditAction.IMPORT_START,
    BulkAction.CANCEL: AuditAction.IMPORT_CANCEL,
}


@frozen
class Selection:
    """The imports that an action changes, newest first; `examples` are the first EXAMPLES of them."""

    action: BulkAction
    ids: tuple[ImportId, ...]
    examples: tuple[Import, ...]


def select(
    deps: Deps,
    action: BulkAction,
    chosen: ImportFilter,
    limit: int | None = None,
    *,
    after: ImportId | None = None,
) -> Selection:
    """The chosen imports that the action can change now; at most `limit`, which follow `after`."""
    states = _STATES[action] & set(chosen.states or State)
    if not states:
        return Selection(action, (), ())
    narrowed = replace(chosen, states=tuple(sorted(states)))
    ids: list[ImportId] = []
    examples: list[Import] = []
    for import_ in _pages(deps, narrowed, after):
        if _can_change(action, import_):
            ids.append(import_.id)
            examples += [import_] * (len(examples) < EXAMPLES)
            if len(ids) == limit:
                break
    return Selection(action, tuple(ids), tuple(examples))


def selection_of(action: BulkAction, imports: Sequence[Import]) -> Selection:
    """The selection of these imports, whatever their state."""
    return Selection(action, tuple(import_.id for import_ in imports), tuple(imports[:EXAMPLES]))


def carry_out(
    deps: Deps, action: BulkAction, ids: tuple[ImportId, ...], actor: Actor = NO_ACTOR
) -> Iterator[Changed]:
    """Change these imports, one at each step of the iteration. Unknown ones are left out. A retry of failed
    messages opens mailboxes with the rights of `actor`."""
    change = _CONTROLS.get(action) or (lambda deps, id_: retry_failed(deps, actor, id_))
    for id_ in ids:
        try:
            yield change(deps, id_)
        except LookupError:
            continue


def record_change(deps: Deps, actor: AuditActor, action: BulkAction, changed: Changed) -> None:
    """Add the event of one change of a bulk action, however many there are."""
    done = changed.effect in (Effect.DONE, Effect.SOON)
    outcome = AuditOutcome.DONE if done else AuditOutcome.REFUSED
    record_import_event(
        deps,
        AUDIT_ACTIONS[action],
        outcome,
        actor,
        changed.import_.id,
        detail=changed.text,
        limited=False,
    )


def possible(action: BulkAction, imports: Sequence[Import]) -> list[Import]:
    """The imports that the action can change now."""
    return [each for each in imports if each.state in _STATES[action] and _can_change(action, each)]


def _pages(deps: Deps, chosen: ImportFilter, after: ImportId | None) -> Iterator[Import]:
    while page := deps.store.imports(chosen, after=after, limit=PAGE):
        yield from page
        after = page[-1].id


def _can_change(action: BulkAction, import_: Import) -> bool:
    """Whether the request would change anything, judging by the import alone."""
    if import_.state in _STOPPED:
        return import_.grants_kept_until is not None
    match action:
        case BulkAction.PAUSE:
            return import_.requested is None
        case BulkAction.RESUME:
            return import_.requested is ControlRequest.PAUSE or import_.state is State.PAUSED
        case BulkAction.RETRY_FAILED:
            return import_.successor is None
        case BulkAction.RETRY | BulkAction.CANCEL:
            return import_.requested is not ControlRequest.CANCEL
