"""Tokens of the API and kept answers in plain dictionaries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from importer.adapters.memory.visits import MemoryVisits
from importer.domain.access import ApiToken, Reply


class MemoryTokens(MemoryVisits):
    """`importer.ports.Tokens` beside `Visits`, which are swept together; safe for threads."""

    def __init__(self) -> None:
        super().__init__()
        self._tokens: dict[str, ApiToken] = {}
        self._replies: dict[str, tuple[Reply, datetime]] = {}

    def add_token(self, token: ApiToken) -> bool:
        with self._lock:
            return self._tokens.setdefault(token.name, token) is token

    def token(self, digest: str) -> ApiToken | None:
        with self._lock:
            return next((t for t in self._tokens.values() if t.digest == digest), None)

    def tokens(self) -> Sequence[ApiToken]:
        with self._lock:
            return sorted(self._tokens.values(), key=lambda token: token.name)

    def end_token(self, name: str) -> bool:
        with self._lock:
            return self._tokens.pop(name, None) is not None

    def claim_reply(self, reply: Reply, now: datetime, lasts: timedelta) -> Reply | None:
        with self._lock:
            earlier = self._replies.get(reply.key)
            if earlier is not None and earlier[1] > now:
                return earlier[0]
            self._replies[reply.key] = replace(reply, status=0, body=""), now + lasts
            return None

    def keep_reply(self, key: str, status: int, body: str, until: datetime) -> None:
        with self._lock:
            if key in self._replies:
                reply, _ = self._replies[key]
                self._replies[key] = replace(reply, status=status, body=body), until

    def drop_reply(self, key: str) -> None:
        with self._lock:
            self._replies.pop(key, None)

    def sweep(self, now: datetime) -> None:
        with self._lock:
            super().sweep(now)
            self._replies = {key: kept for key, kept in self._replies.items() if kept[1] > now}
