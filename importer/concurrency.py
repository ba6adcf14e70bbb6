"""Concurrent execution of two blocking calls."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

One = TypeVar("One")
Other = TypeVar("Other")


def run_both(one: Callable[[], One], other: Callable[[], Other]) -> tuple[One, Other]:
    """Call both functions concurrently and wait for both. If both raise, the error of `one` is raised."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="run-both") as pool:
        pending = pool.submit(other)
        first = one()
        return first, pending.result()
