"""CPU time and memory of process trees, and the idle time of the machine's processors."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_s(roots: Iterable[int]) -> float:
    """User and system time in seconds of these processes, their descendants, and ended children."""
    return sum(_times(pid) for pid in _tree(roots))


def peak_bytes(roots: Iterable[int]) -> int:
    """The largest peak of resident memory of any live process in these trees."""
    return max((_peak(pid) for pid in _tree(roots)), default=0)


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine's total CPU time so far, in seconds."""

    idle_s: float
    all_s: float

    @classmethod
    def now(cls) -> Machine:
        fields = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]
        ticks = [int(field) for field in fields]
        return cls((ticks[3] + ticks[4]) / _TICKS, sum(ticks) / _TICKS)

    def idle_since(self, before: Machine) -> float:
        """The idle fraction of the CPU time since then."""
        return (self.idle_s - before.idle_s) / max(1e-9, self.all_s - before.all_s)


def _tree(roots: Iterable[int]) -> set[int]:
    children: dict[int, list[int]] = defaultdict(list)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            children[int(fields[1])].append(int(entry.name))
    found: set[int] = set()
    open_ = list(roots)
    while open_:
        pid = open_.pop()
        if pid not in found:
            found.add(pid)
            open_ += children[pid]
    return found


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on (proc(5)); empty if there is no such process."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return []


def _times(pid: int) -> float:
    fields = _stat(pid)
    return sum(int(field) for field in fields[11:15]) / _TICKS if fields else 0.0


def _peak(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0
