"""An import undone: at once where that is quick, else behind the answer."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TooSlow
from functools import partial
from typing import Any, Final, cast

from fastapi import APIRouter
from starlette.responses import JSONResponse

from importer.domain.import_state import ENDED
from importer.domain.model import Account
from importer.domain.receipts.undo_report import UndoReport
from importer.ports.leases import LeaseLost
from importer.service.imports.undo_import import UndoRefused
from importer.web.api.authentication import ApiCaller, Writer
from importer.web.api.destinations import given_destination
from importer.web.api.problem_details import ProblemAnswer, mailbox_refused
from importer.web.api.schemas import ReportOut, UndoIn
from providers.errors import MailError

WAIT_S: Final = 25.0
"""Proxies give up after a minute, often after half of one."""

router: Final = APIRouter(tags=["do"])
_waiting: Final = threading.BoundedSemaphore(6)


@router.post(
    "/imports/{import_id}/undo",
    responses={202: {"description": "Under way; Location has the report when it is done."}},
)
def undo_import(caller: Writer, import_id: str, given: UndoIn) -> ReportOut:
    """Removes from the destination exactly what the import added and nobody has touched since. Safe to
    repeat. What takes long goes on after a 202."""
    import_ = caller.import_(import_id)
    caller.demand(import_.destination)
    if import_.state not in ENDED:
        raise ProblemAnswer("not_possible", "The import is still in progress. Cancel it first, then undo it.")
    opens = given_destination(caller, import_, given.destination_password)
    caller.count_try(import_.destination)
    work = caller.site.undo_jobs.start(caller.deps, import_, opens)
    try:
        report = _waited_for(work)
    except TooSlow:
        work.add_done_callback(partial(_forgive, caller, import_.destination))
        where = f"/api/v1/imports/{import_.id}/undo"
        late: Any = JSONResponse({"id": import_.id, "state": "under way"}, 202, {"Location": where})
        return cast("ReportOut", late)
    except UndoRefused as refused:
        raise ProblemAnswer("not_possible", str(refused)) from None
    except LeaseLost:
        raise ProblemAnswer("not_possible", "It was interrupted. Try again.") from None
    except MailError as error:
        raise mailbox_refused(error) from None
    caller.forgive(import_.destination)
    return report.as_json()


def _forgive(caller: ApiCaller, account: Account, work: Future[UndoReport]) -> None:
    if work.exception() is None:
        caller.forgive(account)


def _waited_for(work: Future[UndoReport]) -> UndoReport:
    """Raises TooSlow when it takes long, or when too many wait already: their threads serve pages, too."""
    if not _waiting.acquire(blocking=False):
        raise TooSlow
    try:
        return work.result(WAIT_S)
    finally:
        _waiting.release()
