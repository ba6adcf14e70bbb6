"""Idempotent requests: a repeated request with the same Idempotency-Key header is not executed again
(draft-ietf-httpapi-idempotency-key-header-07, read 2026-11).

A key belongs to a token and to its first request: method, path and body are compared by a keyed fingerprint,
because a body contains passwords. The response of a successful request is stored, sealed. A request that was
refused or failed may be repeated with the same key.
"""

from __future__ import annotations

import re
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from importer.i18n.translations import CatalogTranslator
from importer.ports.api_clients import KeptAnswer
from importer.ports.vault import VaultError
from importer.service.access import idempotency
from importer.service.access.api_clients import authenticate
from importer.service.access.idempotency import KeyedRequest
from importer.service.deps import Deps
from importer.web.api.problem_details import ProblemAnswer
from importer.web.middleware import SAFE_METHODS, BodyTooLarge
from importer.web.request_context import accepted_texts
from providers.text import Text

_KEY: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?")
_STORED_HEADERS: Final = ("content-type", "location")


class IdempotentRequests:
    """Wraps the API. A body that is too large is rejected here, with problem details."""

    def __init__(self, app: ASGIApp, deps: Deps) -> None:
        self._app = app
        self._deps = deps

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in SAFE_METHODS:
            await self._app(scope, receive, send)
            return
        try:
            body = await _read_body(receive)
            if body is None:
                return
            request = await run_in_threadpool(self._keyed_request, scope, body)
            if request is None:
                await self._app(scope, _replayed(body, receive), send)
            else:
                await self._execute_once(request, scope, _replayed(body, receive), send)
        except BodyTooLarge:
            problem = ProblemAnswer("body_too_large")
            await problem.response(_texts(scope))(scope, receive, send)
        except ProblemAnswer as problem:
            await problem.response(_texts(scope))(scope, receive, send)

    def _keyed_request(self, scope: Scope, body: bytes) -> KeyedRequest | None:
        """None without a key or without a valid token: the wrapped API responds to an invalid token."""
        headers = Headers(scope=scope)
        key = headers.get("idempotency-key")
        if key is None:
            return None
        key = key.strip()
        if not _KEY.fullmatch(key) or len(headers.getlist("idempotency-key")) > 1:
            raise ProblemAnswer("idempotency_key_invalid")
        scheme, _, credentials = headers.get("authorization", "").partition(" ")
        token = authenticate(self._deps, credentials.strip()) if scheme.lower() == "bearer" else None
        if token is None:
            return None
        target = f"{scope['method']} {scope['path']}?{scope['query_string'].decode('latin-1')}"
        media_type = headers.get("content-type", "")
        return idempotency.keyed_request(self._deps, token, key, target, media_type, body.decode("latin-1"))

    async def _execute_once(self, request: KeyedRequest, scope: Scope, receive: Receive, send: Send) -> None:
        earlier = await run_in_threadpool(idempotency.begin, self._deps, request)
        if earlier is not None:
            await self._stored_response(request, earlier)(scope, receive, send)
            return
        messages: list[Message] = []
        stored = False

        async def collect(message: Message) -> None:
            messages.append(message)

        try:
            await self._app(scope, receive, collect)
            stored = await run_in_threadpool(self._store_response, request, messages)
        finally:
            if not stored:
                await run_in_threadpool(idempotency.forget, self._deps, request)
            for message in messages:
                await send(message)

    def _stored_response(self, request: KeyedRequest, earlier: KeptAnswer) -> Response:
        """The response of the earlier request. Raises ProblemAnswer if it was a different request, or has no
        readable response."""
        if earlier.fingerprint != request.fingerprint:
            raise ProblemAnswer("idempotency_key_reused")
        if earlier.status is None:
            raise ProblemAnswer("idempotency_key_in_use", headers={"Retry-After": "1"})
        try:
            answer = idempotency.read_answer(self._deps, request, earlier)
        except VaultError:
            raise ProblemAnswer(
                "idempotency_key_in_use", Text("api.idempotency_key_in_use.unreadable")
            ) from None
        headers = {**answer["headers"], "Idempotency-Replayed": "true"}
        return Response(answer["body"], earlier.status, headers)

    def _store_response(self, request: KeyedRequest, messages: list[Message]) -> bool:
        """Store the response if the request succeeded; return whether it did."""
        status: int = messages[0]["status"] if messages else 500
        if status >= 400:
            return False
        headers = Headers(raw=list(messages[0]["headers"]))
        body = b"".join(message.get("body", b"") for message in messages[1:])
        answer = {
            "headers": {name: headers[name] for name in _STORED_HEADERS if name in headers},
            "body": body.decode("utf-8"),
        }
        idempotency.store_answer(self._deps, request, status, answer)
        return True


def _texts(scope: Scope) -> CatalogTranslator:
    return accepted_texts(Request(scope))


async def _read_body(receive: Receive) -> bytes | None:
    """The whole body; None if the client has disconnected. Raises BodyTooLarge."""
    parts = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """A receive channel that yields the body in one message, then the messages of `receive`."""
    read = False

    async def replay() -> Message:
        nonlocal read
        if read:
            return await receive()
        read = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
