"""The systemd units of deploy/, parsed like systemd does, and the system calls that they allow."""

from __future__ import annotations

import functools
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parents[2] / "deploy" / "systemd"
DROP_IN: Final = FOLDER / "mailhaul-.service.d" / "hardening.conf"

_SECONDS: Final = {"": 1, "s": 1, "min": 60, "h": 3600}


@dataclass(frozen=True)
class Service:
    """One unit including the common drop-in: (key, value) in order, since several lines of a key add up."""

    name: str
    lines: tuple[tuple[str, str], ...]

    def all(self, key: str) -> list[str]:
        return [value for name, value in self.lines if name == key]

    def one(self, key: str) -> str:
        """The last value of a key. Raises IndexError if there is none."""
        return self.all(key)[-1]

    def words(self) -> list[str]:
        """The command of ExecStart."""
        return shlex.split(self.one("ExecStart"))

    def seconds(self, key: str) -> int:
        match = re.fullmatch(r"(\d+)(|s|min|h)", self.one(key))
        assert match, self.one(key)
        return int(match[1]) * _SECONDS[match[2]]


def services() -> dict[str, Service]:
    """The services by file name."""
    common = _lines(DROP_IN)
    return {
        path.name: Service(path.name, (*_lines(path), *common)) for path in sorted(FOLDER.glob("*.service"))
    }


def _lines(path: Path) -> tuple[tuple[str, str], ...]:
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    pairs = (line.partition("=") for line in text.splitlines() if re.match(r"\w+=", line))
    return tuple((key, value.strip()) for key, _, value in pairs)


def copy_for(folder: Path, program: Path) -> None:
    """Copy the units with paths of existing programs, which `systemd-analyze verify` checks."""
    shutil.copytree(FOLDER, folder, dirs_exist_ok=True)
    for path in folder.glob("*.service"):
        text = path.read_text(encoding="utf-8")
        text = text.replace("/opt/mailhaul/bin/mailhaul", str(program))
        path.write_text(text.replace("/usr/bin/valkey-server", "/bin/true"), encoding="utf-8")


def allowed_calls(service: Service) -> list[str]:
    """Names of the system calls that SystemCallFilter= allows. systemd.exec(5) defines how lines add up."""
    allowed = set(_set_of_calls("@default"))
    for line in service.all("SystemCallFilter"):
        names = {name for word in line.lstrip("~").split() for name in _expanded(word)}
        allowed = allowed - names if line.startswith("~") else allowed | names
    return sorted(allowed)


def _expanded(word: str) -> frozenset[str]:
    return _set_of_calls(word) if word.startswith("@") else frozenset({word})


@functools.cache
def _set_of_calls(name: str) -> frozenset[str]:
    result = subprocess.run(
        ["systemd-analyze", "--no-pager", "syscall-filter", name], capture_output=True, text=True, check=True
    )
    words = [line.strip() for line in result.stdout.splitlines()[1:]]
    return frozenset().union(*(_expanded(word) for word in words if word and not word.startswith("#")))
