"""API clients: their tokens and their idempotent requests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from importer.domain.people.api_tokens import ApiToken, TokenId
from providers.frozen import frozen


@frozen
class KeptAnswer:
    """The state of a request with an idempotency key. `fingerprint` identifies the request's content.
    `status` is None until the request is answered; `sealed` is the response, sealed by the vault."""

    fingerprint: str
    status: int | None = None
    sealed: bytes = b""


class ApiClients(Protocol):
    """Tokens of API clients, and the responses to their requests with an idempotency key."""

    def add_token(self, token: ApiToken) -> None: ...

    def token_by_digest(self, digest: str) -> ApiToken | None:
        """Returns revoked and expired tokens too. None if there is no such token."""
        ...

    def tokens(self) -> Sequence[ApiToken]:
        """All tokens ever issued, newest first."""
        ...

    def revoke_token(self, token_id: TokenId, now: datetime) -> ApiToken | None:
        """Set `revoked_at` unless it is set already. Return the token, or None if there is no such token."""
        ...

    def begin_request(
        self, token_id: TokenId, key: str, fingerprint: str, now: datetime, until: datetime
    ) -> KeptAnswer | None:
        """Reserve the key until `until` and return None: the caller executes the request. If the key is
        already in use, return its state instead."""
        ...

    def keep_answer(self, token_id: TokenId, key: str, status: int, sealed: bytes, until: datetime) -> None:
        """Store the response of an executed request until `until`."""
        ...

    def forget_request(self, token_id: TokenId, key: str) -> None:
        """Release the key of a request that was not executed. Stored responses stay."""
        ...
