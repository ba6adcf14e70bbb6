"""Calls to webhooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol

CALLS_KEPT_FOR: Final = timedelta(days=100)
"""Longer than an owner may take to sign in: nobody is told of the same twice."""


class CallState(StrEnum):
    """Where a call to a webhook stands."""

    PENDING = "pending"
    DONE = "done"
    GIVEN_UP = "given up"


@dataclass(frozen=True, slots=True)
class WebhookCall:
    """One event for one webhook. `key` is unique: posting the same key again changes nothing. `hook` names
    the webhook, whose address and secret are looked up when it is called."""

    key: str
    hook: str
    event_id: str
    body: str
    created_at: datetime
    state: CallState = CallState.PENDING
    attempts: int = 0
    not_before: datetime | None = None
    error: str = ""


class WebhookCalls(Protocol):
    """Webhooks to be called, each at least once."""

    def post_calls(self, calls: Sequence[WebhookCall]) -> None:
        """Adds those whose key is new."""
        ...

    def due_calls(self, now: datetime, limit: int = 50) -> Sequence[WebhookCall]:
        """PENDING ones whose `not_before` has come, oldest first."""
        ...

    def claim_call(self, key: str, now: datetime, until: datetime) -> bool:
        """Nobody else's until then; counts an attempt. False when it is not due (any more)."""
        ...

    def settle_call(
        self, key: str, state: CallState, *, error: str = "", not_before: datetime | None = None
    ) -> None: ...

    def calls(self) -> Sequence[WebhookCall]:
        """Oldest first."""
        ...


class WebhookSender(Protocol):
    """Calls webhooks."""

    def call(self, url: str, body: bytes, headers: Mapping[str, str]) -> str:
        """POSTs the body; "" when it was answered with a 2xx, else why not. Never raises."""
        ...
