"""The commands in a document for its readers, and terminals that execute them.

A comment on the line before a block, invisible to readers, contains marks for tests:

    <!-- not run: needs root -->             why the block is only checked for its syntax
    <!-- terminal: second -->                in a terminal of that name; without a name, in the first
    <!-- until: Mailhaul is running -->      runs until it is stopped; go on as soon as it has written this
    <!-- once: people.csv is filled in -->   what the reader does before it

Several are separated by a comma.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.rehearsal.ports import wait_until

_BLOCK: Final = re.compile(
    r"^(?:<!-- (?P<mark>.*?) -->\n)?```sh\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE
)
_MARKS: Final = frozenset({"not run", "terminal", "until", "once"})
TIMEOUT_S: Final = 900


@dataclass(frozen=True, slots=True)
class Block:
    """The commands between two fences, and its marks by name."""

    line: int
    text: str
    marks: Mapping[str, str] = field(default_factory=dict)


def blocks(document: Path) -> list[Block]:
    """All blocks. Raises ValueError for an unknown mark."""
    text = document.read_text(encoding="utf-8")
    found = []
    for match in _BLOCK.finditer(text):
        marks = dict(re.findall(r"([a-z ]+): ([^,]+(?:, (?![a-z ]+: )[^,]+)*)(?:, )?", match["mark"] or ""))
        if unknown := marks.keys() - _MARKS or (match["mark"] and not marks):
            raise ValueError(f"{document.name}: {match['mark']} ({unknown})")
        found.append(Block(text.count("\n", 0, match.start("text")) + 1, match["text"], marks))
    return found


class Terminal:
    """A separate shell: variables that a block exports are set in the next. Any command that fails ends
    it."""

    def __init__(self, folder: Path, environment: Mapping[str, str], log: Path) -> None:
        self._log = log
        with log.open("wb") as out:
            self._shell = subprocess.Popen(
                ["/bin/bash", "--noprofile", "--norc", "-e"],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=dict(environment),
                start_new_session=True,
            )
        self._typed = 0

    def output(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def type(self, text: str, until: str = "") -> None:
        """Type the block and wait until all of it has run, or until `until` was written. Fails if a command
        fails."""
        self._typed += 1
        done = until or f"-- block {self._typed} has run --"
        assert self._shell.stdin is not None
        self._shell.stdin.write(text.encode() + (b"" if until else f"echo '{done}'\n".encode()))
        self._shell.stdin.flush()
        wait_until(lambda: done in self.output() or self._shell.poll() is not None, timeout_s=TIMEOUT_S)
        assert done in self.output(), f"{text}\nended with {self._shell.returncode}:\n{self.output()}"

    def close(self) -> None:
        """Send Ctrl-C to running commands, and end the shell."""
        if self._shell.poll() is None:
            os.killpg(self._shell.pid, signal.SIGINT)
        assert self._shell.stdin is not None
        self._shell.stdin.close()
        try:
            self._shell.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(self._shell.pid, signal.SIGKILL)
            self._shell.wait()


def run_blocks(
    document: Path,
    folder: Path,
    environment: Mapping[str, str],
    *,
    told: Callable[[str], str],
    readers_part: Mapping[str, Callable[[], None]] | None = None,
) -> str:
    """Type every block of the document that is to be run, in order. `told` substitutes values that only the
    reader knows, such as the address to clone from; `readers_part` does the reader's own steps. Returns all
    output."""
    terminals: dict[str, Terminal] = {}
    try:
        for block in blocks(document):
            if "not run" in block.marks:
                continue
            if before := block.marks.get("once"):
                (readers_part or {})[before]()
            name = block.marks.get("terminal", "first")
            if name not in terminals:
                terminals[name] = Terminal(folder, environment, folder.parent / f"{name}.log")
            terminals[name].type(told(block.text), block.marks.get("until", ""))
        return "\n".join(terminal.output() for terminal in terminals.values())
    finally:
        for terminal in terminals.values():
            terminal.close()
