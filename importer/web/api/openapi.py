"""The OpenAPI description that FastAPI derives from the operations, with additions that it cannot derive.

https://spec.openapis.org/oas/v3.1.0
"""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from importer.domain.reporting.webhook_events import EVENT, SIGNATURE, EventType
from importer.web.api.problem_details import MEDIA_TYPE, STATUSES

_WHY: Final = {
    EventType.FINISHED: "An import has ended.",
    EventType.ATTENTION: "An import needs a person: an owner has to sign in, or it has stopped.",
}

PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "description": "Problem details (RFC 9457). Members beyond `detail` belong to some codes only.",
    "required": ["type", "title", "status", "code"],
    "properties": {
        "type": {"type": "string", "description": "`/api/v1/problems#` and the code."},
        "title": {"type": "string", "description": "The code in a sentence, in the language of the request."},
        "status": {"type": "integer"},
        "code": {"type": "string", "enum": sorted(STATUSES)},
        "detail": {"type": "string", "description": "What to do."},
        "errors": {
            "type": "array",
            "items": {"$ref": "#/components/schemas/FieldError"},
            "description": "`request_invalid`: the fields that are wrong.",
        },
        "problems": {
            "type": "array",
            "items": {"$ref": "#/components/schemas/RowError"},
            "description": "`rows_refused`: the cells that are wrong, at most 50.",
        },
        "problems_more": {"type": "integer", "description": "`rows_refused`: how many more there are."},
        "reason": {"type": "string", "description": "`mailbox_refused`: the code of docs/errors.md."},
        "reason_detail": {"type": "string", "description": "`mailbox_refused`: that code, or more exact."},
        "params": {"type": "object", "description": "`mailbox_refused`: what its sentence contains."},
        "state": {"type": "string", "description": "`not_possible`: the state of the import."},
        "rule": {"type": "string", "description": "`refused`: the rule that the request breaks."},
    },
}
_FIELD_ERROR: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["in", "at", "rule", "message"],
    "properties": {
        "in": {"type": "string", "description": "body, query, path or header"},
        "at": {"type": "string", "description": "The field, with slashes."},
        "rule": {"type": "string"},
        "message": {"type": "string"},
    },
}
_ROW_ERROR: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["line", "column", "rule", "message", "fix"],
    "properties": {
        "line": {"type": "integer", "description": "1 is the first row of a JSON request."},
        **{name: {"type": "string"} for name in ("column", "rule", "message", "fix")},
    },
}
_EVENT: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["id", "type", "created_at", "import"],
    "properties": {
        "id": {"type": "string", "description": "The same for each delivery: discard repetitions."},
        "type": {"type": "string", "enum": [type_.value for type_ in EventType]},
        "created_at": {"type": "string", "format": "date-time"},
        "import": {
            "type": "object",
            "description": "The report of the import, without folders and refusals.",
            "required": ["id", "state"],
            "properties": {
                "id": {"type": "string"},
                "state": {"$ref": "#/components/schemas/State"},
            },
        },
    },
}
_SCHEMAS: Final = {"Problem": PROBLEM, "FieldError": _FIELD_ERROR, "RowError": _ROW_ERROR, "Event": _EVENT}

ERROR_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    status: {
        "description": text,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for status, text in (("4XX", "A problem of the request."), ("5XX", "A problem of the server."))
}


def _header(name: str, description: str, *, required: bool = True, **limits: int) -> dict[str, Any]:
    schema = {"type": "string", **limits}
    return {"name": name, "in": "header", "required": required, "schema": schema, "description": description}


_KEY_HEADER: Final = _header(
    "Idempotency-Key",
    "A text that is unique to the request, such as a UUID.",
    required=False,
    minLength=1,
    maxLength=255,
)


def operation_id(route: APIRoute) -> str:
    """The operation's id, from which code generators name methods: the name of its function."""
    return route.name


def described(app: FastAPI) -> dict[str, Any]:
    """The description, generated once."""
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
            servers=app.servers,
        )
        schema["components"]["schemas"] |= _SCHEMAS
        for path in schema["paths"].values():
            if "post" in path:
                path["post"].setdefault("parameters", []).append(_KEY_HEADER)
        schema["webhooks"] = {type_.value: {"post": _call(type_)} for type_ in EventType}
        app.openapi_schema = schema
    return app.openapi_schema


def _call(type_: EventType) -> dict[str, Any]:
    """The request that the receiver of a webhook gets."""
    return {
        "operationId": type_.value.replace(".", "_"),
        "summary": _WHY[type_],
        "description": f"Called at least once, signed in `{SIGNATURE}`. Answer with 2xx within ten seconds.",
        "parameters": [
            {
                "name": name,
                "in": "header",
                "required": True,
                "schema": {"type": "string"},
                "description": text,
            }
            for name, text in (
                (SIGNATURE, "`t=SECONDS,v1=HEX`, the HMAC-SHA256 of `SECONDS.BODY` with the secret."),
                (EVENT, "The id of the event."),
            )
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Event"}}},
        },
        "responses": {
            "2XX": {"description": "Taken."},
            "default": {"description": "Not taken: it is tried again, for more than three days."},
        },
        "security": [],
    }
