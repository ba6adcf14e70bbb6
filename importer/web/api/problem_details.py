"""Errors as problem details (RFC 9457) with stable codes.

Invariant: nothing that a client sent is repeated, except field names: it may be a password.
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
from importer.domain.csv_import.import_rows import PROBLEMS_SHOWN
from importer.domain.reporting.formatting import printable
from importer.i18n.code_texts import render_with_advice
from importer.i18n.row_problem_texts import refused_text, row_problem_json
from importer.i18n.translations import CatalogTranslator
from importer.service.access.rate_limits import RateLimited
from importer.web.bad_requests import BadRequest, not_unicode
from importer.web.error_texts import rate_limited
from importer.web.request_context import accepted_texts, route_path
from providers.errors import MailError

T = TypeVar("T")

MEDIA_TYPE: Final = "application/problem+json"

TITLES: Final[Mapping[str, tuple[int, str]]] = {
    "token_missing": (401, "The request contains no token"),
    "token_refused": (401, "The token is unknown, revoked or expired"),
    "scope_missing": (403, "The token does not permit this"),
    "not_found": (404, "Nothing was found for this token"),
    "method_not_allowed": (405, "The resource does not support this method"),
    "not_possible": (409, "The state of the import does not permit this"),
    "idempotency_key_in_use": (409, "The request with this key is still being processed"),
    "idempotency_key_invalid": (400, "The Idempotency-Key is invalid"),
    "idempotency_key_reused": (422, "The Idempotency-Key was used for another request"),
    "request_invalid": (422, "The request is invalid"),
    "rows_refused": (422, "Some rows are invalid, so nothing was started"),
    "mailbox_refused": (422, "The login to a mailbox failed"),
    "body_too_large": (413, "The body is too large"),
    "media_type_refused": (415, "The media type of the body is not supported"),
    "too_many_requests": (429, "Too many requests"),
    "busy": (503, "Too many requests of this kind are in progress"),
    "unavailable": (503, "A part of the installation does not respond"),
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

RETRY_AFTER_S: Final = 30
"""When to try again while a part of the installation does not respond."""

_SEE_ERRORS: Final = "Each error names its place."

log = structlog.get_logger()


class ProblemAnswer(Exception):
    """Ends the request with a problem response. `code` is a key of TITLES; `members` are further members."""

    def __init__(
        self, code: str, detail: str = "", *, headers: Mapping[str, str] | None = None, **members: Any
    ) -> None:
        super().__init__(detail or TITLES[code][1])
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})
        self.members = members

    def response(self) -> JSONResponse:
        """The response, with the status of the code."""
        status, title = TITLES[self.code]
        return _response(status, self.code, title, self.detail, self.headers, self.members)


def not_found() -> ProblemAnswer:
    """The problem for objects that do not exist or belong to another client; it is the same for both."""
    return ProblemAnswer("not_found", "Check the id. Objects of other clients are not shown.")


def rows_refused(texts: CatalogTranslator, problems: Sequence[RowProblem]) -> ProblemAnswer:
    """The first PROBLEMS_SHOWN problems of the rows; `problems_more` counts the others. Line 1 is the first
    row of a JSON request; in a file, lines are those of the file."""
    details = [row_problem_json(texts, problem) for problem in problems[:PROBLEMS_SHOWN]]
    members: dict[str, Any] = {"problems": details}
    if more := len(problems) - len(details):
        members["problems_more"] = more
    return ProblemAnswer("rows_refused", "Fix these problems and send all rows again.", **members)


def too_many(retry_after_s: int, detail: str) -> ProblemAnswer:
    return ProblemAnswer("too_many_requests", detail, headers={"Retry-After": str(retry_after_s)})


def mailbox_refused(texts: CatalogTranslator, error: MailError) -> ProblemAnswer:
    """The member `reason` is one of the codes in docs/errors.md."""
    return ProblemAnswer(
        "mailbox_refused",
        render_with_advice(error.text, texts, error.side),
        reason=error.code,
        reason_detail=error.text.code,
        params=error.text.as_json()["params"],
    )


def busy() -> ProblemAnswer:
    return ProblemAnswer("busy", "Try again in a few seconds.", headers={"Retry-After": "5"})


def unavailable() -> ProblemAnswer:
    return ProblemAnswer(
        "unavailable",
        "Nothing is lost. Send the request again, with the same Idempotency-Key.",
        headers={"Retry-After": str(RETRY_AFTER_S)},
    )


def checked(texts: CatalogTranslator, name: str, check: Callable[[], T]) -> T:
    """The result of `check`, which validates the field `name`. Raises ProblemAnswer if it raises Refused."""
    try:
        return check()
    except Refused as refused:
        message = refused_text(texts, refused)
        detail = {"in": "body", "at": name, "rule": refused.rule, "message": message}
        raise ProblemAnswer("request_invalid", _SEE_ERRORS, errors=[detail]) from None


# --- Handlers -----------------------------------------------------------------------------------------


def on_problem(request: Request, error: Exception) -> Response:
    if isinstance(error, RateLimited):
        error = too_many(error.seconds, rate_limited(accepted_texts(request), error))
    return error.response() if isinstance(error, ProblemAnswer) else ProblemAnswer("internal").response()


def on_invalid_request(_request: Request, error: Exception) -> Response:
    """The validation errors of the framework, without the values that were sent."""
    details = error.errors() if isinstance(error, RequestValidationError) else []
    errors = [
        {
            "in": str(detail["loc"][0]),
            "at": "/".join(printable(str(part), 80) for part in detail["loc"][1:]),
            "rule": detail["type"],
            "message": printable(str(detail["msg"]), 200),
        }
        for detail in details[:50]
    ]
    return ProblemAnswer("request_invalid", _SEE_ERRORS, errors=errors).response()


def on_bad_request(_request: Request, error: Exception) -> Response:
    """Status 400; the member `rule` is the rule that the request breaks."""
    bad = error if isinstance(error, BadRequest) else not_unicode()
    return ProblemAnswer("refused", bad.sentence, rule=bad.rule).response()


def on_http_error(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 400
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    code = _BY_STATUS.get(status, "refused")
    return _response(status, code, TITLES[code][1], "", headers, {})


def on_installation_fault(request: Request, error: Exception) -> Response:
    log.warning("call.unavailable", path=route_path(request), reason=str(error))
    return unavailable().response()


def on_internal_error(request: Request, error: Exception) -> Response:
    log.error("call.failed", path=route_path(request), exc_info=error)
    return ProblemAnswer("internal", "The error was logged. Nothing is lost; try again.").response()


def _response(
    status: int, code: str, title: str, detail: str, headers: Mapping[str, str], members: Mapping[str, Any]
) -> JSONResponse:
    body = {"type": f"/api/v1/problems#{code}", "title": title, "status": status, "code": code}
    if detail:
        body["detail"] = detail
    return JSONResponse({**body, **members}, status, headers=dict(headers), media_type=MEDIA_TYPE)
