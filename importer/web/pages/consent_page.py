"""Consent of mailbox owners: the page behind a consent link, the redirect to the provider, and the callback.

The `state` of a request is kept for ten minutes in the browser that started it. An answer in another browser
is rejected (RFC 6749 section 10.12), and so is one at the redirect address of another provider (RFC 9700
section 4.4.2). `service/access/owner_consent.py` handles PKCE, the single use of a state, and the check
whose mailbox it is.
"""

from __future__ import annotations

import hmac
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from importer.domain.audit_event import AuditAction
from importer.service.access.owner_consent import LinkGone, begin, complete, find_prompt, pending_sides
from importer.web.cookies import delete_sign_in_state, set_sign_in_state, sign_in_state
from importer.web.rendering import page
from importer.web.request_context import AnyVisitor, Fields
from providers.errors import LoginRejected, MailError

STATE_LIFETIME_S: Final = 600

router: Final = APIRouter()

_COOKIE: Final = "asked"


@router.get("/consent/{token}")
def consent_prompt(visitor: AnyVisitor, token: str) -> Response:
    try:
        return page(visitor, "consent.html", prompt=find_prompt(visitor.site.deps, token), token=token)
    except LinkGone:
        return page(visitor, "consent_over.html", 404, kind="gone")


@router.post("/consent/{token}")
def start_sign_in(visitor: AnyVisitor, _fields: Fields, token: str) -> Response:
    """A page that forwards to the provider. A redirect is impossible: the Content-Security-Policy restricts
    forms, including their redirects, to this host."""
    try:
        provider = find_prompt(visitor.site.deps, token).provider
        question = begin(visitor.site.deps, token)
    except LinkGone:
        return page(visitor, "consent_over.html", 404, kind="gone")
    except LoginRejected:
        return page(visitor, "consent_over.html", 409, kind="closed")
    response = page(visitor, "going_on.html", kind="consent", url=question.url)
    state = f"{provider}:{question.state}"
    set_sign_in_state(response, visitor.site, _COOKIE, state, STATE_LIFETIME_S)
    return response


@router.get("/sign-in/{provider}")
def sign_in_callback(visitor: AnyVisitor, request: Request, provider: str) -> Response:
    """The redirect address for `provider`: the browser returns here with the owner's answer."""
    expected = sign_in_state(request, visitor.site, _COOKIE)
    state = request.query_params.get("state", "")
    if not expected or not hmac.compare_digest(expected.encode(), f"{provider}:{state}".encode()):
        return page(visitor, "consent_over.html", 403, kind="elsewhere")
    try:
        import_ = complete(visitor.site.deps, state, dict(request.query_params))
    except LinkGone:
        response = page(visitor, "consent_over.html", 404, kind="gone")
    except LoginRejected:
        visitor.audit.action = AuditAction.CONSENT_DECLINE
        return page(visitor, "consent_over.html", 409, kind="refused")
    except MailError:
        return page(visitor, "consent_over.html", 503, kind="later")
    else:
        visitor.audit.targets = [import_.id]
        kind = "one_of_two" if pending_sides(visitor.site.deps, import_) else "given"
        response = page(visitor, "consent_over.html", kind=kind, import_=import_)
    delete_sign_in_state(response, visitor.site, _COOKIE)
    return response
