"""Web sessions, and counters for rate limits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from importer.domain.people.identities import PersonId, WebSession, WebSessionId


class WebSessions(Protocol):
    """Sessions of people who are signed in, and counts of attempts."""

    def add_web_session(self, visit: WebSession) -> None: ...

    def web_session(
        self, visit_id: WebSessionId, now: datetime, used_since: datetime | None = None
    ) -> WebSession | None:
        """None if the session has ended or expired, or was not used since that time."""
        ...

    def web_sessions(self, now: datetime, person: PersonId | None = None) -> Sequence[WebSession]:
        """The sessions that have not expired, of all people or of one, the last used first."""
        ...

    def touch_web_session(self, visit_id: WebSessionId, now: datetime) -> None:
        """Record that the session is used."""
        ...

    def replace_web_session(self, visit_id: WebSessionId, renewed: WebSession) -> bool:
        """In one transaction: end the session and add `renewed`. False, and nothing is written, if it has
        ended."""
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
        CALLS_KEPT_FOR; of many, some hundred."""
        ...
