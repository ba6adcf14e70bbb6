"""What every request passes first: bounds on bodies, the Origin check, and the headers of every answer.

Invariants: a body larger than allowed is never read to its end, whatever the headers promise; a request
that changes something comes from our own pages; no answer is ever shown in a frame or runs foreign code.
"""

from __future__ import annotations

from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES: Final = 256 * 1024
"""A CSV file of 64 KiB as a form, with room for its quoting."""

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)

_HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class BodyTooLarge(Exception):
    """The body is longer than allowed; the rest of it was not read."""


class RequestGuard:
    """Wraps the application. `origin` is that of our own pages, `scheme://host[:port]`."""

    def __init__(self, app: ASGIApp, origin: str) -> None:
        self._app = app
        self._origin = origin
        self._secure = origin.startswith("https:")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._dress(MutableHeaders(scope=message))
            await send(message)

        if self._is_ours(scope, headers):
            await self._app(scope, _bounded(receive, headers), answer)
        else:
            refusal = PlainTextResponse("This request does not come from one of our pages.", 403)
            await refusal(scope, receive, answer)

    def _is_ours(self, scope: Scope, headers: Headers) -> bool:
        """Calls of the API carry a token and no cookie, so nobody can be made to send them unawares."""
        if scope["method"] in SAFE_METHODS or scope["path"].startswith("/api/"):
            return True
        origin = headers.get("origin")
        if origin is not None:
            return origin == self._origin
        return headers.get("sec-fetch-site", "same-origin") == "same-origin"

    def _dress(self, headers: MutableHeaders) -> None:
        for name, value in _HEADERS.items():
            headers.setdefault(name, value)
        headers.setdefault("Cache-Control", "no-store")
        if self._secure:
            headers.setdefault("Strict-Transport-Security", "max-age=31536000")


def _bounded(receive: Receive, headers: Headers) -> Receive:
    announced = headers.get("content-length", "0")
    # Not `isdigit`: "²" is a digit and no number.
    too_long = not announced.isdecimal() or len(announced) > 9 or int(announced) > MAX_BODY_BYTES
    received = 0

    async def bounded() -> Message:
        nonlocal received
        if too_long:
            raise BodyTooLarge
        message = await receive()
        received += len(message.get("body", b""))
        if received > MAX_BODY_BYTES:
            raise BodyTooLarge
        return message

    return bounded
