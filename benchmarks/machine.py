"""Facts about the machine on which the benchmarks ran."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path


def facts() -> dict[str, str]:
    """Name -> value, for display."""
    return {
        "measured": f"{datetime.now(UTC):%Y-%m-%d}",
        "processor": f"{_processor()}, {len(os.sched_getaffinity(0))} cores",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "kernel": platform.release(),
        "mail lies on": _file_system(Path(tempfile.gettempdir())),
        "Python": platform.python_version(),
        "Dovecot": _first_line("dovecot", "--version"),
        "mbsync": _first_line("mbsync", "--version"),
        "imapsync": _first_line("imapsync", "--version"),
    }


def busy() -> float:
    """The load average of the last minute."""
    return os.getloadavg()[0]


def _first_line(*command: str) -> str:
    if shutil.which(command[0]) is None:
        return "not installed"
    completed = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed commands
    return (completed.stdout.strip() or completed.stderr.strip()).partition("\n")[0]


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _file_system(folder: Path) -> str:
    """The type of the file system of `folder`. On tmpfs fsync costs nothing, and results look too good."""
    best = ("", "unknown")
    for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines():
        _, mounted, kind, *_ = line.split()
        contains = folder == Path(mounted) or Path(mounted) in folder.parents
        if contains and len(mounted) >= len(best[0]):
            best = mounted, kind
    return best[1]
