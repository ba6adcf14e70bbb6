"""Webhook calls in a dictionary."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from importer.ports.webhook_calls import CALLS_KEPT_FOR, CallState, WebhookCall
from tests.fakes.api_clients import MemoryClients


class MemoryCalls(MemoryClients):
    """`importer.ports.webhook_calls.WebhookCalls`, thread-safe."""

    def __init__(self) -> None:
        super().__init__()
        self._calls: dict[str, WebhookCall] = {}

    def post_calls(self, calls: Sequence[WebhookCall]) -> None:
        with self._lock:
            for call in sorted(calls, key=lambda call: call.key):
                self._calls.setdefault(call.key, call)

    def due_calls(
        self, now: datetime, limit: int = 50, *, besides: Collection[str] = ()
    ) -> Sequence[WebhookCall]:
        with self._lock:
            due = (c for c in self._calls.values() if _is_due(c, now) and c.hook not in besides)
            return sorted(due, key=lambda call: call.created_at)[:limit]

    def claim_call(self, key: str, now: datetime, until: datetime) -> bool:
        with self._lock:
            call = self._calls.get(key)
            if call is None or not _is_due(call, now):
                return False
            self._calls[key] = replace(call, not_before=until, attempts=call.attempts + 1)
            return True

    def settle_call(
        self, key: str, state: CallState, *, error: str = "", not_before: datetime | None = None
    ) -> None:
        with self._lock:
            if key in self._calls:
                self._calls[key] = replace(self._calls[key], state=state, error=error, not_before=not_before)

    def calls(self) -> Sequence[WebhookCall]:
        with self._lock:
            return sorted(self._calls.values(), key=lambda call: call.created_at)

    def sweep(self, now: datetime) -> None:
        with self._lock:
            super().sweep(now)
            self._calls = {k: c for k, c in self._calls.items() if c.created_at > now - CALLS_KEPT_FOR}


def _is_due(call: WebhookCall, now: datetime) -> bool:
    return call.state is CallState.PENDING and (call.not_before is None or call.not_before <= now)
