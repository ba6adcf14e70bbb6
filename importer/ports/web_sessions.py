"""Who is signed in on the pages."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

from importer.domain.people.identities import WebSession, WebSessionId


class WebSessions(Protocol):
    """Who is signed in, and how often something was tried."""

    def add_visit(self, visit: WebSession) -> None: ...

    def visit(self, visit_id: WebSessionId, now: datetime) -> WebSession | None:
        """None for one that has ended or expired."""
        ...

    def save_visit(self, visit_id: WebSessionId, sealed: bytes, before: bytes) -> bool:
        """Replaces what the visit remembers; False, and nothing is written, when it has ended or remembers
        something else than `before` by now."""
        ...

    def end_visit(self, visit_id: WebSessionId) -> None: ...

    def count(self, key: str, now: datetime, span: timedelta) -> int:
        """Counts one more under `key`, and says how many there are in the span that the first of them
        began; when it is over, counting starts anew."""
        ...

    def uncount(self, key: str) -> None:
        """Takes one back; never below zero."""
        ...

    def sweep(self, now: datetime) -> None:
        """Removes visits, counts and kept answers that are over, and calls of long ago."""
        ...
