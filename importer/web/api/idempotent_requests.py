"""Requests that may be sent again without being done again: the header Idempotency-Key
(draft-ietf-httpapi-idempotency-key-header-07, read 2026-11).

A key belongs to a token. What it was first used for counts: method, path and body, as a keyed fingerprint,
since a body holds passwords. Kept, sealed, is the answer of what was done; what was refused or failed may
just be tried again with the same key.
"""

from __future__ import annotations

import re
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from importer.ports.api_clients import KeptAnswer
from importer.ports.vault import VaultError
from importer.service.access import idempotency
from importer.service.access.api_clients import authenticate
from importer.service.access.idempotency import KeyedRequest
from importer.service.deps import Deps
from importer.web.api.problem_details import ProblemAnswer
from importer.web.middleware import SAFE_METHODS, BodyTooLarge

_KEY: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?")
_KEPT_HEADERS: Final = ("content-type", "location")


class IdempotentRequests:
    """Wraps the API. A body that is too large ends here, with the API's own kind of answer."""

    def __init__(self, app: ASGIApp, deps: Deps) -> None:
        self._app = app
        self._deps = deps

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in SAFE_METHODS:
            await self._app(scope, receive, send)
            return
        try:
            body = await _whole(receive)
            if body is None:
                return
            asked = await run_in_threadpool(self._asked, scope, body)
            if asked is None:
                await self._app(scope, _again(body, receive), send)
            else:
                await self._once(asked, scope, _again(body, receive), send)
        except BodyTooLarge:
            await ProblemAnswer("body_too_large", "256 KiB are the most.").answer()(scope, receive, send)
        except ProblemAnswer as problem:
            await problem.answer()(scope, receive, send)

    def _asked(self, scope: Scope, body: bytes) -> KeyedRequest | None:
        """None without a key, and without a good token: that is answered further in."""
        headers = Headers(scope=scope)
        key = headers.get("idempotency-key")
        if key is None:
            return None
        key = key.strip()
        if not _KEY.fullmatch(key) or len(headers.getlist("idempotency-key")) > 1:
            raise ProblemAnswer("idempotency_key_invalid", "One key of 1 to 255 printable ASCII characters.")
        scheme, _, given = headers.get("authorization", "").partition(" ")
        token = authenticate(self._deps, given.strip()) if scheme.lower() == "bearer" else None
        if token is None:
            return None
        what = f"{scope['method']} {scope['path']}?{scope['query_string'].decode('latin-1')}"
        type_ = headers.get("content-type", "")
        return idempotency.keyed_request(self._deps, token, key, what, type_, body.decode("latin-1"))

    async def _once(self, asked: KeyedRequest, scope: Scope, receive: Receive, send: Send) -> None:
        known = await run_in_threadpool(idempotency.begin, self._deps, asked)
        if known is not None:
            await self._kept(asked, known)(scope, receive, send)
            return
        messages: list[Message] = []
        done = False

        async def collect(message: Message) -> None:
            messages.append(message)

        try:
            await self._app(scope, receive, collect)
            done = await run_in_threadpool(self._keep, asked, messages)
        finally:
            if not done:
                await run_in_threadpool(idempotency.forget, self._deps, asked)
            for message in messages:
                await send(message)

    def _kept(self, asked: KeyedRequest, known: KeptAnswer) -> Response:
        if known.fingerprint != asked.fingerprint:
            raise ProblemAnswer("idempotency_key_reused", "Take a new key for a new request.")
        if known.status is None:
            raise ProblemAnswer(
                "idempotency_key_in_use", "Ask again in a moment.", headers={"Retry-After": "1"}
            )
        try:
            kept = idempotency.read_answer(self._deps, asked, known)
        except VaultError:
            raise ProblemAnswer(
                "idempotency_key_in_use", "Its answer cannot be opened any more; look at the list."
            ) from None
        headers = {**kept["headers"], "Idempotency-Replayed": "true"}
        return Response(kept["body"], known.status, headers)

    def _keep(self, asked: KeyedRequest, messages: list[Message]) -> bool:
        """True when it was done, and its answer is kept."""
        status: int = messages[0]["status"] if messages else 500
        if status >= 400:
            return False
        headers = Headers(raw=list(messages[0]["headers"]))
        body = b"".join(message.get("body", b"") for message in messages[1:])
        kept = {
            "headers": {name: headers[name] for name in _KEPT_HEADERS if name in headers},
            "body": body.decode("utf-8"),
        }
        idempotency.store_answer(self._deps, asked, status, kept)
        return True


async def _whole(receive: Receive) -> bytes | None:
    """The body; None when the client went away. Raises BodyTooLarge."""
    parts = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """The body once more, in one piece; then what comes."""
    read = False

    async def again() -> Message:
        nonlocal read
        if read:
            return await receive()
        read = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
