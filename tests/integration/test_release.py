"""`make release CHECK=1`: refuses what is not ready, and builds archives that are whole and run."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository with the files of this one, ready for a release of the version in pyproject.toml."""
    folder = tmp_path / "tree"
    for name in subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())
    changelog = folder / "CHANGELOG.md"
    version = version_of(folder)
    dated = f"## [{version}] - {datetime.now(UTC).date()}"
    former = re.compile(rf"^## \[{re.escape(version)}\].*$", re.MULTILINE)
    text = former.sub("## [0.0.1] - 2026-01-01", changelog.read_text())
    changelog.write_text(text.replace("## [Unreleased]", dated, 1))
    git(folder, "init", "--quiet")
    commit(folder)
    return folder


def version_of(folder: Path) -> str:
    found = re.search(r'^version = "(.+)"$', (folder / "pyproject.toml").read_text(), flags=re.MULTILINE)
    assert found is not None
    return found[1]


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    ended = subprocess.run(["git", *who, *words], cwd=folder, capture_output=True, text=True, check=True)
    return ended.stdout


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "a commit")


def release(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, folder / ".ci/release.py", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_archives_are_whole_and_run(tree: Path) -> None:
    done = release(tree, "--check")
    assert done.returncode == 0, done.stdout + done.stderr
    version = version_of(tree)
    names = {path.name for path in (tree / "dist").iterdir()}
    assert names == {f"mailhaul-{version}-py3-none-any.whl", f"mailhaul-{version}.tar.gz", "SHA256SUMS"}
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=tree / "dist", check=True)
    assert "not tagged" in done.stdout
    assert git(tree, "tag", "--list") == ""


def test_what_is_not_ready_is_refused_with_every_reason(tree: Path) -> None:
    (tree / "notes.txt").write_text("left behind")
    pyproject = tree / "pyproject.toml"
    before = f'version = "{version_of(tree)}"'
    pyproject.write_text(pyproject.read_text().replace(before, 'version = "9.9.9"'))
    refused = release(tree, "--check")
    assert refused.returncode == 1
    assert "2 file(s) are changed" in refused.stderr
    assert "pyproject.toml has 9.9.9" in refused.stderr
    assert "deploy/INSTALL.md names" in refused.stderr
    assert not (tree / "dist").exists()


def test_unreleased_changes_and_a_tag_that_exists_are_refused(tree: Path) -> None:
    changelog = tree / "CHANGELOG.md"
    changelog.write_text(changelog.read_text().replace("## [", "## [Unreleased]\n\n- More.\n\n## [", 1))
    commit(tree)
    git(tree, "tag", f"v{version_of(tree)}")
    refused = release(tree, "--check")
    assert refused.returncode == 1
    assert "begins with [Unreleased]" in refused.stderr
    assert "exists: choose another version" in refused.stderr


def test_a_date_to_come_is_refused(tree: Path) -> None:
    changelog = tree / "CHANGELOG.md"
    changelog.write_text(re.sub(r"\] - \d{4}-\d\d-\d\d", "] - 2999-01-01", changelog.read_text(), count=1))
    commit(tree)
    assert "which is to come" in release(tree, "--check").stderr
