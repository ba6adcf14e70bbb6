"""The cookies of the pages: session, language, known mailboxes, the page to return to, and the state of a
sign-in at another host.

All are limited to this host, hidden from scripts (HttpOnly), and not sent with cross-site form posts
(SameSite).
"""

from __future__ import annotations

from typing import Final

from fastapi import Request
from starlette.responses import Response

from importer.domain.model import Account
from importer.service.access.login_attempts import remember_browser
from importer.web.request_context import Site, local_path

_YEAR_S: Final = 365 * 86_400
_KNOWN: Final = "known"
_WANTED: Final = "wanted"
_WANTED_S: Final = 900


def set_session_token(response: Response, site: Site, token: str) -> None:
    _set(response, site, site.session_cookie, token)


def delete_session_token(response: Response, site: Site) -> None:
    _delete(response, site, site.session_cookie)


def set_language(response: Response, site: Site, language: str) -> None:
    _set(response, site, site.language_cookie, language, _YEAR_S)


def set_sign_in_state(response: Response, site: Site, name: str, state: str, max_age_s: int) -> None:
    """Keep the state of a sign-in in the browser until it returns with the answer."""
    _set(response, site, site.cookie(name), state, max_age_s)


def sign_in_state(request: Request, site: Site, name: str) -> str:
    """The state set by `set_sign_in_state`; "" if there is none."""
    return request.cookies.get(site.cookie(name), "")


def delete_sign_in_state(response: Response, site: Site, name: str) -> None:
    _delete(response, site, site.cookie(name))


def set_wanted_page(response: Response, site: Site, path: str) -> None:
    """Remember the page that a person requested without a session, for 15 minutes."""
    _set(response, site, site.cookie(_WANTED), path, _WANTED_S)


def wanted_page_cookie(request: Request, site: Site) -> str:
    """The path set by `set_wanted_page`; "" if there is none."""
    return local_path(request.cookies.get(site.cookie(_WANTED), ""), site.settings.web_origin)


def delete_wanted_page(response: Response, site: Site) -> None:
    _delete(response, site, site.cookie(_WANTED))


def known_browser_cookie(request: Request, site: Site) -> str:
    """The value set by `remember_known_browser`; "" if there is none."""
    return request.cookies.get(site.cookie(_KNOWN), "")


def remember_known_browser(request: Request, response: Response, site: Site, account: Account) -> None:
    """Remember for half a year that this mailbox has signed in in this browser."""
    browsers = remember_browser(site.deps, known_browser_cookie(request, site), account)
    _set(response, site, site.cookie(_KNOWN), browsers, _YEAR_S // 2)


def _set(response: Response, site: Site, name: str, value: str, max_age_s: int | None = None) -> None:
    """Without `max_age_s`, a session cookie, which the browser deletes when it ends."""
    response.set_cookie(
        name, value, max_age=max_age_s, httponly=True, samesite="lax", secure=site.secure, path="/"
    )


def _delete(response: Response, site: Site, name: str) -> None:
    response.delete_cookie(name, path="/", secure=site.secure, httponly=True, samesite="lax")
