"""`mailhaul WORDS` in processes that are forked from one that has imported everything already.

Each has its own environment, output and exit code, and does what `mailhaul` does after its imports. What it
spares is the start of Python: a third of a second for each command. Tests of signals, kills and the start
itself take `Installation.command`, which is the real thing.
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
    """Like subprocess.run with captured text. Raises TimeoutExpired."""
    with tempfile.TemporaryDirectory(prefix="mailhaul-console-") as folder:
        streams = [Path(folder, name) for name in ("stdin", "stdout", "stderr")]
        streams[0].write_text(stdin, encoding="utf-8")
        process = _forking.Process(
            target=_console, args=(list(words), dict(environment), os.getcwd(), [str(one) for one in streams])
        )
        process.start()
        process.join(timeout_s)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise TimeoutExpired(list(words), timeout_s)
        code = process.exitcode
        process.close()
        out, err = (one.read_text(encoding="utf-8") if one.exists() else "" for one in streams[1:])
    return CompletedProcess(list(words), code, out, err)


def _console(words: list[str], environment: dict[str, str], folder: str, streams: list[str]) -> None:
    """In the new process, whose threads, handlers and locks are its own."""
    for number, (path, flags) in enumerate(
        zip(streams, (os.O_RDONLY, *(os.O_WRONLY | os.O_CREAT,) * 2), strict=True)
    ):
        opened = os.open(path, flags, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - it had been closed
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["mailhaul", *words]
    from importer.cli import main  # noqa: PLC0415 - not in the process of the tests: it stops the collector

    main()
