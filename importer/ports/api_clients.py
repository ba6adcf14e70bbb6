"""Programs that call the API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from importer.domain.people.api_tokens import ApiToken, TokenId


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """A request that may be sent again without being done again. `fingerprint` tells it from others; until
    it is answered `status` is None. `sealed` is the answer, for the vault."""

    fingerprint: str
    status: int | None = None
    sealed: bytes = b""


class ApiClients(Protocol):
    """Programs that call: their tokens, and what was answered to requests with a key of theirs."""

    def add_token(self, token: ApiToken) -> None: ...

    def token_by_digest(self, digest: str) -> ApiToken | None:
        """Revoked and expired ones too."""
        ...

    def tokens(self) -> Sequence[ApiToken]:
        """All there ever were, newest first."""
        ...

    def revoke_token(self, token_id: TokenId, now: datetime) -> ApiToken | None:
        """Sets `revoked_at` if it is not set, and returns the token; None if there is none."""
        ...

    def begin_request(
        self, token_id: TokenId, key: str, fingerprint: str, now: datetime, until: datetime
    ) -> KeptAnswer | None:
        """None: it is the caller's to do, and until then nobody else's. Else what is known of the key."""
        ...

    def keep_answer(self, token_id: TokenId, key: str, status: int, sealed: bytes, until: datetime) -> None:
        """The request is done; the answer is kept until then."""
        ...

    def forget_request(self, token_id: TokenId, key: str) -> None:
        """It was not done: the key is free again. What is answered stays."""
        ...
