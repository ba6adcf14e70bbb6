"""ASGI middleware for every request: body size limit, Origin check, and security headers.

Invariants: a body that exceeds the limit is never read to its end, whatever its headers announce; a request
that changes something comes from a page of this site; no response can run foreign scripts, or be framed by a
page of an origin that the operator has not named.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from importer.domain.audit_event import AuditAction
from importer.web.audit_middleware import audit_note
from providers.text import Text

MAX_BODY_BYTES: Final = 256 * 1024
"""A CSV file of 64 KiB as a form, with room for its quoting."""

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

_FRAMED_BY_NONE: Final = "'none'"


def content_security_policy(frame_ancestors: Sequence[str] = ()) -> str:
    """The policy of every page; `frame_ancestors` are the origins that may show it in a frame
    (https://www.w3.org/TR/CSP3/#directive-frame-ancestors)."""
    return f"{_CONTENT}; frame-ancestors {' '.join(frame_ancestors) or _FRAMED_BY_NONE}"


_CONTENT: Final = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
    )
)

_OWN_MACHINE: Final = ("localhost", "127.0.0.1", "::1")

_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class BodyTooLarge(Exception):
    """The body exceeds MAX_BODY_BYTES; the rest of it was not read."""


class RequestGuard:
    """Wraps the application. `origin` is the origin of its pages, `scheme://host[:port]`. With
    `own_host_only`, pages are served only under the host name of `origin` and the names of loopback."""

    def __init__(
        self,
        app: ASGIApp,
        origin: str,
        *,
        own_host_only: bool = False,
        hsts_subdomains: bool = False,
        frame_ancestors: Sequence[str] = (),
    ) -> None:
        self._app = app
        self._origin = origin
        self._hosts = {urlsplit(origin).hostname, *_OWN_MACHINE} if own_host_only else None
        self._secure = origin.startswith("https:")
        self._headers = {"Content-Security-Policy": content_security_policy(frame_ancestors), **_HEADERS}
        self._hsts = "max-age=31536000" + ("; includeSubDomains" if hsts_subdomains else "")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._add_headers(MutableHeaders(scope=message))
            await send(message)

        if not self._own_host(scope, headers):
            elsewhere = PlainTextResponse("The pages are not served under this name.", 421)
            await elsewhere(scope, receive, send_with_headers)
        elif self._same_origin(scope, headers):
            await self._app(scope, _limited(receive, headers), send_with_headers)
        else:
            note = audit_note(HTTPConnection(scope))
            note.action, note.detail = AuditAction.FORM_REFUSE, _came_from(headers.get("origin"))
            refusal = PlainTextResponse("This request does not come from a page of this site.", 403)
            await refusal(scope, receive, send_with_headers)

    def _own_host(self, scope: Scope, headers: Headers) -> bool:
        """Exempts the health probe and the API, which programs may reach under internal names."""
        if self._hosts is None or scope["path"].startswith(("/health", "/api/")):
            return True
        name, _, port = headers.get("host", "").rpartition(":")
        return (name if port.isdecimal() else headers.get("host", "")).strip("[]").lower() in self._hosts

    def _same_origin(self, scope: Scope, headers: Headers) -> bool:
        """Exempts safe methods, and the API: it uses tokens and no cookies, so a foreign page cannot make a
        browser send an authenticated call."""
        if scope["method"] in SAFE_METHODS or scope["path"].startswith("/api/"):
            return True
        origin = headers.get("origin")
        if origin is not None:
            return origin == self._origin
        return headers.get("sec-fetch-site", "same-origin") == "same-origin"

    def _add_headers(self, headers: MutableHeaders) -> None:
        for name, value in self._headers.items():
            headers.setdefault(name, value)
        headers.setdefault("Cache-Control", "no-store")
        if self._secure:
            headers.setdefault("Strict-Transport-Security", self._hsts)


def _came_from(origin: str | None) -> Text:
    """The site of a refused form, as its browser names it."""
    return Text("audit_other_site") if origin is None else Text("audit_other_site.named", site=origin)


def _limited(receive: Receive, headers: Headers) -> Receive:
    content_length = headers.get("content-length", "0")
    # Not `isdigit`: it accepts "²", which `int` does not.
    too_long = (
        not content_length.isdecimal() or len(content_length) > 9 or int(content_length) > MAX_BODY_BYTES
    )
    received_bytes = 0

    async def limited_receive() -> Message:
        nonlocal received_bytes
        if too_long:
            raise BodyTooLarge
        message = await receive()
        received_bytes += len(message.get("body", b""))
        if received_bytes > MAX_BODY_BYTES:
            raise BodyTooLarge
        return message

    return limited_receive
