"""Child processes that never outlive us: each leads a process group, which is ended as a whole."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

_running: set[subprocess.Popen[bytes]] = set()


def start_group(
    command: Sequence[str],
    log: Path,
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Starts `command`, in `folder`, as leader of a new process group; its output is appended to `log`."""
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
    """Asks the leader to end (SIGTERM), and after `patience_s` ends what is left of the group."""
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience_s)
    kill_group(process)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Ends the whole group with SIGKILL; ended already is fine."""
    if process in _running:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        _running.discard(process)


@atexit.register
def _kill_all() -> None:
    for process in tuple(_running):
        kill_group(process)
