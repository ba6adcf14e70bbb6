"""Control of an import: pause, resume, retry, cancel, schedule, run again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal

from fastapi import APIRouter, Response

from importer.domain.model import ImportId
from importer.i18n.code_texts import render_with_advice
from importer.service.deps import Deps
from importer.service.imports import control, following
from importer.service.imports.control import Changed, Effect
from importer.service.imports.retry_failed import RetryRefused, require_failed
from importer.service.imports.submit import RowOutcome, resubmit
from importer.web.api import option_fields
from importer.web.api.authentication import ApiCaller, Writer
from importer.web.api.destinations import login_method
from importer.web.api.problem_details import ProblemAnswer
from importer.web.api.request_schemas import PasswordsIn, ScheduleIn
from importer.web.api.response_schemas import ChangedOut, SubmittedRowOut, import_out
from importer.web.api.submissions import submitted_row_out
from providers.errors import Side

router: Final = APIRouter(tags=["do"])

_SOON: Final[dict[int | str, dict[str, Any]]] = {
    202: {
        "model": ChangedOut,
        "description": "`effect` is `soon`: a worker applies it after its current batch of messages.",
    }
}
_STARTED: Final[dict[int | str, dict[str, Any]]] = {
    201: {"model": SubmittedRowOut, "description": "Started; Location is its URL."}
}


@router.post("/imports/{import_id}/pause", responses=_SOON)
def pause(caller: Writer, import_id: str, response: Response) -> ChangedOut:
    """Pause an import. The messages of the current batch are stored first; then nothing is copied until it is
    resumed."""
    return _request(caller, import_id, control.pause, response)


@router.post("/imports/{import_id}/resume", responses=_SOON)
def resume(caller: Writer, import_id: str, response: Response) -> ChangedOut:
    """Resume a paused import."""
    return _request(caller, import_id, control.resume, response)


@router.post("/imports/{import_id}/retry", responses=_SOON)
def retry(caller: Writer, import_id: str, response: Response) -> ChangedOut:
    """Retry a waiting import now, or one that was stopped, while its passwords are kept
    (`passwords_kept_until`). Any other import that has ended must be run again instead."""
    return _request(caller, import_id, control.resume, response)


@router.post("/imports/{import_id}/cancel", responses=_SOON)
def cancel(caller: Writer, import_id: str, response: Response) -> ChangedOut:
    """End an import permanently. Its passwords are erased; copied messages stay. Of an import that was
    stopped, the passwords that are kept are erased."""
    return _request(caller, import_id, control.cancel, response)


@router.post("/imports/{import_id}/schedule", responses=_SOON)
def schedule(caller: Writer, import_id: str, body: ScheduleIn, response: Response) -> ChangedOut:
    """Choose until when an import that is under way fetches new mail: until all MX records of the old
    address's domain lead to the new host, until a date, or what comes first. While it waits for its next
    pass, its state is `waiting` with the code `awaiting_cutover`, and this makes that pass now."""
    choices = option_fields.choices(body)

    def change(deps: Deps, id_: ImportId) -> Changed:
        return following.schedule(deps, id_, choices)

    return _request(caller, import_id, change, response)


@router.post("/imports/{import_id}/run-again", responses=_STARTED)
def run_again(caller: Writer, import_id: str, body: PasswordsIn, response: Response) -> SubmittedRowOut:
    """Start a new import on the same route, which copies missing and new messages, or (`failed_only`) only
    those that failed. It needs the passwords again: they were erased when the import ended."""
    import_ = caller.import_(import_id)
    caller.require_destination(import_.destination)
    if body.failed_only:
        try:
            require_failed(caller.deps, import_)
        except RetryRefused as refused:
            raise ProblemAnswer("not_possible", refused.text, state=import_.state.value) from None
    source_password, source_sign_in = login_method(caller, import_.source, Side.SOURCE, body.source_password)
    destination_password, destination_sign_in = login_method(
        caller, import_.destination, Side.DESTINATION, body.destination_password
    )
    passwords = ((import_.destination, destination_password), (import_.source, source_password))
    caller.count_starts([account for account, password in passwords if password is not None])
    caller.consume_imports(1)
    row = resubmit(
        caller.deps,
        caller.actor,
        import_,
        source_password,
        destination_password,
        source_sign_in=source_sign_in,
        destination_sign_in=destination_sign_in,
        choices=option_fields.choices(body),
        failed_only=body.failed_only,
    )
    caller.audit.targets = [row.import_.id]
    if row.outcome is RowOutcome.STARTED:
        response.status_code = 201
        response.headers["Location"] = f"/api/v1/imports/{row.import_.id}"
    return submitted_row_out(caller, row)


def _request(
    caller: ApiCaller, import_id: str, request: Callable[[Deps, ImportId], Changed], response: Response
) -> ChangedOut:
    changed = request(caller.deps, caller.import_(import_id).id)
    import_json = import_out(caller.texts, changed.import_, caller.deps.clock.now())
    if changed.effect in (Effect.TOO_LATE, Effect.NOT_POSSIBLE):
        raise ProblemAnswer("not_possible", changed.text, state=import_json.state.value)
    response.status_code = 202 if changed.effect is Effect.SOON else 200
    message = render_with_advice(changed.text, caller.texts)
    effect: Literal["done", "soon"] = "soon" if changed.effect is Effect.SOON else "done"
    return ChangedOut(effect=effect, message=message, import_=import_json)
