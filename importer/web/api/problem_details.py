"""Whatever goes wrong is told as problem details (RFC 9457), by stable codes.

Invariant: nothing that a client sent is repeated, except names of fields: it may be a password.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import structlog
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from importer.domain.csv_import.csv_cells import Refused
from importer.domain.csv_import.csv_reader import RowProblem
from importer.domain.reporting.formatting import printable
from importer.service.access.rate_limits import RateLimited
from providers.errors import MailError

T = TypeVar("T")

MEDIA_TYPE: Final = "application/problem+json"

TITLES: Final[Mapping[str, tuple[int, str]]] = {
    "token_missing": (401, "No token came with the request"),
    "token_refused": (401, "The token is unknown, revoked or expired"),
    "scope_missing": (403, "The token is not good for this"),
    "not_found": (404, "There is nothing here for this token"),
    "method_not_allowed": (405, "The method is not one of this resource"),
    "not_possible": (409, "The import cannot do that as it stands"),
    "idempotency_key_in_use": (409, "The request with this key is still under way"),
    "idempotency_key_invalid": (400, "The Idempotency-Key cannot be used"),
    "idempotency_key_reused": (422, "The Idempotency-Key belongs to another request"),
    "request_invalid": (422, "The request is not as it has to be"),
    "rows_refused": (422, "Some rows cannot be taken, so nothing was started"),
    "mailbox_refused": (422, "A mailbox does not let us in"),
    "body_too_large": (413, "The body is too large"),
    "media_type_refused": (415, "The body is not of a type that is read here"),
    "too_many_requests": (429, "Too many requests"),
    "busy": (503, "Too much of this is under way at the moment"),
    "refused": (400, "The request was refused"),
    "internal": (500, "Something went wrong inside Mailhaul"),
}
"""Code -> (status, title)."""

_BY_STATUS: Final = {
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "media_type_refused",
}

log = structlog.get_logger()


class ProblemAnswer(Exception):
    """The request ends with this problem. `code` is one of TITLES; `more` are further members."""

    def __init__(
        self, code: str, detail: str = "", *, headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        super().__init__(detail or TITLES[code][1])
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})
        self.more = more

    def answer(self) -> JSONResponse:
        """With the status of its code."""
        status, title = TITLES[self.code]
        return _answer(status, self.code, title, self.detail, self.headers, self.more)


def not_found() -> ProblemAnswer:
    """The same for what does not exist and for what belongs to somebody else."""
    return ProblemAnswer("not_found", "Check the id; what belongs to another client is not shown.")


def rows_refused(problems: Sequence[RowProblem]) -> ProblemAnswer:
    """All that is wrong with rows: line (1 is the first row, or the line of a file), column, rule, fix."""
    told = [
        {
            "line": problem.line,
            "column": problem.column,
            "rule": problem.rule,
            "message": printable(problem.message, 600),
            "fix": printable(problem.fix, 600),
        }
        for problem in problems
    ]
    return ProblemAnswer("rows_refused", "Mend these and send all rows again.", problems=told)


def too_many(retry_after_s: int, detail: str) -> ProblemAnswer:
    return ProblemAnswer("too_many_requests", detail, headers={"Retry-After": str(retry_after_s)})


def mailbox_refused(error: MailError) -> ProblemAnswer:
    """`reason` is one of the codes of the runbook."""
    return ProblemAnswer("mailbox_refused", printable(str(error), 600), reason=error.code)


def busy() -> ProblemAnswer:
    return ProblemAnswer("busy", "Try again in a few seconds.", headers={"Retry-After": "5"})


def checked(name: str, check: Callable[[], T]) -> T:
    """What `check` gives for the field of that name. Raises ProblemAnswer when it refuses."""
    try:
        return check()
    except Refused as refused:
        where = {"in": "body", "at": name, "rule": refused.rule, "message": f"{refused} {refused.fix}"}
        raise ProblemAnswer("request_invalid", "Each error says where.", errors=[where]) from None


# --- Handlers -----------------------------------------------------------------------------------------


def on_problem(_request: Request, error: Exception) -> Response:
    if isinstance(error, RateLimited):
        error = too_many(error.seconds, "This mailbox was tried too often. Wait, and check the password.")
    return error.answer() if isinstance(error, ProblemAnswer) else ProblemAnswer("internal").answer()


def on_invalid(_request: Request, error: Exception) -> Response:
    """What the framework found wrong, without what was sent."""
    found = error.errors() if isinstance(error, RequestValidationError) else []
    errors = [
        {
            "in": str(one["loc"][0]),
            "at": "/".join(printable(str(part), 80) for part in one["loc"][1:]),
            "rule": one["type"],
            "message": printable(str(one["msg"]), 200),
        }
        for one in found[:50]
    ]
    return ProblemAnswer("request_invalid", "Each error says where.", errors=errors).answer()


def on_http(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 400
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    code = _BY_STATUS.get(status, "refused")
    return _answer(status, code, TITLES[code][1], "", headers, {})


def on_fault(request: Request, error: Exception) -> Response:
    path = getattr(request.scope.get("route"), "path", "")
    log.error("call.failed", path=path, exc_info=error)
    return ProblemAnswer("internal", "It is in the log. Nothing is lost; try again.").answer()


def _answer(
    status: int, code: str, title: str, detail: str, headers: Mapping[str, str], more: Mapping[str, Any]
) -> JSONResponse:
    body = {"type": f"/api/v1/problems#{code}", "title": title, "status": status, "code": code}
    if detail:
        body["detail"] = detail
    return JSONResponse({**body, **more}, status, headers=dict(headers), media_type=MEDIA_TYPE)
