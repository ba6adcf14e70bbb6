"""How the C library hands out memory, and gives it back."""

from __future__ import annotations

import ctypes
import sys
from typing import Final

_M_TRIM_THRESHOLD: Final = -1
_M_ARENA_MAX: Final = -8
_M_MMAP_THRESHOLD: Final = -3
"""<malloc.h> of glibc; see mallopt(3)."""

_LARGE_BYTES: Final = 512 * 1024
"""From here on a piece is given back by itself: each time it costs its pages anew, for mixed mail at 64 KiB
a tenth of all our CPU."""

_KEPT_BYTES: Final = 4 * 1024 * 1024
"""Free memory that we keep at hand: to get it back piece by piece costs more than it does."""


def spare_memory() -> None:
    """Keeps little of what passes through. Does nothing where the C library is another one than glibc.

    One arena serves all threads: by default each has its own, and what one has freed the others cannot use,
    so that messages leave a tenth more behind. Python's threads take turns anyway. Large pieces are given
    back as soon as they are free, whatever came before; of the rest, what is free at the end of the heap
    beyond 4 MiB.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(_M_ARENA_MAX, 1)
            mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
            mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
