"""The sampling of large test matrices, and the distribution of tests among workers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests import sampling, sharing

HOSTS = [f"host {number}" for number in range(13)]


def test_a_seed_selects_the_same_values_and_all_values_are_selected_eventually(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def selected(seed: str) -> set[str]:
        monkeypatch.setattr(sampling, "SEED", seed)
        return sampling.select(HOSTS, 4, ["host 0", "host 9"], "hosts")

    assert selected("a") == selected("a")
    assert len(selected("a")) == 6
    assert all({"host 0", "host 9"} <= selected(str(commit)) for commit in range(30))
    assert set().union(*(selected(str(commit)) for commit in range(30))) == set(HOSTS)


def test_a_small_matrix_is_not_sampled() -> None:
    assert sampling.select(HOSTS[:3], 4, HOSTS[:1], "hosts") == set(HOSTS[:3])


@pytest.mark.parametrize("named", [False, True])
def test_unsampled_tests_are_deselected_unless_named(tmp_path: Path, named: bool) -> None:
    """Runs the hooks in a separate pytest process."""
    file = tmp_path / "test_some.py"
    file.write_text(
        "import pytest\n"
        "@pytest.mark.sampled(2)\n"
        "@pytest.mark.parametrize('number', range(10))\n"
        "def test_number(number): pass\n"
    )
    words = ["-p", "tests.sampling", "-p", "no:cacheprovider", "-c", str(tmp_path / "none.ini")]
    (tmp_path / "none.ini").write_text("[pytest]\n")
    result = subprocess.run(
        [sys.executable, "-m", "pytest", *words, f"{file}::test_number" if named else str(file)],
        cwd=sampling.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"MAILHAUL_TEST_SEED={sampling.SEED}" in result.stdout
    assert ("10 passed" if named else "2 passed, 8 deselected") in result.stdout, result.stdout
    assert ("8 more tests run in `make soak`." in result.stdout) == (not named)


def test_without_git_the_seed_is_fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MAILHAUL_TEST_SEED")
    monkeypatch.setenv("PATH", "")
    assert sampling._seed() == sampling.WITHOUT_GIT


def test_listed_files_exist() -> None:
    files = {*sharing.LONGEST_FIRST, *sharing.DIVIDED}
    assert [file for file in files if not (sampling.ROOT / file).is_file()] == []


def test_the_tests_of_a_file_share_a_worker_unless_it_is_divided() -> None:
    rows = "tests/unit/test_rows.py"
    assert sharing.share_of(f"{rows}::test_a[x::y]") == sharing.share_of(f"{rows}::test_b")
    kill = "tests/integration/test_kill.py"
    assert sharing.share_of(f"{kill}::test_a[1]") == sharing.share_of(f"{kill}::test_a[2]")
    assert sharing.share_of(f"{kill}::test_a[1]") != sharing.share_of(f"{kill}::test_b[1]")
    assert sharing.rank(f"{kill}::test_a[1]") < sharing.rank(f"{rows}::test_a")
