""".ci/tests.py: a few failed tests run once more, alone; a defect stays a failure."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FAILS_ONCE = """
from pathlib import Path

def test_fails_once():
    seen = Path("seen")
    first = not seen.exists()
    seen.touch()
    assert not first
"""
FAILS = "\ndef test_fails_{}():\n    assert False\n"


def run(folder: Path, tests: str) -> tuple[int, str]:
    """The exit code and the output of a run of these tests."""
    (folder / "test_it.py").write_text(tests, encoding="utf-8")
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "xdist.plugin", "--rootdir", str(folder)]
    result = subprocess.run(
        [sys.executable, str(ROOT / ".ci" / "tests.py"), *pytest],
        cwd=folder,
        env={"PATH": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},  # it starts several times
        capture_output=True,
        text=True,
        check=False,
    )
    return result.returncode, result.stdout


def test_a_test_that_passes_the_second_time_is_named(tmp_path: Path) -> None:
    code, output = run(tmp_path, FAILS_ONCE)
    assert code == 0
    assert output.endswith("Passed alone, and to be mended:\n  test_it.py::test_fails_once\n")


def test_a_test_that_fails_twice_fails(tmp_path: Path) -> None:
    code, output = run(tmp_path, FAILS_ONCE + FAILS.format("always"))
    assert code == 1
    assert "Passed alone, and to be mended:\n  test_it.py::test_fails_once\n" in output


def test_many_failures_are_not_repeated(tmp_path: Path) -> None:
    code, output = run(tmp_path, FAILS_ONCE + "".join(FAILS.format(n) for n in range(3)))
    assert code == 1
    assert "Once more" not in output


def test_what_cannot_be_run_is_not_repeated(tmp_path: Path) -> None:
    code, output = run(tmp_path, "import nothing_of_that_name\n")
    assert code == 2
    assert "Once more" not in output
