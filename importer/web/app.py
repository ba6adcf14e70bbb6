"""The web application: the routes of the pages, the API below them, and the error pages."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp

from importer.domain.audit_event import AuditAction
from importer.inspection import readiness_faults
from importer.ports.process import InstallationFault
from importer.readiness import remembered_faults
from importer.remembered import Remembered
from importer.service.access.concurrency_limit import PersonShares
from importer.service.access.web_sessions import SessionEnded
from importer.service.deps import Deps
from importer.settings import Settings, SettingsError
from importer.web.api.application import PREFIX, mounted
from importer.web.api.problem_details import RETRY_AFTER_S, unavailable
from importer.web.audit_middleware import AuditMiddleware, audit_note
from importer.web.bad_requests import BadRequest, not_unicode
from importer.web.cookies import set_wanted_page
from importer.web.live_progress import Feed
from importer.web.middleware import BodyTooLarge, RequestGuard
from importer.web.pages import (
    activity_page,
    batch_pages,
    consent_page,
    csv_upload,
    destination_sign_in,
    downloads,
    home,
    import_buttons,
    import_pages,
    imports_page,
    new_import,
    old_address,
    old_mailbox,
    openid_pages,
    operator_audit,
    operator_board,
    operator_changes,
    operator_hosts,
    operator_imports,
    provider_callback,
    reading_page,
    schedule_control,
    source_check,
    source_sign_in,
    way_on,
)
from importer.web.pages.own_imports import PageNotFound
from importer.web.reading_jobs import ReadingJobs
from importer.web.rendering import assets, brand_assets, page, redirect
from importer.web.request_context import (
    FormExpired,
    SignInNeeded,
    Site,
    accepted_texts,
    current_visitor,
    route_path,
    submitted_form,
    unknown_visitor,
    wanted_page,
)
from importer.web.request_shares import RequestShares
from importer.web.shown_state import PageOutdated
from importer.web.typed_text import KEPT_FIELDS, keep_form
from importer.web.undo_jobs import UndoJobs
from providers.bulk_discovery import BulkDiscovery
from providers.catalog import Catalog
from providers.text import Text

_IMMUTABLE: Final = "public, max-age=31536000, immutable"
MAINTENANCE_REMEMBERED_S: Final = 2.0

log = structlog.get_logger()


def create_app(deps: Deps, settings: Settings, lookups: Callable[[], BulkDiscovery]) -> ASGIApp:
    """Create the application. `lookups` returns the object that finds the mail servers of addresses.

    Raises SettingsError without MAILHAUL_DESTINATION_SERVER: users sign in with a mailbox there.
    """
    if settings.destination_server is None:
        raise SettingsError(Text("setting_destination_missing"))
    # Starlette would redirect to the path with or without a final slash, at the host that the request names.
    app = FastAPI(title="Mailhaul", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.add_middleware(RequestShares)
    app.state.site = Site(
        deps,
        settings,
        Catalog.load(),
        lookups,
        settings.destination_server,
        Feed(deps),
        UndoJobs(),
        ReadingJobs(),
        PersonShares(),
        Remembered(deps.store.maintenance, MAINTENANCE_REMEMBERED_S),
    )
    app.state.faults = remembered_faults(partial(readiness_faults, settings))
    for router in (
        home.router,
        old_address.router,
        old_mailbox.router,
        source_sign_in.router,
        destination_sign_in.router,
        new_import.router,
        source_check.router,
        openid_pages.router,  # before provider_callback: its path also matches /sign-in/{provider}
        provider_callback.router,
        consent_page.router,
        batch_pages.router,
        imports_page.router,
        downloads.router,
        import_buttons.router,
        import_pages.router,
        way_on.router,
        schedule_control.router,
        reading_page.router,
        csv_upload.router,
        activity_page.router,
        operator_board.router,
        operator_imports.router,
        operator_changes.router,
        operator_hosts.router,
        operator_audit.router,
    ):
        app.include_router(router, include_in_schema=False)
    app.router.routes.append(mounted(app.state.site))
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_api_route("/static/{digest}/{name}", _static, include_in_schema=False)
    for path in ("/healthz", "/health"):
        app.add_api_route(path, _healthz, include_in_schema=False)
    app.add_api_route("/readyz", _readyz, include_in_schema=False)
    app.add_exception_handler(SignInNeeded, _sign_in_needed)
    app.add_exception_handler(SessionEnded, _sign_in_needed)
    app.add_exception_handler(FormExpired, _form_expired)
    app.add_exception_handler(PageOutdated, _page_outdated)
    app.add_exception_handler(BodyTooLarge, _body_too_large)
    app.add_exception_handler(BadRequest, _bad_request)
    app.add_exception_handler(UnicodeEncodeError, _bad_request)
    app.add_exception_handler(ClientDisconnect, _client_left)
    app.add_exception_handler(PageNotFound, _page_not_found)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(InstallationFault, _installation_fault)
    app.add_exception_handler(Exception, _internal_error)
    guard = RequestGuard(
        app,
        settings.web_origin,
        own_host_only=bool(settings.public_url),
        hsts_subdomains=settings.hsts_subdomains,
        frame_ancestors=settings.frame_ancestors,
    )
    return AuditMiddleware(guard, deps)


def _invalid_request(request: Request, _error: Exception) -> Response:
    return page(current_visitor(request), "error.html", 422, kind="refused")


async def _static(request: Request, digest: str, name: str) -> Response:
    asset = (assets() | brand_assets(request.app.state.site.brand)).get(name)
    if asset is None:
        raise HTTPException(404)
    current = asset.path == f"/static/{digest}/{name}"
    headers = {"Cache-Control": _IMMUTABLE if current else "no-cache"}
    return Response(asset.content, media_type=asset.media_type, headers=headers)


async def _healthz() -> Response:
    """Liveness of this process. The event loop answers, even while every thread is busy."""
    return PlainTextResponse("ok")


def _readyz(request: Request) -> Response:
    """Readiness of this installation: 200, or 503 with the parts that fail."""
    failed = request.app.state.faults()
    if not failed:
        return PlainTextResponse("ok")
    return PlainTextResponse(
        f"not ready: {', '.join(failed)}", 503, headers={"Retry-After": str(RETRY_AFTER_S)}
    )


async def _sign_in_needed(request: Request, _error: Exception) -> Response:
    """The start page. After the sign-in, the browser returns to the requested page, with the typed text."""
    response, site = redirect("/"), request.app.state.site
    if wanted := wanted_page(request):
        set_wanted_page(response, site, wanted)
    if request.method == "POST" and request.url.path in KEPT_FIELDS:
        visitor = await run_in_threadpool(current_visitor, request)
        with suppress(FormExpired, BadRequest, BodyTooLarge):
            keep_form(response, site, request.url.path, await submitted_form(request, visitor))
    return response


def _form_expired(request: Request, _error: Exception) -> Response:
    note = audit_note(request)
    note.action, note.detail = AuditAction.FORM_REFUSE, Text("audit_csrf_token")
    return page(current_visitor(request), "error.html", 403, kind="expired")


def _page_outdated(request: Request, _error: Exception) -> Response:
    return page(current_visitor(request), "error.html", 409, kind="outdated")


def _body_too_large(request: Request, _error: Exception) -> Response:
    return page(current_visitor(request), "error.html", 413, kind="large")


def _bad_request(request: Request, error: Exception) -> Response:
    bad = error if isinstance(error, BadRequest) else not_unicode()
    return page(current_visitor(request), "error.html", 400, kind="refused", rule=bad.rule)


def _client_left(_request: Request, _error: Exception) -> Response:
    return Response(status_code=400)  # the browser has disconnected


def _page_not_found(request: Request, _error: Exception) -> Response:
    return page(current_visitor(request), "error.html", 404, kind="missing")


def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 400
    return page(
        current_visitor(request), "error.html", status, kind="missing" if status == 404 else "refused"
    )


def _installation_fault(request: Request, error: Exception) -> Response:
    log.warning("request.unavailable", path=route_path(request), reason=str(error))
    if request.url.path.startswith(f"{PREFIX}/"):
        return unavailable().response(accepted_texts(request))
    response = page(unknown_visitor(request), "error.html", 503, kind="away")
    response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


def _internal_error(request: Request, error: Exception) -> Response:
    log.error("request.failed", path=route_path(request), exc_info=error)
    return page(current_visitor(request), "error.html", 500, kind="failed")
