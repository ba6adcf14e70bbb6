"""Child processes that do not outlive this one. Each leads a process group, which is ended as a whole."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_GONE_WITHIN_S = 5.0
_running: set[subprocess.Popen[bytes]] = set()


def start_group(
    command: Sequence[str],
    log: Path,
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start `command` in `folder` as leader of a new process group. Its output is appended to `log`."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd=folder,
            env=environment,
            start_new_session=True,
        )
    _running.add(process)
    return process


def stop_group(process: subprocess.Popen[bytes], *, patience_s: float = 5.0) -> None:
    """Send SIGTERM to the leader, and after `patience_s` SIGKILL to the rest of the group."""
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience_s)
    kill_group(process)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """End the whole group with SIGKILL. No-op if it has already ended."""
    if process in _running:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        _wait_until_gone(process.pid)
        _running.discard(process)


def _wait_until_gone(group: int) -> None:
    """Wait for the leader's children, which end slightly later and hold its ports and sockets until then."""
    until = time.monotonic() + _GONE_WITHIN_S
    with contextlib.suppress(ProcessLookupError):
        while time.monotonic() < until:
            os.killpg(group, 0)
            time.sleep(0.002)


@atexit.register
def _kill_all() -> None:
    for process in tuple(_running):
        kill_group(process)
