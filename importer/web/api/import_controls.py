"""What can be done with an import: pause, resume, retry, cancel, run again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from fastapi import APIRouter, Response

from importer.domain.model import ImportId
from importer.service.deps import Deps
from importer.service.imports import control
from importer.service.imports.control import Changed, Effect
from importer.service.imports.submit import RowOutcome, resubmit
from importer.web.api.authentication import ApiCaller, Writer
from importer.web.api.destinations import way_in
from importer.web.api.problem_details import ProblemAnswer
from importer.web.api.schemas import ChangedOut, PasswordsIn, PlacedOut, import_out
from importer.web.api.submissions import placed_out
from providers.errors import Side

router: Final = APIRouter(tags=["do"])


@router.post("/imports/{import_id}/pause")
def pause(caller: Writer, import_id: str, answer: Response) -> ChangedOut:
    """What is in hand is stored first; then nothing more is copied until it is resumed."""
    return _request(caller, import_id, control.pause, answer)


@router.post("/imports/{import_id}/resume")
def resume(caller: Writer, import_id: str, answer: Response) -> ChangedOut:
    """A paused import goes on."""
    return _request(caller, import_id, control.resume, answer)


@router.post("/imports/{import_id}/retry")
def retry(caller: Writer, import_id: str, answer: Response) -> ChangedOut:
    """One that waits tries again now. One that has ended is to be run again."""
    return _request(caller, import_id, control.resume, answer)


@router.post("/imports/{import_id}/cancel")
def cancel(caller: Writer, import_id: str, answer: Response) -> ChangedOut:
    """Ends it for good. Its passwords are erased, what is copied stays."""
    return _request(caller, import_id, control.cancel, answer)


@router.post("/imports/{import_id}/run-again", responses={201: {"model": PlacedOut}})
def run_again(caller: Writer, import_id: str, given: PasswordsIn, answer: Response) -> PlacedOut:
    """A new import on the same route, which brings what is missing and what is new. Needs the passwords
    again: they were erased when the import ended."""
    import_ = caller.import_(import_id)
    caller.demand(import_.destination)
    source, out = way_in(caller, import_.source, Side.SOURCE, given.source_password)
    destination, into = way_in(caller, import_.destination, Side.DESTINATION, given.destination_password)
    tried = ((import_.destination, destination), (import_.source, source))
    caller.count_starts([account for account, secret in tried if secret is not None])
    placed = resubmit(
        caller.deps,
        import_,
        source,
        destination,
        source_sign_in=out,
        destination_sign_in=into,
        labels=given.labels,
        sync_flags=given.sync_flags,
        organisation=caller.for_all,
        right=caller.right,
    )
    if placed.outcome is RowOutcome.STARTED:
        answer.status_code = 201
        answer.headers["Location"] = f"/api/v1/imports/{placed.import_.id}"
    return placed_out(caller, placed)


def _request(
    caller: ApiCaller, import_id: str, wish: Callable[[Deps, ImportId], Changed], answer: Response
) -> ChangedOut:
    changed = wish(caller.deps, caller.import_(import_id).id)
    shown = import_out(changed.import_, caller.deps.clock.now())
    if changed.effect in (Effect.TOO_LATE, Effect.NOT_POSSIBLE):
        raise ProblemAnswer("not_possible", changed.message, state=shown.state.value)
    answer.status_code = 202 if changed.effect is Effect.SOON else 200
    return ChangedOut(effect=changed.effect.value, message=changed.message, import_=shown)
