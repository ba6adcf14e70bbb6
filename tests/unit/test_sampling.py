"""What `make test` runs of large matrices, and which worker gets it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests import sampling, sharing

HOSTS = [f"host {number}" for number in range(13)]


def test_the_same_seed_keeps_the_same_and_others_have_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    def kept(seed: str) -> set[str]:
        monkeypatch.setattr(sampling, "SEED", seed)
        return sampling.select(HOSTS, 4, ["host 0", "host 9"], "hosts")

    assert kept("a") == kept("a")
    assert len(kept("a")) == 6
    assert all({"host 0", "host 9"} <= kept(str(commit)) for commit in range(30))
    assert set().union(*(kept(str(commit)) for commit in range(30))) == set(HOSTS)


def test_a_small_matrix_is_kept_whole() -> None:
    assert sampling.select(HOSTS[:3], 4, HOSTS[:1], "hosts") == set(HOSTS[:3])


@pytest.mark.parametrize("named", [False, True])
def test_what_is_left_out_is_what_is_not_run(tmp_path: Path, named: bool) -> None:
    """The hooks, in a pytest of its own."""
    file = tmp_path / "test_some.py"
    file.write_text(
        "import pytest\n"
        "@pytest.mark.sampled(2)\n"
        "@pytest.mark.parametrize('number', range(10))\n"
        "def test_number(number): pass\n"
    )
    words = ["-p", "tests.sampling", "-p", "no:cacheprovider", "-c", str(tmp_path / "none.ini")]
    (tmp_path / "none.ini").write_text("[pytest]\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words, f"{file}::test_number" if named else str(file)],
        cwd=sampling.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"MAILHAUL_TEST_SEED={sampling.SEED}" in done.stdout
    assert ("10 passed" if named else "2 passed, 8 deselected") in done.stdout, done.stdout
    assert ("8 more tests run in `make soak`." in done.stdout) == (not named)


def test_without_git_the_seed_is_fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MAILHAUL_TEST_SEED")
    monkeypatch.setenv("PATH", "")
    assert sampling._seed() == sampling.WITHOUT_GIT


def test_files_that_come_first_or_are_divided_are_there() -> None:
    named = {*sharing.LONGEST_FIRST, *sharing.DIVIDED}
    assert [file for file in named if not (sampling.ROOT / file).is_file()] == []


def test_a_file_goes_to_one_worker_unless_it_is_divided() -> None:
    rows = "tests/unit/test_rows.py"
    assert sharing.share_of(f"{rows}::test_a[x::y]") == sharing.share_of(f"{rows}::test_b")
    kill = "tests/integration/test_kill.py"
    assert sharing.share_of(f"{kill}::test_a[1]") == sharing.share_of(f"{kill}::test_a[2]")
    assert sharing.share_of(f"{kill}::test_a[1]") != sharing.share_of(f"{kill}::test_b[1]")
    assert sharing.rank(f"{kill}::test_a[1]") < sharing.rank(f"{rows}::test_a")
