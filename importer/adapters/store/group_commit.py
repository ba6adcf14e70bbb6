"""Commits the writes of several threads of a process together.

A thread that has made its changes leaves the transaction open if others wait for their turn; the last one
commits for all, and each of them continues once its own changes are durable. One fsync, or one round trip to
PostgreSQL, thus serves many.

Invariants:
- Changes of different threads are never mixed up: they take turns, and a block that raises is undone to its
  savepoint. The others do not notice it.
- `joining` returns normally only if the changes of its block were committed. If the commit fails, it raises
  in every thread whose changes were part of it.
- A group is committed by the thread that has the turn. If that thread ends, a waiting one takes over.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from sqlalchemy import Connection

MOST_MEMBERS: Final = 32
LONGEST_S: Final = 0.025
"""How long a transaction is kept open for others, and how often a waiting thread checks it."""

_SAVEPOINT: Final = "SAVEPOINT before_block"
_UNDO: Final = "ROLLBACK TO SAVEPOINT before_block"


class _Group:
    """One transaction. Only the thread that has the turn uses it, but for `ended` and `error`."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.members = 0  # blocks that succeeded
        self.began_at = time.monotonic()
        self.checked: set[object] = set()  # the checks that `joining` makes once in a transaction
        self.ended = threading.Event()
        self.error: BaseException | None = None


class GroupCommit:
    """`connect` returns a new connection that begins its transaction with the first statement, ready for
    writing. Thread-safe."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._turn = threading.Lock()
        self._waiting = 0
        self._counting = threading.Lock()
        self._open: _Group | None = None

    @contextmanager
    def joining(
        self, check: Callable[[Connection], None] | None = None, key: object = None
    ) -> Iterator[Connection]:
        """A block of changes, durable once the context has been left. `check` is called before the block and
        may raise; what it found for a `key` holds until the transaction ends."""
        self._take_turn()
        try:
            group, first = self._group()
            try:
                if not first:
                    group.connection.exec_driver_sql(_SAVEPOINT)
                if check is not None and key not in group.checked:
                    check(group.connection)
                yield group.connection
                group.checked.add(key)  # not before: undoing the block releases the locks of its check
                group.members += 1
            except BaseException as error:
                self._undo(group, first, error)
                raise
            finally:
                self._commit_unless_others_follow()
        finally:
            self._turn.release()
        self._await(group)

    def _take_turn(self) -> None:
        with self._counting:
            self._waiting += 1
        try:
            self._turn.acquire()
        finally:
            with self._counting:
                self._waiting -= 1

    def _group(self) -> tuple[_Group, bool]:
        """The open transaction, and whether it was begun just now."""
        if self._open is None:
            self._open = _Group(self._connect())
            return self._open, True
        return self._open, False

    def _undo(self, group: _Group, first: bool, error: BaseException) -> None:
        """Undo one block. If that fails, or if there is no other, the transaction ends."""
        if not first:
            try:
                group.connection.exec_driver_sql(_UNDO)
            except Exception as lost:  # the connection, and with it what the others wrote
                self._end(group, lost)
            return
        self._end(group, error)

    def _commit_unless_others_follow(self) -> None:
        group = self._open
        if group is None:
            return
        young = time.monotonic() - group.began_at < LONGEST_S
        if self._waiting and group.members < MOST_MEMBERS and young:
            return
        self._commit(group)

    def _commit(self, group: _Group) -> None:
        error: BaseException | None = None
        try:
            group.connection.commit()
        except BaseException as failed:
            error = failed
            with suppress(Exception):  # closing it may assume that nothing is left to roll back
                group.connection.invalidate()
        self._end(group, error)

    def _end(self, group: _Group, error: BaseException | None) -> None:
        self._open = None
        group.error = error
        group.ended.set()
        with suppress(Exception):
            group.connection.close()  # rolls back the uncommitted changes

    def _await(self, group: _Group) -> None:
        while not group.ended.wait(LONGEST_S):
            if self._turn.acquire(blocking=False):
                try:
                    if self._open is group and not self._waiting:
                        self._commit(group)
                finally:
                    self._turn.release()
        if group.error is not None:
            raise group.error
