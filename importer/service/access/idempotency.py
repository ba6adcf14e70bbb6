"""Requests with an idempotency key: each is done once, and its answer is kept and sealed for a day.

The key is draft-ietf-httpapi-idempotency-key-header's; a repeated request gets the kept answer, and the same
key with another request is refused.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from importer.domain.people.api_tokens import ApiToken
from importer.ports.api_clients import KeptAnswer
from importer.service.deps import Deps
from providers.endpoint import Secret

RETENTION: Final = timedelta(days=1)
PROCESSING_TIMEOUT: Final = timedelta(minutes=5)
"""A request that has taken longer is considered dead: its process was killed."""


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """A request as its client identifies it. `fingerprint` is keyed and covers method, path, type and
    body."""

    token: ApiToken
    key: str
    fingerprint: str

    @property
    def context(self) -> str:
        """What the kept answer is sealed for."""
        return f"answer:{self.token.id}:{self.key}"


def keyed_request(deps: Deps, token: ApiToken, key: str, *parts: str) -> KeyedRequest:
    """`parts` are everything that makes two requests the same."""
    return KeyedRequest(token, key, deps.vault.fingerprint(*(Secret(part) for part in parts)))


def begin(deps: Deps, request: KeyedRequest) -> KeptAnswer | None:
    """Reserves the key. None if the request is new; otherwise the record of the earlier one."""
    now = deps.clock.now()
    return deps.store.begin_request(
        request.token.id, request.key, request.fingerprint, now, now + PROCESSING_TIMEOUT
    )


def store_answer(deps: Deps, request: KeyedRequest, status: int, answer: dict[str, Any]) -> None:
    """Stores the answer, sealed, for RETENTION."""
    sealed = deps.vault.seal(Secret(json.dumps(answer)), request.context)
    until = deps.clock.now() + RETENTION
    deps.store.keep_answer(request.token.id, request.key, status, sealed, until)


def read_answer(deps: Deps, request: KeyedRequest, kept: KeptAnswer) -> dict[str, Any]:
    """The answer as it was kept. Raises VaultError if it cannot be opened."""
    answer: dict[str, Any] = json.loads(deps.vault.open(kept.sealed, request.context).reveal())
    return answer


def forget(deps: Deps, request: KeyedRequest) -> None:
    """Releases the key of a request that was not done."""
    deps.store.forget_request(request.token.id, request.key)
