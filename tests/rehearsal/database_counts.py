"""Counts the store's database operations: unlike times, they are deterministic."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine, event


@dataclass(slots=True)
class DatabaseCounts:
    """`writes` are commits of transactions that changed something, each with an fsync on SQLite; `reads` are
    transactions that changed nothing. `statements` are those within transactions, including savepoints,
    without BEGIN, COMMIT and ROLLBACK. `by_first_words` has their numbers by first words."""

    connections: int = 0
    writes: int = 0
    reads: int = 0
    statements: int = 0
    by_first_words: Counter[str] = field(default_factory=Counter)
    _lock: Any = field(default_factory=threading.Lock, repr=False)
    _wrote: set[int] = field(default_factory=set, repr=False)

    def figures(self) -> dict[str, int]:
        """The four numbers."""
        return {name: getattr(self, name) for name in ("connections", "writes", "reads", "statements")}

    def _connected(self, *_: Any) -> None:
        with self._lock:
            self.connections += 1

    def _executed(self, connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        words = " ".join(statement.split()[:3])
        if words.split(" ")[0] in ("BEGIN", "BEGIN;"):
            return
        with self._lock:
            self.statements += 1
            self.by_first_words[words] += 1
            if words.split(" ")[0] in ("INSERT", "UPDATE", "DELETE"):
                self._wrote.add(id(connection))

    def _ended(self, connection: Connection) -> None:
        with self._lock:
            if id(connection) in self._wrote:
                self._wrote.discard(id(connection))
                self.writes += 1
            else:
                self.reads += 1


@contextmanager
def counting(engine: Engine | type[Engine] = Engine) -> Iterator[DatabaseCounts]:
    """Counts for one engine, or for all engines of the process, while the block runs."""
    counts = DatabaseCounts()
    listeners = (
        ("connect", counts._connected),
        ("before_cursor_execute", counts._executed),
        ("commit", counts._ended),
        ("rollback", counts._ended),
    )
    for name, listener in listeners:
        event.listen(engine, name, listener)
    try:
        yield counts
    finally:
        for name, listener in listeners:
            event.remove(engine, name, listener)
