"""Undo an import: within the request if it is quick, otherwise in the background."""

from __future__ import annotations

from concurrent.futures import Future
from concurrent.futures import TimeoutError as UndoTimeout
from functools import partial
from typing import Any, Final, cast

from fastapi import APIRouter
from starlette.responses import JSONResponse

from importer.domain.import_state import ENDED
from importer.domain.model import Account
from importer.domain.receipts.undo_report import UndoReport
from importer.i18n.undo_report_texts import undo_json
from importer.ports.leases import LeaseLost
from importer.service.access.rate_limits import RateLimited
from importer.service.imports.undo_import import UndoRefused
from importer.web.api.authentication import ApiCaller, Writer
from importer.web.api.destinations import undo_login
from importer.web.api.problem_details import ProblemAnswer, mailbox_refused
from importer.web.api.request_schemas import UndoIn
from importer.web.api.response_schemas import ReportOut, UndoingOut
from providers.errors import MailError, Side
from providers.text import Text

WAIT_S: Final = 25.0
"""Proxies time out after a minute, often after half a minute."""

router: Final = APIRouter(tags=["do"])


@router.post(
    "/imports/{import_id}/undo",
    responses={
        202: {
            "model": UndoingOut,
            "description": "Under way; Location is the URL of the report, which exists once it is complete.",
        }
    },
)
def undo_import(caller: Writer, import_id: str, body: UndoIn) -> ReportOut:
    """Remove from the destination exactly the messages that the import added and that are unchanged since.
    Safe to repeat. A long undo continues after a response with status 202."""
    import_ = caller.import_(import_id)
    caller.require_destination(import_.destination)
    if import_.state not in ENDED:
        raise ProblemAnswer("not_possible", Text("undo_too_early"))
    credential = undo_login(caller, import_, body.destination_password)
    tried = body.destination_password is not None  # an administrator's own login counts for no mailbox
    if tried:
        caller.count_login(import_.destination)
    job = caller.site.undo_jobs.start(caller.deps, import_, credential, caller.token.client)
    try:
        report = _wait(caller, job)
    except UndoTimeout:
        if tried:
            job.add_done_callback(partial(_refund_login, caller, import_.destination))
        location = f"/api/v1/imports/{import_.id}/undo"
        under_way = UndoingOut(id=import_.id, state="under way").model_dump()
        accepted: Any = JSONResponse(under_way, 202, {"Location": location})
        return cast("ReportOut", accepted)
    except UndoRefused as refused:
        raise ProblemAnswer("not_possible", refused.text, side=Side.DESTINATION) from None
    except LeaseLost:
        raise ProblemAnswer("not_possible", Text("undo_interrupted")) from None
    except MailError as error:
        raise mailbox_refused(error) from None
    if tried:
        caller.refund_login(import_.destination)
    return undo_json(caller.texts, report)


def _refund_login(caller: ApiCaller, account: Account, job: Future[UndoReport]) -> None:
    if job.exception() is None:
        caller.refund_login(account)


def _wait(caller: ApiCaller, job: Future[UndoReport]) -> UndoReport:
    """Raises UndoTimeout after WAIT_S, or immediately if too many requests wait already: their threads also
    serve the pages."""
    try:
        with caller.site.shares.waiting.slot(caller.token.client):
            return job.result(WAIT_S)
    except RateLimited:
        raise UndoTimeout from None
