"""A program in a real terminal of a given size."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

_ESCAPES: Final = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[@-Z\\-_]")

_MOVES: Final = re.compile(r"(?:\r?\x1b\[\d*[AJK])+")  # up, and erase


@dataclass(frozen=True, slots=True)
class Seen:
    """The program's output and exit code. Standard output and standard error are the same terminal."""

    raw: str
    code: int

    @property
    def text(self) -> str:
        """The output without escape sequences. Text that the program drew over other text is on a separate
        line."""
        return _ESCAPES.sub("", _MOVES.sub("\n", self.raw)).replace("\r", "")

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()


def in_terminal(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    columns: int = 80,
    rows: int = 24,
    on_output: Callable[[str], None] = lambda _: None,
    timeout_s: float = 120,
) -> Seen:
    """Run `command` in a terminal of that size until it ends. `on_output` gets the output so far.

    Kills the program and raises TimeoutError if it does not end in time.
    """
    own = {name: value for name, value in environment.items() if name not in ("COLUMNS", "LINES")}
    master, slave = pty.openpty()
    try:
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=own | {"TERM": "xterm-256color"},
            start_new_session=True,
        )
    finally:
        os.close(slave)
    read = bytearray()
    until_s = time.monotonic() + timeout_s
    try:
        while True:
            if not select.select([master], [], [], max(0.0, until_s - time.monotonic()))[0]:
                raise TimeoutError(read.decode("utf-8", "replace"))
            try:
                part = os.read(master, 65536)
            except OSError:  # EIO: the program has closed its side
                break
            if not part:
                break
            read += part
            on_output(read.decode("utf-8", "replace"))
        return Seen(read.decode("utf-8", "replace"), process.wait(timeout_s))
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(master)


def cells(line: str) -> int:
    """The width of a line in columns."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in line)
    return len(line) + wide - sum(unicodedata.combining(character) > 0 for character in line)
