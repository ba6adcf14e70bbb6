"""Errors as problem details (RFC 9457) with stable codes.

Invariant: nothing that a client sent is repeated, except field names: it may be a password.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, TypeVar

import structlog
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from importer.domain.csv_import.csv_cells import Refused
from importer.domain.csv_import.import_rows import PROBLEMS_SHOWN
from importer.domain.csv_import.sheet import RowProblem
from importer.domain.reporting.formatting import printable
from importer.i18n.code_texts import advice, render, render_with_advice
from importer.i18n.row_problem_texts import cell_problem_text, refused_text, row_problem_json
from importer.i18n.translations import CatalogTranslator
from importer.service.access.rate_limits import RateLimited
from importer.web.bad_requests import BadRequest, not_unicode
from importer.web.error_texts import rate_limit_text
from importer.web.request_context import accepted_texts, route_path
from providers.errors import MailError, Side
from providers.text import Param, Text

T = TypeVar("T")

MEDIA_TYPE: Final = "application/problem+json"

STATUSES: Final[Mapping[str, int]] = {
    "token_missing": 401,
    "token_refused": 401,
    "scope_missing": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "not_possible": 409,
    "idempotency_key_in_use": 409,
    "idempotency_key_invalid": 400,
    "idempotency_key_reused": 422,
    "request_invalid": 422,
    "rows_refused": 422,
    "mailbox_refused": 422,
    "body_too_large": 413,
    "media_type_refused": 415,
    "too_many_requests": 429,
    "busy": 503,
    "unavailable": 503,
    "refused": 400,
    "internal": 500,
}
"""By code. The texts are in `codes/api_texts.py`."""

_BY_STATUS: Final = {
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "media_type_refused",
}

RETRY_AFTER_S: Final = 30
"""Retry-After, in seconds, while a part of the installation does not respond."""

log = structlog.get_logger()


class ProblemAnswer(Exception):
    """Ends the request with a problem response. `code` is a key of STATUSES.

    `detail` is a text below `api.<code>`, whose advice is shown, or any other text; None for the advice of
    the code. `side` is the mailbox that it concerns; `members` are further members.
    """

    def __init__(
        self,
        code: str,
        detail: Text | None = None,
        *,
        side: Side | None = None,
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        self.code = code
        self.detail = detail or Text(f"api.{code}")
        super().__init__(str(self.detail))
        self.side = side
        self.headers = dict(headers or {})
        self.members = members

    def response(self, texts: CatalogTranslator) -> JSONResponse:
        """The response, with the status of the code."""
        own = self.detail.public_code == "api"
        detail = (advice if own else render_with_advice)(self.detail, texts, self.side)
        return _response(texts, self.code, detail, headers=self.headers, members=self.members)


def not_found() -> ProblemAnswer:
    """The problem for objects that do not exist or belong to another client; it is the same for both."""
    return ProblemAnswer("not_found")


def rows_refused(texts: CatalogTranslator, problems: Sequence[RowProblem]) -> ProblemAnswer:
    """The first PROBLEMS_SHOWN problems of the rows; `problems_more` counts the others. Line 1 is the first
    row of a JSON request; in a file, lines are those of the file."""
    details = [row_problem_json(texts, problem) for problem in problems[:PROBLEMS_SHOWN]]
    members: dict[str, Any] = {"problems": details}
    if more := len(problems) - len(details):
        members["problems_more"] = more
    return ProblemAnswer("rows_refused", **members)


def too_many(retry_after_s: int, detail: Text) -> ProblemAnswer:
    return ProblemAnswer("too_many_requests", detail, headers={"Retry-After": str(retry_after_s)})


def mailbox_refused(error: MailError) -> ProblemAnswer:
    """The member `reason` is one of the codes in docs/errors.md."""
    return ProblemAnswer(
        "mailbox_refused",
        error.text,
        side=error.side,
        reason=error.code,
        reason_detail=error.text.code,
        params=error.text.as_json()["params"],
    )


def busy() -> ProblemAnswer:
    return ProblemAnswer("busy", headers={"Retry-After": "5"})


def unavailable() -> ProblemAnswer:
    return ProblemAnswer("unavailable", headers={"Retry-After": str(RETRY_AFTER_S)})


def checked(texts: CatalogTranslator, name: str, check: Callable[[], T]) -> T:
    """The result of `check`, which validates the field `name`. Raises ProblemAnswer if it raises Refused."""
    try:
        return check()
    except Refused as refused:
        message = refused_text(texts, refused)
        detail = {"in": "body", "at": name, "rule": refused.rule, "message": message}
        raise ProblemAnswer("request_invalid", errors=[detail]) from None


# --- Handlers -----------------------------------------------------------------------------------------


def on_problem(request: Request, error: Exception) -> Response:
    if isinstance(error, RateLimited):
        error = too_many(error.seconds, rate_limit_text(error))
    answer = error if isinstance(error, ProblemAnswer) else ProblemAnswer("internal")
    return answer.response(accepted_texts(request))


def on_invalid_request(request: Request, error: Exception) -> Response:
    """The validation errors of the framework, without the values that were sent."""
    texts = accepted_texts(request)
    details = error.errors() if isinstance(error, RequestValidationError) else []
    errors = [
        {
            "in": str(detail["loc"][0]),
            "at": "/".join(printable(str(part), 80) for part in detail["loc"][1:]),
            "rule": detail["type"],
            "message": _field_problem(texts, detail),
        }
        for detail in details[:50]
    ]
    return ProblemAnswer("request_invalid", errors=errors).response(texts)


def _field_problem(texts: CatalogTranslator, detail: Mapping[str, Any]) -> str:
    """The problem of a field. The context of an error has limits and choices, never the submitted value."""
    context = detail.get("ctx", {})
    if isinstance(text := context.get("text"), Text):  # of our own validator
        return cell_problem_text(texts, text)
    params: dict[str, Param] = {
        name: value
        for name, value in context.items()
        if isinstance(value, int) and not isinstance(value, bool)
    }
    if isinstance(expected := context.get("expected"), str):
        params["expected"] = expected.replace(" or ", ", ")
    return render(Text(f"api_field.{detail['type']}", steps=None, **params), texts)


def on_bad_request(request: Request, error: Exception) -> Response:
    """Status 400; the member `rule` is the rule that the request breaks."""
    bad = error if isinstance(error, BadRequest) else not_unicode()
    answer = ProblemAnswer("refused", Text(f"api.refused.{bad.rule}"), rule=bad.rule)
    return answer.response(accepted_texts(request))


def on_http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 400
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    return _response(
        accepted_texts(request), _BY_STATUS.get(status, "refused"), status=status, headers=headers
    )


def on_installation_fault(request: Request, error: Exception) -> Response:
    log.warning("call.unavailable", path=route_path(request), reason=str(error))
    return unavailable().response(accepted_texts(request))


def on_internal_error(request: Request, error: Exception) -> Response:
    log.error("call.failed", path=route_path(request), exc_info=error)
    return ProblemAnswer("internal").response(accepted_texts(request))


def title(texts: CatalogTranslator, code: str) -> str:
    """The title of a problem: a sentence without its stop."""
    return render(Text(f"api.{code}"), texts).rstrip(".")


def _response(
    texts: CatalogTranslator,
    code: str,
    detail: str = "",
    *,
    status: int = 0,
    headers: Mapping[str, str],
    members: Mapping[str, Any] = MappingProxyType({}),
) -> JSONResponse:
    """With the status of the code unless another is given."""
    status = status or STATUSES[code]
    body = {"type": f"/api/v1/problems#{code}", "title": title(texts, code), "status": status, "code": code}
    if detail:
        body["detail"] = detail
    return JSONResponse({**body, **members}, status, headers=dict(headers), media_type=MEDIA_TYPE)
