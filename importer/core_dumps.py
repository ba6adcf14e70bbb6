"""Prevents copies of the process's memory, which contains passwords."""

from __future__ import annotations

import ctypes
import resource
import sys
from typing import Final

_PR_SET_DUMPABLE: Final = 4
"""<linux/prctl.h>; see prctl(2)."""


def forbid_core_dumps() -> None:
    """No core dump is written, and no other process of the same user can attach to this one or read its
    memory (Linux; prctl(2), PR_SET_DUMPABLE). Programs that it starts inherit only the core dump limit."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
