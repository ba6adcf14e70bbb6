"""Measures a command in a separate process."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks.results import Taken
from benchmarks.stage import ROOT
from tests.rehearsal.processes import kill_group, start_group


class CommandFailed(Exception):
    """A measured command failed. The message contains the end of its output."""


_NO_SETTINGS: Final[Mapping[str, str]] = {}
_EXCLUDED: Final = ("MAILHAUL_", "PYTHON")
"""Prefixes of variables that users do not set, such as PYTHONDONTWRITEBYTECODE."""


def timed(
    command: Sequence[str], home: Path, *, limit_s: float, environment: Mapping[str, str] = _NO_SETTINGS
) -> Taken:
    """Runs `command` for at most `limit_s` as on a user's machine, plus `environment`, with HOME set to
    `home`. Its output is in output.log there. Raises CommandFailed."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(_EXCLUDED)}
    facts, log = home / "facts", home / "output.log"
    runner = (sys.executable, "-I", "-S", str(Path(__file__).with_name("measure.py")))
    process = start_group(
        [*runner, str(facts), str(limit_s), *command],
        log,
        folder=ROOT,
        environment={**own, "HOME": str(home), **environment},
    )
    try:
        process.wait(limit_s + 30)
    finally:
        kill_group(process)
    exit_code, wall_s, cpu_s, peak_bytes = facts.read_text(encoding="ascii").split()
    if int(exit_code) != 0:
        output = log.read_text(encoding="utf-8", errors="replace").strip()[-600:]
        late = f" after {float(wall_s):.0f} s" if int(exit_code) == -9 else ""
        raise CommandFailed(f"ended with {exit_code}{late}: {output or 'without output'}")
    return Taken(float(wall_s), float(cpu_s), int(peak_bytes))
