"""Idempotency keys: each request is executed once, and its response is stored sealed for a day.

The key follows draft-ietf-httpapi-idempotency-key-header: a repeated request gets the stored response, and
the same key with a different request is refused.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any, Final

from importer.domain.people.api_tokens import ApiToken
from importer.ports.api_clients import KeptAnswer
from importer.service.deps import Deps
from providers.endpoint import Secret
from providers.frozen import frozen

RETENTION: Final = timedelta(days=1)
PROCESSING_TIMEOUT: Final = timedelta(minutes=5)
"""A request that runs longer is considered dead: its process was killed."""


@frozen
class KeyedRequest:
    """A request and its idempotency key. `fingerprint` is keyed and covers method, path, type and body."""

    token: ApiToken
    key: str
    fingerprint: str

    @property
    def context(self) -> str:
        """The vault context of the stored answer."""
        return f"answer:{self.token.id}:{self.key}"


def keyed_request(deps: Deps, token: ApiToken, key: str, *parts: str) -> KeyedRequest:
    """Build the keyed request; two requests are the same if all `parts` are equal."""
    return KeyedRequest(token, key, deps.vault.fingerprint(*(Secret(part) for part in parts)))


def begin(deps: Deps, request: KeyedRequest) -> KeptAnswer | None:
    """Reserve the key. None if the request is new; otherwise the record of the earlier one."""
    now = deps.clock.now()
    return deps.store.begin_request(
        request.token.id, request.key, request.fingerprint, now, now + PROCESSING_TIMEOUT
    )


def store_answer(deps: Deps, request: KeyedRequest, status: int, answer: dict[str, Any]) -> None:
    """Store the answer, sealed, for RETENTION."""
    sealed = deps.vault.seal(Secret(json.dumps(answer)), request.context)
    until = deps.clock.now() + RETENTION
    deps.store.keep_answer(request.token.id, request.key, status, sealed, until)


def read_answer(deps: Deps, request: KeyedRequest, stored: KeptAnswer) -> dict[str, Any]:
    """The stored answer. Raises VaultError if it cannot be opened."""
    answer: dict[str, Any] = json.loads(deps.vault.open(stored.sealed, request.context).reveal())
    return answer


def forget(deps: Deps, request: KeyedRequest) -> None:
    """Release the key of a request that was not executed."""
    deps.store.forget_request(request.token.id, request.key)
