"""The redirect URI of each provider: the browser returns here with the owner's answer.

A sign-in for a new import continues in the session that started it (`draft_sign_in.py`), a sign-in of a
consent link in the browser that opened the link (`consent_page.py`). Any other answer is rejected.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from importer.domain.audit_event import AuditAction
from importer.domain.model import Import, ImportId
from importer.service.access.draft_sign_in import SignInGone, complete, find, keep
from importer.service.access.rate_limits import RateLimited
from importer.service.access.session_sign_ins import PendingSignIn, SignInState
from importer.service.access.visibility import import_of
from importer.service.access.web_sessions import read_session_data
from importer.web.audit_middleware import note_login
from importer.web.cookies import set_session_token
from importer.web.pages.consent_page import complete_consent
from importer.web.pages.destination_sign_in import only_failed, page_after, retry_of, with_opened_destination
from importer.web.pages.old_mailbox import sign_in_host, with_verified_source
from importer.web.pages.sign_in_result import Retry, failure, result_page
from importer.web.pages.way_on import start_again
from importer.web.rendering import redirect
from importer.web.request_context import AnyVisitor, Guest
from providers.errors import MailError, Side
from providers.provider import PasswordKind, Provider, Quirk
from providers.text import Text

router: Final = APIRouter()


@router.get("/sign-in/{provider}")
def sign_in_callback(visitor: AnyVisitor, request: Request, provider: str) -> Response:
    answer = dict(request.query_params)
    if visitor.session is not None:
        data = read_session_data(visitor.site.deps, visitor.session)
        pending = find(data, provider, answer.get("state", ""))
        if pending is not None:
            return _complete_draft(Guest(visitor, visitor.session, data), pending, answer)
    return complete_consent(visitor, request, provider, answer)


def _complete_draft(guest: Guest, pending: PendingSignIn, answer: dict[str, str]) -> Response:
    """Open the mailbox of the owner who signed in, and continue with the review or the page that started the
    sign-in."""
    visitor, deps = guest.visitor, guest.visitor.site.deps
    visitor.audit.action = AuditAction.MAILBOX_OPEN
    if pending.progress is SignInState.DONE:
        visitor.audit.targets, visitor.audit.detail = [pending.account.key], Text("audit_loaded_again")
        onward = "/new/review" if guest.session_data.sources else "/imports"
        return result_page(guest, "again", onward=onward)
    rerun = _rerun(guest, pending)
    host = sign_in_host(guest, pending.account)
    retry = _retry(pending, host)
    has_labels = host is not None and Quirk.LABELS in host.quirks
    try:
        with visitor.site.shares.waiting.slot(guest.session.person):
            mailbox = complete(deps, guest.session, pending, answer, visitor.client, has_labels=has_labels)
    except SignInGone:
        visitor.audit.detail = Text("audit_sign_in_gone")
        return result_page(guest, "expired", retry=retry)
    except (MailError, RateLimited) as error:
        note_login(visitor.audit, pending.account, error)
        return failure(guest, error, retry=retry)
    note_login(visitor.audit, pending.account, None)
    if pending.starts and rerun is not None and mailbox.signed_in is not None:
        token = keep(deps, guest.session, pending, mailbox, lambda before: before)
        grant = mailbox.signed_in.grant
        response = start_again(guest, rerun, None, grant, failed_only=pending.failed_only)
    elif pending.side is Side.DESTINATION:
        token = keep(deps, guest.session, pending, mailbox, partial(with_opened_destination, mailbox))
        response = redirect(page_after(pending))
    else:
        token = keep(deps, guest.session, pending, mailbox, partial(with_verified_source, mailbox, rerun))
        response = redirect("/new/review")
    set_session_token(response, visitor.site, token)
    return response


def _retry(pending: PendingSignIn, host: Provider | None) -> Retry:
    if pending.side is Side.DESTINATION:
        return retry_of(pending.account.key, pending.again, failed_only=pending.failed_only)
    if pending.starts:
        return Retry(f"/imports/{pending.again}/again/sign-in", only_failed(pending.failed_only))
    other_way = "/new/mailbox" if host is not None and host.password is not PasswordKind.NONE else ""
    account = pending.account
    fields = {"address": account.address, "server": account.endpoint.host, "again": pending.again}
    return Retry("/new/sign-in", fields, other_way)


def _rerun(guest: Guest, pending: PendingSignIn) -> Import | None:
    """The import that the form runs again; None for a new one."""
    import_id = ImportId(pending.again)
    return import_of(guest.visitor.site.deps, guest.session.person, import_id) if import_id else None
