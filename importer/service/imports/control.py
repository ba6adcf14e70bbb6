"""Control a running import: pause, resume, cancel, retry now.

A request is recorded in the store and applied under the lease of the import: immediately if no worker holds
the lease, else by that worker after its current batch. Requests are idempotent.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum
from typing import Final

import structlog

from importer.domain import import_state
from importer.domain.model import ControlRequest, Import, ImportId, Problem, State
from importer.ports.leases import Lease
from importer.ports.store import RouteUnderWay
from importer.service.deps import Deps
from importer.service.imports.finish import finish
from importer.service.imports.reopen import ImportHeld, erase_kept_grants, reopen
from providers.frozen import frozen
from providers.text import Text

MAX_PAUSE: Final = timedelta(days=14)
"""How long the passwords of a paused import are kept; then it is cancelled."""


log = structlog.get_logger()


class Effect(StrEnum):
    """The effect of a control request."""

    DONE = "done"  # applied
    SOON = "soon"  # a worker applies it after its current batch
    TOO_LATE = "too late"  # the import had already ended
    NOT_POSSIBLE = "not possible"


@frozen
class Changed:
    """The import after a request, the effect of the request, and the effect as a text for the user."""

    import_: Import
    effect: Effect
    text: Text


def pause(deps: Deps, import_id: ImportId) -> Changed:
    """Stop copying until `resume`. Raises LookupError for an unknown import."""
    return _logged("pause", _pause(deps, import_id))


def _pause(deps: Deps, import_id: ImportId) -> Changed:
    before = _known(deps, import_id)
    if before.state in import_state.ALIVE and deps.store.grants(import_id) is None:
        return Changed(before, Effect.NOT_POSSIBLE, _IN_THE_FOREGROUND)
    after = _request(deps, import_id, ControlRequest.PAUSE)
    if after.state in import_state.ENDED:
        return Changed(after, Effect.TOO_LATE, Text("control_ended"))
    if after.requested is ControlRequest.CANCEL:
        return Changed(after, Effect.NOT_POSSIBLE, _BEING_CANCELLED)
    if after.state is State.PAUSED:
        return Changed(after, Effect.DONE, Text("control_paused"))
    return Changed(after, Effect.SOON, Text("control_pauses"))


def resume(deps: Deps, import_id: ImportId) -> Changed:
    """Continue a paused import; take back a pause that is not in effect yet; retry a waiting one now, or one
    that was stopped, while its passwords are kept.

    Raises LookupError for an unknown import.
    """
    return _logged("resume", _resume(deps, import_id))


def _resume(deps: Deps, import_id: ImportId) -> Changed:
    before = _known(deps, import_id)
    if before.state in import_state.ENDED:
        return _reopen(deps, before)
    if before.requested is ControlRequest.CANCEL:
        return Changed(before, Effect.NOT_POSSIBLE, _BEING_CANCELLED)
    after = _request(deps, import_id, None, _hurry)
    if after.state in import_state.ENDED:
        return _reopen(deps, after)
    deps.queue.ring(import_id)
    if after.state is State.PAUSED:
        return Changed(after, Effect.SOON, Text("control_resumes"))
    if before.requested is ControlRequest.PAUSE and before.state is not State.PAUSED:
        return Changed(after, Effect.DONE, Text("control_taken_back"))
    return Changed(after, Effect.DONE, Text("control_resumed"))


def cancel(deps: Deps, import_id: ImportId) -> Changed:
    """End the import permanently: its passwords are erased, copied messages stay and can be undone. Of an
    import that was stopped, erase the passwords that are kept.

    Raises LookupError for an unknown import.
    """
    return _logged("cancel", _cancel(deps, import_id))


def _cancel(deps: Deps, import_id: ImportId) -> Changed:
    before = _known(deps, import_id)
    if erase_kept_grants(deps, before):
        return Changed(_known(deps, import_id), Effect.DONE, Text("control_passwords_erased"))
    before = _known(deps, import_id)  # another operator may have reopened it meanwhile
    if before.state in import_state.ENDED and before.state is not State.CANCELLED:
        return Changed(before, Effect.TOO_LATE, Text("control_ended"))
    after = _request(deps, import_id, ControlRequest.CANCEL)
    if after.state is State.CANCELLED:
        return Changed(after, Effect.DONE, Text("control_cancelled"))
    if after.state in import_state.ENDED:
        return Changed(after, Effect.TOO_LATE, Text("control_ended"))
    return Changed(after, Effect.SOON, Text("control_ends"))


def apply_request(deps: Deps, import_: Import, lease: Lease) -> Import:
    """Apply the pending request under the import's lease and return the changed import. Raises LeaseLost."""
    if import_.state in import_state.ENDED:
        return import_
    now = deps.clock.now()
    match import_.requested:
        case ControlRequest.CANCEL:
            return finish(deps, import_, State.CANCELLED, lease)
        case ControlRequest.PAUSE if import_.state is not State.PAUSED:
            after = import_state.paused(import_, now, now + MAX_PAUSE)
        case ControlRequest.PAUSE if import_.not_before is not None and import_.not_before <= now:
            return finish(deps, import_, State.CANCELLED, lease, _FORGOTTEN)
        case None if import_.state is State.PAUSED:
            after = import_state.resumed(import_)
        case _:
            return import_
    deps.store.update_import(after, lease)
    return after


def _logged(request: str, changed: Changed) -> Changed:
    log.info("control.requested", import_id=changed.import_.id, request=request, effect=changed.effect.value)
    return changed


def _reopen(deps: Deps, before: Import) -> Changed:
    try:
        after = reopen(deps, before)
    except RouteUnderWay:
        return Changed(before, Effect.NOT_POSSIBLE, Text("control_other_under_way"))
    except ImportHeld:
        return Changed(before, Effect.NOT_POSSIBLE, Text("control_held"))
    if after is None:
        after = _known(deps, before.id)  # another operator may have been faster
    if after.state in import_state.ENDED:
        return Changed(after, Effect.TOO_LATE, Text("control_ended.run_again"))
    return Changed(after, Effect.DONE, Text("control_reopened"))


def _request(
    deps: Deps,
    import_id: ImportId,
    request: ControlRequest | None,
    then: Callable[[Import], Import] = lambda i: i,
) -> Import:
    """Record the request; apply it, and then `then`, if no worker holds the lease. Return the import."""
    recorded = deps.store.request_control(import_id, request)
    if recorded is None:
        raise _unknown(import_id)
    lease = deps.store.acquire(f"import:{import_id}", deps.lease_owner, deps.deadlines.lease)
    if lease is None:
        return recorded
    try:
        applied = apply_request(deps, _known(deps, import_id), lease)
        after = then(applied)
        if after != applied:
            deps.store.update_import(after, lease)
        return after
    finally:
        deps.store.release(lease)


def _hurry(import_: Import) -> Import:
    return import_state.hurried(import_) if import_.state is State.WAITING else import_


def _known(deps: Deps, import_id: ImportId) -> Import:
    import_ = deps.store.import_(import_id)
    if import_ is None:
        raise _unknown(import_id)
    return import_


def _unknown(import_id: ImportId) -> LookupError:
    return LookupError(f"there is no import {import_id}")


_FORGOTTEN: Final = Problem(Text("pause_forgotten"))
_IN_THE_FOREGROUND: Final = Text("control_foreground")
_BEING_CANCELLED: Final = Text("control_cancelling")
