"""The API application: its resources, the error handlers, and the OpenAPI description."""

from __future__ import annotations

import re
from functools import partial
from typing import Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount
from starlette.types import ASGIApp

from importer.ports.process import InstallationFault
from importer.service.access.rate_limits import RateLimited
from importer.web.api import (
    checks,
    host_resources,
    import_actions,
    import_controls,
    maintenance_resource,
    read_resources,
    reading_resources,
    submissions,
    undo_resource,
)
from importer.web.api.idempotent_requests import IdempotentRequests
from importer.web.api.openapi import ERROR_RESPONSES, described, operation_id
from importer.web.api.problem_details import (
    STATUSES,
    ProblemAnswer,
    on_bad_request,
    on_http_error,
    on_installation_fault,
    on_internal_error,
    on_invalid_request,
    on_problem,
    title,
)
from importer.web.bad_requests import BadRequest
from importer.web.request_context import Site, accepted_texts

PREFIX: Final = "/api/v1"

_DESCRIPTION: Final = " ".join(
    (
        "Copies whole mailboxes from one IMAP host to another.",
        "Send a token as `Authorization: Bearer …`; `mailhaul token create` makes one.",
        "Errors are problem details (RFC 9457) with a stable `code`; `GET /problems` lists the codes.",
        "Sentences are in the language of `Accept-Language`; codes and keys do not depend on it.",
        "A POST may carry an `Idempotency-Key`: repeated within a day, it gets the same response and is not",
        "executed again.",
    )
)


def mounted(site: Site) -> Mount:
    """The API below PREFIX, as a route of the web application."""
    mount = Mount(PREFIX, create_api(site))
    # Starlette's own pattern does not match paths with a line break; they would be routed to the pages.
    mount.path_regex = re.compile(rf"^{PREFIX}/(?P<path>.*)$", re.DOTALL)
    return mount


def create_api(site: Site) -> ASGIApp:
    """The application to mount at PREFIX."""
    app = FastAPI(
        title="Mailhaul",
        version="1",
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses=ERROR_RESPONSES,
        generate_unique_id_function=operation_id,
        servers=[{"url": PREFIX}],
    )
    app.state.site = site
    for router in (
        submissions.router,
        read_resources.router,
        reading_resources.router,
        import_controls.router,
        import_actions.router,
        undo_resource.router,
        checks.router,
        maintenance_resource.router,
        host_resources.router,
    ):
        app.include_router(router)
    app.add_api_route("/problems", _problems, include_in_schema=False)
    for error in (ProblemAnswer, RateLimited):  # subclasses included
        app.add_exception_handler(error, on_problem)
    for unreadable in (BadRequest, UnicodeEncodeError):
        app.add_exception_handler(unreadable, on_bad_request)
    app.add_exception_handler(RequestValidationError, on_invalid_request)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(InstallationFault, on_installation_fault)
    app.add_exception_handler(Exception, on_internal_error)
    app.openapi = partial(described, app)  # type: ignore[method-assign]
    return IdempotentRequests(app, site.deps)


def _problems(request: Request) -> Response:
    texts = accepted_texts(request)
    return JSONResponse(
        {code: {"status": status, "title": title(texts, code)} for code, status in STATUSES.items()}
    )
