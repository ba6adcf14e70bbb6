"""What a person can do with an import that is under way: pause, resume, cancel, try again now.

A wish is noted in the store by whoever has it, and done under the lease of the import: at once when
nobody works on it, else by the worker that does, after the batch in hand. Wishes are safe to repeat.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from importer.domain import import_state
from importer.domain.model import ControlRequest, Import, ImportId, Problem, State
from importer.ports.leases import Lease
from importer.service.deps import Deps
from importer.service.imports.finish import finish

MAX_PAUSE: Final = timedelta(days=14)
"""Passwords are not kept for longer than that for an import that somebody paused and forgot."""


class Effect(StrEnum):
    """What came of a wish."""

    DONE = "done"  # it is so now
    SOON = "soon"  # a worker has it in hand, and does it after its batch
    TOO_LATE = "too late"  # it had ended before
    NOT_POSSIBLE = "not possible"


@dataclass(frozen=True, slots=True)
class Changed:
    """The import after a request, what came of the request, and that as a sentence for the person who had
    it."""

    import_: Import
    effect: Effect
    message: str


def pause(deps: Deps, import_id: ImportId) -> Changed:
    """Nothing more is copied until `resume`. Raises LookupError for an unknown import."""
    before = _known(deps, import_id)
    if before.state in import_state.ALIVE and deps.store.grants(import_id) is None:
        return Changed(before, Effect.NOT_POSSIBLE, _IN_THE_FOREGROUND)
    after = _request(deps, import_id, ControlRequest.PAUSE)
    if after.state in import_state.ENDED:
        return Changed(after, Effect.TOO_LATE, f"It had ended already ({after.state}); nothing to pause.")
    if after.requested is ControlRequest.CANCEL:
        return Changed(after, Effect.NOT_POSSIBLE, _BEING_CANCELLED)
    if after.state is State.PAUSED:
        return Changed(after, Effect.DONE, "Paused. What is copied stays; it goes on when you resume it.")
    return Changed(after, Effect.SOON, "It pauses as soon as the messages in hand are stored.")


def resume(deps: Deps, import_id: ImportId) -> Changed:
    """A paused import goes on; one that waits tries again now. Raises LookupError for an unknown import."""
    before = _known(deps, import_id)
    if before.state in import_state.ENDED:
        return Changed(before, Effect.TOO_LATE, f"It has ended ({before.state}); run it again instead.")
    if before.requested is ControlRequest.CANCEL:
        return Changed(before, Effect.NOT_POSSIBLE, _BEING_CANCELLED)
    after = _request(deps, import_id, None, _hurry)
    if after.state in import_state.ENDED:
        return Changed(after, Effect.TOO_LATE, f"It has ended meanwhile ({after.state}).")
    deps.queue.ring(import_id)
    if after.state is State.PAUSED:
        return Changed(after, Effect.SOON, "It goes on in a moment.")
    return Changed(after, Effect.DONE, "It goes on.")


def cancel(deps: Deps, import_id: ImportId) -> Changed:
    """Ends the import for good: its passwords are erased, what is copied stays and can be undone. Raises
    LookupError for an unknown import."""
    before = _known(deps, import_id)
    if before.state in import_state.ENDED and before.state is not State.CANCELLED:
        return Changed(before, Effect.TOO_LATE, f"It had ended already ({before.state}).")
    after = _request(deps, import_id, ControlRequest.CANCEL)
    if after.state is State.CANCELLED:
        return Changed(after, Effect.DONE, "Cancelled. What was copied stays; undo removes it.")
    if after.state in import_state.ENDED:
        return Changed(after, Effect.TOO_LATE, f"It ended just before ({after.state}).")
    return Changed(after, Effect.SOON, "It ends as soon as the messages in hand are stored.")


def apply_request(deps: Deps, import_: Import, lease: Lease) -> Import:
    """Does what a person wants of the import, under its lease, and returns it as it then is. Raises
    LeaseLost."""
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


def _request(
    deps: Deps,
    import_id: ImportId,
    request: ControlRequest | None,
    then: Callable[[Import], Import] = lambda i: i,
) -> Import:
    """Notes the request, does it (and `then`) when nobody works on the import, and returns it as it is."""
    noted = deps.store.request_control(import_id, request)
    if noted is None:
        raise _unknown(import_id)
    lease = deps.store.acquire(
        f"import:{import_id}", deps.lease_owner, deps.clock.now(), deps.deadlines.lease
    )
    if lease is None:
        return noted
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


_FORGOTTEN: Final = Problem(
    "pause_forgotten",
    "It was paused for two weeks and nobody resumed it, so its passwords were erased. Start it again with "
    "both passwords and it goes on from there.",
)
_IN_THE_FOREGROUND: Final = (
    "It is a `mailhaul copy` in the foreground: Ctrl-C there breaks it off, and running it again goes on."
)
_BEING_CANCELLED: Final = "It is being cancelled already, which is final."
