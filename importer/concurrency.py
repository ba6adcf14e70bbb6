"""Two waits for the price of one."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

One = TypeVar("One")
Other = TypeVar("Other")


def run_both(one: Callable[[], One], other: Callable[[], Other]) -> tuple[One, Other]:
    """Does both at the same time and waits for both. When both fail, raises what `one` raised."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="together") as pool:
        pending = pool.submit(other)
        first = one()
        return first, pending.result()
