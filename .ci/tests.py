"""Runs the test command that is given, and failed tests once more, alone.

A test that fails among thousands may have met a machine that was too busy, and not a defect, which fails
again. A test that passes the second time is named at the end: it waits for time, not for a condition, and
has to be mended.

    python .ci/tests.py .venv/bin/python -m pytest -n 3

The exit code is that of pytest: of the second run if only a few tests failed in the first one.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

MOST_REPEATED: Final = 3
"""More failed tests are no accident."""

_FAILED: Final = 1
"""Pytest's exit code if tests failed, and nothing else went wrong."""


def main(command: list[str]) -> int:
    with tempfile.TemporaryDirectory() as cache:
        code = _run(command, cache)
        failed = _failed(Path(cache))
        if code != _FAILED or not 0 < len(failed) <= MOST_REPEATED:
            return code
        print(f"\n{len(failed)} failed among the others. Once more, alone:", *failed, sep="\n  ", flush=True)
        code = _run([*command, "-n", "0", *failed], cache)
        passed = set(failed) - set(_failed(Path(cache)))
        print("Passed alone, and to be mended:", *sorted(passed) or ["none"], sep="\n  ", flush=True)
        return code


def _run(command: list[str], cache: str) -> int:
    return subprocess.run([*command, "-o", f"cache_dir={cache}"], check=False).returncode


def _failed(cache: Path) -> list[str]:
    """The node ids of the tests that failed in their last run."""
    path = cache / "v" / "cache" / "lastfailed"
    return list(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else []


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
