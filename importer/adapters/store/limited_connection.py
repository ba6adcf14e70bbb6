"""Connections to PostgreSQL with a limit on each wait.

libpq's timeouts cover connecting and bytes that are not acknowledged. A server that is frozen, or a proxy in
front of it, acknowledges everything and answers nothing.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any, TypeVar

import psycopg

T = TypeVar("T")


def limited_connection(answer_within_s: float) -> type[psycopg.Connection[Any]]:
    """A class of connections that close, and raise OperationalError, once the server has sent nothing for so
    many seconds although an answer is due."""

    class Limited(psycopg.Connection[Any]):
        def wait(self, gen: Generator[Any, Any, T], *arguments: Any, **options: Any) -> T:
            try:
                return super().wait(_limited(gen, answer_within_s), *arguments, **options)
            except _Silent:
                self.pgconn.finish()
                raise

    return Limited


class _Silent(psycopg.OperationalError):
    pass


def _limited(gen: Generator[Any, Any, T], answer_within_s: float) -> Generator[Any, Any, T]:
    """The same generator for psycopg's wait, which is sent 0 now and then while the socket is not ready."""
    try:
        wanted = next(gen)
        deadline = time.monotonic() + answer_within_s
        while True:
            ready = yield wanted
            now = time.monotonic()
            if ready:
                deadline = now + answer_within_s
            elif now >= deadline:
                raise _Silent(f"the database did not answer within {answer_within_s:g} seconds")
            wanted = gen.send(ready)
    except StopIteration as end:
        value: T = end.value
        return value
