"""One command, measured in a process of its own."""

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
    """A command that was to be measured did not end well; the text says how, in its own last words."""


_NO_SETTINGS: Final[Mapping[str, str]] = {}
_OF_THIS_SHELL: Final = ("MAILHAUL_", "PYTHON")
"""Variables that a user does not set: among them, that Python keeps nothing of what it compiles."""


def timed(
    command: Sequence[str], home: Path, *, limit_s: float, environment: Mapping[str, str] = _NO_SETTINGS
) -> Taken:
    """Runs `command` for `limit_s` at most, as on a user's machine but for `environment`, its HOME being
    `home`; what it says is in output.log there. Raises CommandFailed."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(_OF_THIS_SHELL)}
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
    ended, wall_s, cpu_s, peak_bytes = facts.read_text(encoding="ascii").split()
    if int(ended) != 0:
        words = log.read_text(encoding="utf-8", errors="replace").strip()[-600:]
        late = f" after {float(wall_s):.0f} s" if int(ended) == -9 else ""
        raise CommandFailed(f"ended with {ended}{late}: {words or 'without a word'}")
    return Taken(float(wall_s), float(cpu_s), int(peak_bytes))
