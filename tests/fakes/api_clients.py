"""API tokens and idempotent requests in dictionaries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from importer.domain.people.api_tokens import ApiToken, TokenId
from importer.ports.api_clients import KeptAnswer
from tests.fakes.audit_trail import MemoryAuditTrail


class MemoryClients(MemoryAuditTrail):
    """`importer.ports.api_clients.ApiClients`, thread-safe. The sweep of web sessions removes responses
    too."""

    def __init__(self) -> None:
        super().__init__()
        self._tokens: dict[TokenId, ApiToken] = {}
        self._answers: dict[tuple[TokenId, str], tuple[KeptAnswer, datetime]] = {}

    def add_token(self, token: ApiToken) -> None:
        with self._lock:
            self._tokens[token.id] = token

    def token_by_digest(self, digest: str) -> ApiToken | None:
        with self._lock:
            return next((t for t in self._tokens.values() if t.digest == digest), None)

    def tokens(self) -> Sequence[ApiToken]:
        with self._lock:
            return tuple(reversed(self._tokens.values()))

    def revoke_token(self, token_id: TokenId, now: datetime) -> ApiToken | None:
        with self._lock:
            token = self._tokens.get(token_id)
            if token is not None and token.revoked_at is None:
                token = self._tokens[token_id] = replace(token, revoked_at=now)
            return token

    def begin_request(
        self, token_id: TokenId, key: str, fingerprint: str, now: datetime, until: datetime
    ) -> KeptAnswer | None:
        with self._lock:
            known, expires_at = self._answers.get((token_id, key), (None, now))
            if known is not None and expires_at > now:
                return known
            self._answers[token_id, key] = KeptAnswer(fingerprint), until
            return None

    def keep_answer(self, token_id: TokenId, key: str, status: int, sealed: bytes, until: datetime) -> None:
        with self._lock:
            if (token_id, key) in self._answers:
                known, _ = self._answers[token_id, key]
                self._answers[token_id, key] = replace(known, status=status, sealed=sealed), until

    def forget_request(self, token_id: TokenId, key: str) -> None:
        with self._lock:
            known, _ = self._answers.get((token_id, key), (None, None))
            if known is not None and known.status is None:
                del self._answers[token_id, key]

    def sweep(self, now: datetime) -> None:
        with self._lock:
            super().sweep(now)
            self._answers = {k: (kept, at) for k, (kept, at) in self._answers.items() if at > now}
