"""Records the security event of each request that changes something: actor, action, origin and outcome.

AUDITED has the action of each route; `tests/unit/test_audited_routes.py` fails for a route that changes
something and is in neither table. Handlers add details to the AuditNote of their request.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from importer.domain.audit_event import AuditAction, AuditActor, AuditOutcome, sided_detail
from importer.domain.model import Account
from importer.ports.process import InstallationFault
from importer.service.access.audit import record_event, record_import_event
from importer.service.deps import Deps
from providers.errors import HostForbidden, LoginRejected, MailError
from providers.text import Text

AUDITED: Final = {
    ("POST", "/sign-in"): AuditAction.SIGN_IN,
    ("GET", "/sign-in/openid"): AuditAction.SIGN_IN,
    ("POST", "/sign-out"): AuditAction.SIGN_OUT,
    ("POST", "/activity/end-others"): AuditAction.SESSIONS_END,
    ("POST", "/mailboxes"): AuditAction.MAILBOX_OPEN,
    ("POST", "/new/mailbox"): AuditAction.MAILBOX_OPEN,
    ("POST", "/check"): AuditAction.MAILBOX_OPEN,
    ("GET", "/sign-in/{provider}"): AuditAction.CONSENT_GIVE,
    ("POST", "/new/start"): AuditAction.IMPORT_START,
    ("POST", "/file/start"): AuditAction.IMPORT_START,
    ("POST", "/imports/{import_id}/again/start"): AuditAction.IMPORT_START,
    ("POST", "/imports"): AuditAction.IMPORT_START,
    ("POST", "/batches"): AuditAction.IMPORT_START,
    ("POST", "/batches/csv"): AuditAction.IMPORT_START,
    ("POST", "/imports/{import_id}/run-again"): AuditAction.IMPORT_START,
    ("POST", "/imports/{import_id}/pause"): AuditAction.IMPORT_PAUSE,
    ("POST", "/imports/{import_id}/resume"): AuditAction.IMPORT_RESUME,
    ("POST", "/imports/{import_id}/retry"): AuditAction.IMPORT_RESUME,
    ("POST", "/imports/{import_id}/cancel"): AuditAction.IMPORT_CANCEL,
    ("POST", "/imports/{import_id}/schedule"): AuditAction.IMPORT_SCHEDULE,
    ("POST", "/imports/{import_id}/undo"): AuditAction.IMPORT_UNDO,
    ("POST", "/imports/{import_id}/verify"): AuditAction.MAILBOX_OPEN,
    ("POST", "/imports/{import_id}/verify/message"): AuditAction.MAILBOX_OPEN,
    ("POST", "/imports/{import_id}/verification"): AuditAction.MAILBOX_OPEN,
    ("POST", "/imports/{import_id}/message-trace"): AuditAction.MAILBOX_OPEN,
    ("POST", "/imports/{import_id}/remind"): AuditAction.CONSENT_REMIND,
    ("POST", "/batches/{batch_id}/pause"): AuditAction.IMPORT_PAUSE,
    ("POST", "/batches/{batch_id}/resume"): AuditAction.IMPORT_RESUME,
    ("POST", "/batches/{batch_id}/cancel"): AuditAction.IMPORT_CANCEL,
}
"""Method and path pattern, of the pages and of the API below its prefix."""

UNAUDITED: Final = frozenset(
    {
        ("POST", "/language"),  # a choice of the browser
        ("POST", "/sign-in/openid"),  # forwards to the issuer; the callback is recorded
        (
            "POST",
            "/consent/{token}",
        ),  # forwards to the provider; the callback is recorded, and a password
        ("POST", "/new"),  # the draft of a submission, which is recorded when it starts
        ("POST", "/new/remove"),
        ("POST", "/new/consent"),
        ("POST", "/new/sign-in"),  # forwards to the provider; the callback is recorded
        ("POST", "/new/destination/sign-in"),  # as above
        ("POST", "/file"),
        ("POST", "/file/correct"),
        ("POST", "/imports/{import_id}/again"),
        ("POST", "/imports/{import_id}/again/sign-in"),  # forwards to the provider, as above
        ("POST", "/imports/{import_id}/again/destination"),  # as above
        ("POST", "/detect"),  # opens no mailbox
        ("POST", "/pauses/clear"),  # recorded by the use case, for each pause
        ("POST", "/maintenance"),  # recorded by the use case, once it is in force
        ("POST", "/operator/changes"),  # recorded for each import, when it is changed
        ("POST", "/operator/pauses/clear"),  # recorded by the use case, as the next
        ("POST", "/operator/maintenance"),
        ("POST", "/import-actions/{action}"),  # as the changes of operators
    }
)

log = structlog.get_logger()


@dataclass(slots=True)
class AuditNote:
    """Details that the handlers of one request add to its event. Each of `targets` gets an event."""

    actor: str = ""
    concerns: str = ""
    targets: list[str] = field(default_factory=list)
    detail: Text | None = None
    action: AuditAction | None = None  # in place of the route's
    failed: bool = False  # the host did not answer: the login neither failed nor succeeded
    forwarded: bool = False  # to a provider; the callback is recorded


def audit_note(connection: HTTPConnection) -> AuditNote:
    """The note of this request."""
    note: AuditNote = connection.scope.setdefault("state", {}).setdefault("audit", AuditNote())
    return note


def note_login(note: AuditNote, account: Account, error: Exception | None, concerns: str = "") -> None:
    """Record the mailbox that the request logged in to, and the error; None if the login succeeded."""
    note.targets, note.concerns = [account.key], concerns
    if isinstance(error, MailError):
        note.detail = sided_detail(error.text, error.side)
        note.failed = not isinstance(error, LoginRejected | HostForbidden)
        if isinstance(error, HostForbidden):
            note.action, note.targets = AuditAction.HOST_REFUSE, [account.endpoint.host]
    elif error is not None:
        note.detail = Text("audit_rate_limit")


class AuditMiddleware:
    """Wraps the application. The event is recorded once the response is complete."""

    def __init__(self, app: ASGIApp, deps: Deps) -> None:
        self._app = app
        self._deps = deps

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        note = scope.setdefault("state", {})["audit"] = AuditNote()
        status = 500

        async def send_and_see(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_see)
        finally:
            path = getattr(scope.get("route"), "path", "")
            action = note.action or AUDITED.get((scope["method"], path))
            if action is not None and not note.forwarded:
                try:
                    await run_in_threadpool(self._record, action, note, scope, status)
                except InstallationFault as error:  # the response already reports the database fault
                    log.warning("audit.not_recorded", action=action.value, reason=str(error))

    def _record(self, action: AuditAction, note: AuditNote, scope: Scope, status: int) -> None:
        client = scope.get("client")
        actor = AuditActor(note.actor, client[0] if client else "")
        outcome = _outcome(status, failed=note.failed)
        params: dict[str, Any] = scope.get("path_params", {})
        target = params.get("import_id", "")
        for each in note.targets or [target]:
            if action in AuditAction.about_imports() and each:
                record_import_event(self._deps, action, outcome, actor, each, detail=note.detail)
            else:
                record_event(
                    self._deps,
                    action,
                    outcome,
                    actor,
                    target=each,
                    concerns=note.concerns or note.actor,
                    detail=note.detail,
                )


def _outcome(status: int, *, failed: bool) -> AuditOutcome:
    if failed or status >= 500:
        return AuditOutcome.FAILED
    return AuditOutcome.DONE if status < 400 else AuditOutcome.REFUSED
