"""Signing in with OpenID Connect: the way there, the way back, and out again.

What is kept of the question is in a cookie of the browser that asked it, sealed for its token:
see `service/openid.py`.
"""

from __future__ import annotations

from typing import Final

import structlog
from fastapi import APIRouter, Request
from starlette.responses import Response

from importer.service.access.openid_sign_in import SIGN_IN_TIMEOUT, NoAddress, QuestionGone, begin, complete
from importer.service.access.rate_limits import RateLimited
from importer.service.access.web_sessions import sign_out
from importer.web import oauth_cookies
from importer.web.error_texts import too_often
from importer.web.rendering import go, page, set_token
from importer.web.request_context import AnyVisitor, Fields, Visitor
from providers.errors import LoginRejected, MailError

router: Final = APIRouter()

_ERRAND: Final = "openid"

log = structlog.get_logger()


@router.post("/sign-in/openid")
def go_there(who: AnyVisitor, _fields: Fields) -> Response:
    """A page that leads on by itself: our forms may lead nowhere else."""
    try:
        url, kept = begin(who.site.deps, who.token, client=who.client)
    except (MailError, RateLimited) as error:
        return _not_in(who, error)
    response = page(who, "going_on.html", kind="sign-in", url=url)
    oauth_cookies.keep(response, who.site, _ERRAND, kept.decode(), int(SIGN_IN_TIMEOUT.total_seconds()))
    return response


@router.get("/sign-in/openid")
def back(who: AnyVisitor, request: Request) -> Response:
    """Where the issuer sends the browser with its answer. The visit gets another token than the browser
    had before."""
    site = who.site
    kept = oauth_cookies.kept(request, site, _ERRAND).encode("utf-8", "surrogatepass")
    try:
        token, _ = complete(site.deps, who.token, kept, dict(request.query_params), site.destination)
    except (MailError, QuestionGone, NoAddress) as error:
        response = _not_in(who, error)
    else:
        if who.visit is not None:
            sign_out(site.deps, who.visit)
        response = go("/new")
        set_token(response, site, token)
    oauth_cookies.forget(response, site, _ERRAND)
    return response


def _not_in(who: Visitor, error: MailError | RateLimited | QuestionGone | NoAddress) -> Response:
    if isinstance(error, MailError):
        log.warning("openid.refused", code=error.code, said=str(error), server_text=error.server_text)
    words, status = _words(who, error)
    return page(who, "front.html", status, values={}, errors={"form": words})


def _words(who: Visitor, error: MailError | RateLimited | QuestionGone | NoAddress) -> tuple[str, int]:
    texts = who.texts
    match error:
        case RateLimited():
            return too_often(texts, error), 422
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
