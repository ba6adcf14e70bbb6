"""Memory is overwritten when it is freed, so that passwords do not stay in the process after their last use.

Python's own allocator leaves freed memory as it is, and glibc's does by default: seconds after signing
out, the web process held 24 copies of a password, with these settings 4 (CPython 3.11, glibc 2.36, 2026-11).
"""

from __future__ import annotations

import os
import sys
from typing import Final

_ALLOCATORS: Final = {
    "PYTHONMALLOC": "malloc",  # https://docs.python.org/3/using/cmdline.html#envvar-PYTHONMALLOC
    "MALLOC_PERTURB_": "165",  # mallopt(3), M_PERTURB: freed memory is filled
    # Blocks in the cache of a thread are not filled; see "Memory Allocation Tunables" in glibc's manual.
    "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0",
}


def overwrite_freed_memory() -> None:
    """Execute this program again in the same process, with allocators that overwrite freed memory.
    Environment variables, which are read when a program starts, select the allocators. No-op if they are set
    already, or if the command in `sys.argv` did not start this process."""
    started_by_command = sys.orig_argv[-len(sys.argv[1:]) :] == sys.argv[1:]
    if sys.platform != "linux" or not started_by_command or _ALLOCATORS.items() <= os.environ.items():
        return
    os.execve(sys.executable, sys.orig_argv, {**os.environ, **_ALLOCATORS})  # noqa: S606
