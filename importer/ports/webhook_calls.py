"""Webhook calls."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol

from providers.frozen import frozen

CALLS_KEPT_FOR: Final = timedelta(days=100)
"""Longer than an owner may take to sign in, so that no event is sent twice."""


class CallState(StrEnum):
    """The state of a webhook call."""

    PENDING = "pending"
    DONE = "done"
    GIVEN_UP = "given up"


@frozen
class WebhookCall:
    """One event for one webhook. `key` is unique: posting the same key again has no effect. `hook` names the
    webhook; its address and secret are looked up when it is called."""

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
    """Webhook calls to make, each at least once."""

    def post_calls(self, calls: Sequence[WebhookCall]) -> None:
        """Add the calls whose key is new."""
        ...

    def due_calls(
        self, now: datetime, limit: int = 50, *, besides: Collection[str] = ()
    ) -> Sequence[WebhookCall]:
        """PENDING calls whose `not_before` has passed, oldest first, but for those to the webhooks
        `besides`."""
        ...

    def claim_call(self, key: str, now: datetime, until: datetime) -> bool:
        """Reserve the call for this sender until `until` and count an attempt. False if it is not due, or no
        longer."""
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
        """POST the body. Return "" after a 2xx response, else the reason. Never raises."""
        ...
