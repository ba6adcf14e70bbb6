"""Run `mailhaul WORDS` in processes forked from a process that has already imported everything.

Each process has its own environment, output and exit code, and runs `mailhaul` from the point after its
imports. This saves the start of Python, a third of a second per command. Tests of signals, kills and the
start itself use `Installation.command`, the real command.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from subprocess import CompletedProcess, TimeoutExpired
from typing import Final

_forking: Final = multiprocessing.get_context("forkserver")
_forking.set_forkserver_preload(["tests.rehearsal.preloaded"])


def run_forked(
    words: Sequence[str], environment: Mapping[str, str], stdin: str, timeout_s: float
) -> CompletedProcess[str]:
    """Like subprocess.run with captured text output. Raises TimeoutExpired."""
    with tempfile.TemporaryDirectory(prefix="mailhaul-console-") as folder:
        streams = [Path(folder, name) for name in ("stdin", "stdout", "stderr")]
        streams[0].write_text(stdin, encoding="utf-8")
        process = _forking.Process(
            target=_console,
            args=(list(words), dict(environment), os.getcwd(), [str(path) for path in streams]),
        )
        process.start()
        process.join(timeout_s)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise TimeoutExpired(list(words), timeout_s)
        code = process.exitcode
        process.close()
        out, err = (path.read_text(encoding="utf-8") if path.exists() else "" for path in streams[1:])
    return CompletedProcess(list(words), code, out, err)


def _console(words: list[str], environment: dict[str, str], folder: str, streams: list[str]) -> None:
    """Runs in the forked process, which has its own threads, handlers and locks."""
    for number, (path, flags) in enumerate(
        zip(streams, (os.O_RDONLY, *(os.O_WRONLY | os.O_CREAT,) * 2), strict=True)
    ):
        opened = os.open(path, flags, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - the fork server closed it
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["mailhaul", *words]
    from importer.cli import main  # noqa: PLC0415 - disables garbage collection, so not in the test process

    main()
