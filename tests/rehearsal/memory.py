"""Peak memory of processes, from /proc (Linux)."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

MIB = 1 << 20


def memory_bytes(pid: int | str, name: str) -> int:
    """VmRSS (now) or VmHWM (the peak) of a process."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    found = re.search(rf"^{name}:\s+([0-9]+) kB$", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def watch_peak(pid: int | str = "self") -> Callable[[], int]:
    """Start to watch the peak of a process. The result returns its growth since then, in bytes."""
    Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")  # VmHWM becomes VmRSS (proc(5))
    before = memory_bytes(pid, "VmRSS")
    return lambda: memory_bytes(pid, "VmHWM") - before
