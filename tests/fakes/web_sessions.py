"""Web sessions and counters in dictionaries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from threading import RLock

from importer.domain.people.identities import PersonId, WebSession, WebSessionId


class MemoryVisits:
    """`importer.ports.web_sessions.WebSessions`, thread-safe."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = RLock()
        self._visits: dict[WebSessionId, WebSession] = {}
        self._counts: dict[str, tuple[int, datetime]] = {}

    def add_web_session(self, visit: WebSession) -> None:
        with self._lock:
            self._visits[visit.id] = visit

    def web_session(
        self, visit_id: WebSessionId, now: datetime, used_since: datetime | None = None
    ) -> WebSession | None:
        with self._lock:
            visit = self._visits.get(visit_id)
            if visit is None or visit.expires_at <= now:
                return None
            return visit if used_since is None or visit.used_at >= used_since else None

    def web_sessions(self, now: datetime, person: PersonId | None = None) -> Sequence[WebSession]:
        with self._lock:
            found = [v for v in self._visits.values() if v.expires_at > now and person in (None, v.person)]
            return sorted(found, key=lambda visit: visit.used_at, reverse=True)

    def touch_web_session(self, visit_id: WebSessionId, now: datetime) -> None:
        with self._lock:
            if visit_id in self._visits:
                self._visits[visit_id] = replace(self._visits[visit_id], used_at=now)

    def replace_web_session(self, visit_id: WebSessionId, renewed: WebSession) -> bool:
        with self._lock:
            if self._visits.pop(visit_id, None) is None:
                return False
            self._visits[renewed.id] = renewed
            return True

    def save_web_session(self, visit_id: WebSessionId, sealed: bytes, before: bytes) -> bool:
        with self._lock:
            visit = self._visits.get(visit_id)
            if visit is None or visit.sealed != before:
                return False
            self._visits[visit_id] = replace(visit, sealed=sealed)
            return True

    def end_web_session(self, visit_id: WebSessionId) -> None:
        with self._lock:
            self._visits.pop(visit_id, None)

    def count(self, key: str, now: datetime, span: timedelta) -> int:
        with self._lock:
            number, expires_at = self._counts.get(key, (0, now))
            if expires_at <= now:
                number, expires_at = 0, now + span
            self._counts[key] = number + 1, expires_at
            return number + 1

    def uncount(self, key: str) -> None:
        with self._lock:
            if key in self._counts:
                number, expires_at = self._counts[key]
                self._counts[key] = max(0, number - 1), expires_at

    def sweep(self, now: datetime) -> None:
        with self._lock:
            self._visits = {i: v for i, v in self._visits.items() if v.expires_at > now}
            self._counts = {k: (n, at) for k, (n, at) in self._counts.items() if at > now}
