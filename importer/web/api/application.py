"""The API put together: resources, problems in place of faults, and its description (OpenAPI)."""

from __future__ import annotations

import re
from typing import Any, Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount
from starlette.types import ASGIApp

from importer.service.access.rate_limits import RateLimited
from importer.web.api import checks, import_controls, read_resources, submissions, undo_resource
from importer.web.api.idempotent_requests import IdempotentRequests
from importer.web.api.problem_details import (
    MEDIA_TYPE,
    TITLES,
    ProblemAnswer,
    on_fault,
    on_http,
    on_invalid,
    on_problem,
)
from importer.web.request_context import Site

PREFIX: Final = "/api/v1"

_ABOUT: Final = " ".join(
    (
        "Whole mailboxes from one IMAP host to another.",
        "Send a token as `Authorization: Bearer …`; `mailhaul token create` makes one.",
        "Errors are problem details (RFC 9457) with a stable `code`; `GET /problems` lists the codes.",
        "A POST may carry an `Idempotency-Key`: sent again within a day, it gets the same answer and is not",
        "done twice.",
    )
)

_PROBLEM: Final = {
    "type": "object",
    "required": ["type", "title", "status", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "enum": sorted(TITLES)},
        "detail": {"type": "string"},
    },
}
_ON_ERROR: Final[dict[int | str, dict[str, Any]]] = {
    status: {
        "description": text,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for status, text in (("4XX", "What the request has wrong."), ("5XX", "What is wrong with us."))
}
_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "Any text that no other request has, such as a UUID.",
}


def mounted(site: Site) -> Mount:
    """The API below PREFIX, for the application of the pages."""
    mount = Mount(PREFIX, create_api(site))
    # Starlette's own lets what has a line break in it through to the pages.
    mount.path_regex = re.compile(rf"^{PREFIX}/(?P<path>.*)$", re.DOTALL)
    return mount


def create_api(site: Site) -> ASGIApp:
    """To be mounted at PREFIX."""
    app = FastAPI(
        title="Mailhaul", version="1", description=_ABOUT, docs_url=None, redoc_url=None, responses=_ON_ERROR
    )
    app.state.site = site
    for router in (
        submissions.router,
        read_resources.router,
        import_controls.router,
        undo_resource.router,
        checks.router,
    ):
        app.include_router(router)
    app.add_api_route("/problems", _problems, include_in_schema=False)
    for fault in (ProblemAnswer, RateLimited):
        app.add_exception_handler(fault, on_problem)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(Exception, on_fault)
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]
    return IdempotentRequests(app, site.deps)


def _problems() -> Response:
    return JSONResponse(
        {code: {"status": status, "title": title} for code, (status, title) in TITLES.items()}
    )


def _described(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        found = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        found["servers"] = [{"url": PREFIX}]
        found["components"]["schemas"]["Problem"] = _PROBLEM
        for path in found["paths"].values():
            if "post" in path:
                path["post"].setdefault("parameters", []).append(_KEY)
        app.openapi_schema = found
    return app.openapi_schema
