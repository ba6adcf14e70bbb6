"""Sign-in with OpenID Connect: the redirect to the issuer, and the callback.

The pending request is kept in a cookie of the browser that started it, sealed for the browser's token: see
`service/access/openid_sign_in.py`.
"""

from __future__ import annotations

from typing import Final

import structlog
from fastapi import APIRouter, Request
from starlette.responses import Response

from importer.service.access.openid_sign_in import SIGN_IN_TIMEOUT, NoAddress, QuestionGone, begin, complete
from importer.service.access.rate_limits import RateLimited
from importer.service.access.web_sessions import sign_out
from importer.web.cookies import (
    delete_sign_in_state,
    set_session_token,
    set_sign_in_state,
    sign_in_state,
)
from importer.web.error_texts import rate_limited
from importer.web.pages.home import after_sign_in
from importer.web.rendering import page
from importer.web.request_context import AnyVisitor, Fields, Visitor
from providers.errors import LoginRejected, MailError
from providers.text import Text

router: Final = APIRouter()

_COOKIE: Final = "openid"

log = structlog.get_logger()


@router.post("/sign-in/openid")
def start_sign_in(visitor: AnyVisitor, _fields: Fields) -> Response:
    """A page that forwards to the issuer: the Content-Security-Policy restricts forms to this host."""
    try:
        url, sealed = begin(visitor.site.deps, visitor.token, client=visitor.client)
    except (MailError, RateLimited) as error:
        return _sign_in_failed(visitor, error)
    response = page(visitor, "going_on.html", kind="sign-in", url=url)
    set_sign_in_state(response, visitor.site, _COOKIE, sealed.decode(), int(SIGN_IN_TIMEOUT.total_seconds()))
    return response


@router.get("/sign-in/openid")
def sign_in_callback(visitor: AnyVisitor, request: Request) -> Response:
    """The redirect URI: the browser returns here with the issuer's answer. The new session gets a new
    token."""
    site = visitor.site
    sealed = sign_in_state(request, site, _COOKIE).encode("utf-8", "surrogatepass")
    try:
        answer = dict(request.query_params)
        token, session = complete(
            site.deps, visitor.token, sealed, answer, site.destination, client=visitor.client
        )
    except (MailError, QuestionGone, NoAddress) as error:
        response = _sign_in_failed(visitor, error)
    else:
        visitor.audit.actor, visitor.audit.detail = session.person, Text("audit_openid")
        if visitor.session is not None:
            sign_out(site.deps, visitor.session)
        response = after_sign_in(request, site)
        set_session_token(response, site, token)
    delete_sign_in_state(response, site, _COOKIE)
    return response


def _sign_in_failed(visitor: Visitor, error: MailError | RateLimited | QuestionGone | NoAddress) -> Response:
    if isinstance(error, MailError):
        visitor.audit.detail = error.text
        log.warning("openid.refused", code=error.code, said=str(error), server_text=error.server_text)
    message, status = _message(visitor, error)
    return page(visitor, "front.html", status, values={}, errors={"form": message})


def _message(visitor: Visitor, error: MailError | RateLimited | QuestionGone | NoAddress) -> tuple[str, int]:
    texts = visitor.texts
    match error:
        case RateLimited():
            return rate_limited(texts, error), 422
        case QuestionGone():
            return texts.gettext(
                "The sign-in did not start in this browser, or it took too long. Please sign in again."
            ), 403
        case NoAddress():
            return texts.gettext("No mailbox belongs to this account. Contact its administrator."), 403
        case LoginRejected():
            return texts.gettext(
                "The sign-in failed. Try again, or contact the operator of this service."
            ), 403
        case _:
            return texts.gettext(
                "The sign-in service is not responding at the moment. Try again in a few minutes."
            ), 503
