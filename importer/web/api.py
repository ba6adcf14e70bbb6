"""The API for a host's control panel: the same use cases, by token.

Errors are problem details (RFC 9457). A request with an `Idempotency-Key` is done once: sent again with the
same body, it gets the same answer. What a token started is there for that token alone.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Depends, Header, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from importer.domain import cells
from importer.domain.access import ApiToken, Reply, Scope
from importer.domain.model import Account, BatchId, Import, ImportId
from importer.domain.rows import BATCH_ROWS, Row
from importer.domain.wording import printable
from importer.service.control import Changed, cancel, pause, resume
from importer.service.deps import Deps
from importer.service.finish import batch_report, report_of
from importer.service.owned import batch_of, batches_of, import_of
from importer.service.submit import Submission, submit
from importer.service.tokens import holder
from importer.web.site import Site
from providers.model import Endpoint, Secret

T = TypeVar("T")

REPLIES_LAST: Final = timedelta(hours=24)
UNDER_WAY_AT_MOST: Final = timedelta(minutes=5)
"""Then the process that had the request in hand is gone. Imports that it started are not started twice."""

_BEARER: Final = HTTPBearer(auto_error=False, description="Made by `mailferry token create`.")
_ID: Final = r"^[a-z0-9]{12}$"
_PROBLEM: Final[dict[str, Any]] = {"content": {"application/problem+json": {}}}

router: Final = APIRouter(
    prefix="/api/v1",
    responses={
        401: {"description": "No token, or one that does not hold", **_PROBLEM},
        403: {"description": "The token may not do this", **_PROBLEM},
        404: {"description": "Not there, or not yours", **_PROBLEM},
        409: {"description": "The same request is under way", **_PROBLEM},
        422: {"description": "The request cannot be used; `errors` says where", **_PROBLEM},
    },
)


class ApiProblem(Exception):
    """An answer that is no success."""

    def __init__(
        self, status: int, code: str, detail: str, errors: list[dict[str, str]] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = errors or []


# --- What is sent -----------------------------------------------------------------------------------


class _Sent(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SourceIn(_Sent):
    """The mailbox that the mail comes from. Without `server` it is found from the address."""

    address: str = Field(max_length=320, examples=["ada@old.example"])
    password: str = Field(max_length=1000, json_schema_extra={"format": "password"})
    server: str = Field("", max_length=320, examples=["imaps://imap.old.example"])


class DestinationIn(_Sent):
    """The mailbox that it goes into, at the host that this installation serves."""

    address: str = Field(max_length=320, examples=["ada@new.example"])
    password: str = Field(max_length=1000, json_schema_extra={"format": "password"})


class ImportIn(_Sent):
    """One import."""

    source: SourceIn
    destination: DestinationIn


class BatchIn(_Sent):
    """1 to 25 imports. `notify` gets the mails about them; `again` starts complete ones once more."""

    imports: list[ImportIn] = Field(min_length=1, max_length=BATCH_ROWS)
    name: str = Field("", max_length=200)
    notify: str = Field("", max_length=320)
    again: bool = False


# --- Who asks ---------------------------------------------------------------------------------------


def _site(request: Request) -> Site:
    site: Site = request.app.state.site
    return site


Pages = Annotated[Site, Depends(_site)]


def _allowed(scope: Scope) -> Callable[..., ApiToken]:
    def token_with_scope(
        site: Pages, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]
    ) -> ApiToken:
        token = holder(site.deps, given.credentials) if given is not None else None
        if token is None:
            raise ApiProblem(401, "token_missing", "Send a token: Authorization: Bearer mf_…")
        if scope not in token.scopes:
            raise ApiProblem(403, "scope_missing", f"This token lacks the scope {scope}.")
        return token

    return token_with_scope


Reader = Annotated[ApiToken, Depends(_allowed(Scope.READ))]
Writer = Annotated[ApiToken, Depends(_allowed(Scope.WRITE))]
BatchPath = Annotated[str, Path(pattern=_ID)]
ImportPath = Annotated[str, Path(pattern=_ID)]


# --- Calls ------------------------------------------------------------------------------------------


@router.post("/batches", status_code=201, summary="Start a batch of imports")
def start(
    site: Pages,
    token: Writer,
    batch: BatchIn,
    idempotency_key: Annotated[str, Header(max_length=200)] = "",
) -> Response:
    if not idempotency_key:
        return _started(site, token, batch)
    deps, key = site.deps, f"{token.digest} {idempotency_key}"
    # There are passwords in it: without the vault's key nobody can try out which.
    digest = deps.vault.mark(Secret(f"request {batch.model_dump_json()}"))
    earlier = deps.store.claim_reply(Reply(key, digest), deps.clock.now(), UNDER_WAY_AT_MOST)
    if earlier is None:
        try:
            answer = _started(site, token, batch)
        except BaseException:
            deps.store.drop_reply(key)
            raise
        until = deps.clock.now() + REPLIES_LAST
        deps.store.keep_reply(key, answer.status_code, bytes(answer.body).decode("utf-8"), until)
        return answer
    if earlier.request_digest != digest:
        raise ApiProblem(422, "key_reused", "This idempotency key came with another request before.")
    if not earlier.status:
        raise ApiProblem(409, "under_way", "The same request is under way; ask again in a moment.")
    return Response(earlier.body, earlier.status, media_type="application/json")


@router.get("/batches", summary="Your batches, newest first")
def batches(site: Pages, token: Reader, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> Response:
    found = [
        {
            "id": batch.id,
            "name": batch.name,
            "created_at": batch.created_at.isoformat(),
            "imports": [_brief(import_) for import_ in imports],
        }
        for batch, imports in batches_of(site.deps, token.person, limit)
    ]
    return JSONResponse({"batches": found})


@router.get("/batches/{batch_id}", summary="A batch with the reports of its imports")
def batch_now(site: Pages, token: Reader, batch_id: BatchPath) -> Response:
    owned = batch_of(site.deps, token.person, BatchId(batch_id))
    report = batch_report(site.deps, BatchId(batch_id)) if owned is not None else None
    if report is None:
        raise _not_there()
    return JSONResponse(report.as_json())


@router.get("/imports/{import_id}", summary="An import with its report")
def import_now(site: Pages, token: Reader, import_id: ImportPath) -> Response:
    return JSONResponse(report_of(site.deps, _owned(site.deps, token, import_id)).as_json())


@router.post("/imports/{import_id}/pause", summary="Pause an import")
def hold(site: Pages, token: Writer, import_id: ImportPath) -> Response:
    return _wished(site.deps, token, import_id, pause)


@router.post("/imports/{import_id}/resume", summary="Let a paused or waiting import go on now")
def go_on(site: Pages, token: Writer, import_id: ImportPath) -> Response:
    return _wished(site.deps, token, import_id, resume)


@router.post("/imports/{import_id}/cancel", summary="End an import for good")
def give_up(site: Pages, token: Writer, import_id: ImportPath) -> Response:
    return _wished(site.deps, token, import_id, cancel)


# --- Answers ----------------------------------------------------------------------------------------


def problem(status: int, code: str, detail: str, errors: list[dict[str, str]] | None = None) -> Response:
    """RFC 9457; `code` is stable, `detail` is for people."""
    body: dict[str, Any] = {"type": "about:blank", "status": status, "code": code, "detail": detail}
    if errors:
        body["errors"] = errors
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return JSONResponse(body, status, headers, "application/problem+json")


def of_api_problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiProblem)  # noqa: S101 - registered for it
    return problem(error.status, error.code, error.detail, error.errors)


def of_invalid_request(_request: Request, error: Exception) -> Response:
    """What is wrong and where, and never what was sent there: it may be a password."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it
    errors = [
        {"pointer": "/" + "/".join(str(part) for part in one["loc"]), "detail": str(one["msg"])}
        for one in error.errors()
    ]
    return problem(422, "invalid_request", "The request cannot be used.", errors)


def _started(site: Site, token: ApiToken, batch: BatchIn) -> Response:
    errors: list[dict[str, str]] = []
    rows = [
        row
        for number, one in enumerate(batch.imports)
        if (row := _row(site, number, one, errors)) is not None
    ]
    if batch.notify:
        _checked(errors, "/notify", lambda: cells.address(batch.notify))
    pairs = [(row.source.key, row.destination.key) for row in rows]
    if len(set(pairs)) < len(pairs):
        errors.append({"pointer": "/imports", "detail": "The same import is asked for twice."})
    if errors:
        raise ApiProblem(422, "invalid_request", "Nothing was started.", errors)
    submission = submit(
        site.deps,
        rows,
        name=printable(batch.name),
        submitter=batch.notify.strip(),
        owner=token.person,
        again=batch.again,
    )
    return JSONResponse(_submission(submission), 201)


def _row(site: Site, number: int, one: ImportIn, errors: list[dict[str, str]]) -> Row | None:
    at, before = f"/imports/{number}", len(errors)
    address = _checked(errors, f"{at}/source/address", lambda: cells.address(one.source.address))
    password = _checked(errors, f"{at}/source/password", lambda: cells.password(one.source.password))
    server = _checked(errors, f"{at}/source/server", lambda: cells.server(one.source.server))
    new_address = _checked(
        errors, f"{at}/destination/address", lambda: cells.address(one.destination.address)
    )
    new_password = _checked(
        errors, f"{at}/destination/password", lambda: cells.password(one.destination.password)
    )
    if len(errors) > before:
        return None
    assert address and password and server and new_address and new_password  # noqa: S101, PT018
    source = _source(site, address, server)
    if source is None:
        errors.append({"pointer": f"{at}/source/server", "detail": "Name the mail server of this address."})
        return None
    destination = Account(new_address, new_address, site.destination)
    if source.key == destination.key:
        errors.append({"pointer": at, "detail": "Source and destination are the same mailbox."})
        return None
    return Row(number, source, password, destination, new_password)


def _source(site: Site, address: str, given: cells.Server) -> Account | None:
    if given.endpoint is not None:
        return Account(address, given.login or address, given.endpoint, guarded=True)
    provider = site.lookups().for_address(address)
    endpoint: Endpoint | None = provider.source_endpoint if provider is not None else None
    if provider is None or endpoint is None:
        return None
    return Account(address, provider.login_name(address), endpoint, guarded=True)


def _checked(errors: list[dict[str, str]], pointer: str, check: Callable[[], T]) -> T | None:
    try:
        return check()
    except cells.Refused as refused:
        errors.append({"pointer": pointer, "rule": refused.rule, "detail": f"{refused} {refused.fix}"})
        return None


def _submission(submission: Submission) -> dict[str, object]:
    return {
        "batch_id": submission.batch.id if submission.batch is not None else None,
        "imports": [
            {"row": placed.row.line, "fate": placed.fate.value, **_brief(placed.import_)}
            for placed in submission.placed
        ],
    }


def _brief(import_: Import) -> dict[str, object]:
    return {
        "id": import_.id,
        "source": import_.source.address,
        "destination": import_.destination.address,
        "state": import_.state.value,
    }


def _wished(
    deps: Deps, token: ApiToken, import_id: str, wish: Callable[[Deps, ImportId], Changed]
) -> Response:
    changed = wish(deps, _owned(deps, token, import_id).id)
    return JSONResponse(
        {"effect": changed.effect.value, "message": changed.message, **_brief(changed.import_)}
    )


def _owned(deps: Deps, token: ApiToken, import_id: str) -> Import:
    import_ = import_of(deps, token.person, ImportId(import_id))
    if import_ is None:
        raise _not_there()
    return import_


def _not_there() -> ApiProblem:
    return ApiProblem(404, "not_found", "There is no such thing, or it is not yours.")
