"""Owners sign in at their mail host: the page that a link leads to, the way there, and the way back.

The state of a question is kept in the browser that asked it, for ten minutes: an answer that comes to another
browser is not taken (RFC 6749 section 10.12), nor one at the redirect address of another provider (RFC 9700
section 4.4.2). PKCE, the one use of a state and whose mailbox it is are the concern of `service/consent.py`.
"""

from __future__ import annotations

import hmac
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from importer.service.access.owner_consent import LinkGone, begin, complete, find_prompt, pending_sides
from importer.web import oauth_cookies
from importer.web.rendering import page
from importer.web.request_context import AnyVisitor, Fields
from providers.errors import LoginRejected, MailError

STATE_LASTS_S: Final = 600

router: Final = APIRouter()

_ERRAND: Final = "asked"


@router.get("/consent/{token}")
def asked(who: AnyVisitor, token: str) -> Response:
    try:
        return page(who, "consent.html", asked=find_prompt(who.site.deps, token), token=token)
    except LinkGone:
        return page(who, "consent_over.html", 404, kind="gone")


@router.post("/consent/{token}")
def go_there(who: AnyVisitor, _fields: Fields, token: str) -> Response:
    """A page that leads on by itself: a form may not be answered with a redirect to another host, since
    the Content-Security-Policy lets forms go nowhere else."""
    try:
        provider = find_prompt(who.site.deps, token).provider
        question = begin(who.site.deps, token)
    except LinkGone:
        return page(who, "consent_over.html", 404, kind="gone")
    except LoginRejected:
        return page(who, "consent_over.html", 409, kind="closed")
    response = page(who, "going_on.html", kind="consent", url=question.url)
    oauth_cookies.keep(response, who.site, _ERRAND, f"{provider}:{question.state}", STATE_LASTS_S)
    return response


@router.get("/sign-in/{provider}")
def back(who: AnyVisitor, request: Request, provider: str) -> Response:
    """Where `provider` sends the browser with the owner's answer."""
    kept = oauth_cookies.kept(request, who.site, _ERRAND)
    given = request.query_params.get("state", "")
    if not kept or not hmac.compare_digest(kept.encode(), f"{provider}:{given}".encode()):
        return page(who, "consent_over.html", 403, kind="elsewhere")
    try:
        import_ = complete(who.site.deps, given, dict(request.query_params))
    except LinkGone:
        response = page(who, "consent_over.html", 404, kind="gone")
    except LoginRejected:
        return page(who, "consent_over.html", 409, kind="refused")
    except MailError:
        return page(who, "consent_over.html", 503, kind="later")
    else:
        kind = "one_of_two" if pending_sides(who.site.deps, import_) else "given"
        response = page(who, "consent_over.html", kind=kind, import_=import_)
    oauth_cookies.forget(response, who.site, _ERRAND)
    return response
