"""Web sessions, and counters for rate limits."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

from importer.domain.people.identities import WebSession, WebSessionId


class WebSessions(Protocol):
    """Sessions of people who are signed in, and counts of attempts."""

    def add_web_session(self, visit: WebSession) -> None: ...

    def web_session(self, visit_id: WebSessionId, now: datetime) -> WebSession | None:
        """None if the session has ended or expired."""
        ...

    def save_web_session(self, visit_id: WebSessionId, sealed: bytes, before: bytes) -> bool:
        """Replace the data of the session. False, and nothing is written, if it has ended or its data is no
        longer `before`."""
        ...

    def end_web_session(self, visit_id: WebSessionId) -> None: ...

    def count(self, key: str, now: datetime, span: timedelta) -> int:
        """Count one attempt under `key` and return the count of the current span. A span begins with its
        first attempt; after `span` the count starts again at 1."""
        ...

    def uncount(self, key: str) -> None:
        """Subtract one attempt; the count never becomes negative."""
        ...

    def sweep(self, now: datetime) -> None:
        """Delete expired sessions, counts and stored API responses, and webhook calls older than
        CALLS_KEPT_FOR."""
        ...
