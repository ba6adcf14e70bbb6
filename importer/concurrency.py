"""Concurrent execution of two blocking calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import TypeVar

Judge = Callable[[Sequence[BaseException]], BaseException]
"""Chooses the error to raise if both calls fail."""

One = TypeVar("One")
Other = TypeVar("Other")


def _one_thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="run-both")


def run_both(
    one: Callable[[], One],
    other: Callable[[], Other],
    judge: Judge,
    beside: Callable[[], AbstractContextManager[ThreadPoolExecutor]] = _one_thread,
) -> tuple[One, Other]:
    """Call both functions concurrently and wait for both. If both raise, `judge` gets the error of `one`
    first and chooses the error to raise. `other` runs in the pool of `beside`, which must be idle."""
    with beside() as pool:
        pending = pool.submit(other)
        try:
            first = one()
        except BaseException as error:
            other_error = pending.exception()
            if other_error is None or (chosen := judge((error, other_error))) is error:
                raise
            raise chosen from error
        return first, pending.result()
