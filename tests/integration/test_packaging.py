"""The wheel and the sdist are complete, install into an empty environment and can run a copy."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from importer.i18n.catalogs import LOCALE, compiled_name
from tests.conftest import MakeUser
from tests.rehearsal.checker import compare
from tests.rehearsal.dovecot import Dovecot
from tests.rehearsal.installation import Installation
from tests.rehearsal.sample import EMPTY_FOLDERS, FOLDER_MAP, sample_mailbox

ROOT: Final = Path(__file__).parents[2]


def run(command: Sequence[str | Path], cwd: Path = ROOT) -> str:
    """The output of the command; fails with all of it unless the exit code is 0."""
    ended = subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def tracked(*folders: str) -> set[str]:
    return set(filter(None, run(["git", "ls-files", "-z", *folders]).split("\0")))


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An sdist of the tracked files, and a wheel that is built from that sdist."""
    folder, out = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("dist")
    for name in tracked():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((ROOT / name).read_bytes())
    uv = Path(sys.executable).with_name("uv")
    run(
        [uv, "build", "--quiet", "--no-build-isolation", "--python", sys.executable, "--out-dir", out],
        cwd=folder,
    )
    [sdist], [wheel] = out.glob("*.tar.gz"), out.glob("*.whl")
    return {"sdist": sdist, "wheel": wheel}


def test_the_sdist_holds_every_tracked_file(distributions: dict[str, Path]) -> None:
    with tarfile.open(distributions["sdist"]) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    tracked = set(filter(None, run(["git", "ls-files", "-z"], cwd=ROOT).split("\0")))
    left_out = {
        name for name in tracked if name.split("/")[0].startswith(".git") or name.startswith(".pre-commit")
    }
    assert tracked - left_out - held == set()


def test_the_wheel_holds_every_file_of_the_packages(distributions: dict[str, Path]) -> None:
    with zipfile.ZipFile(distributions["wheel"]) as archive:
        held = set(archive.namelist())
    assert tracked("importer", "providers") - held == set()
    assert any(name.endswith("licenses/LICENSE") for name in held)
    folder = LOCALE.relative_to(ROOT)
    compiled = {str(folder / compiled_name(po.stem, po.read_bytes())) for po in LOCALE.glob("*.po")}
    assert {name for name in held if name.endswith(".mo")} == compiled


def test_a_copy_runs_from_the_wheel_in_an_empty_environment(
    distributions: dict[str, Path], tmp_path: Path, old_host: Dovecot, new_host: Dovecot, make_user: MakeUser
) -> None:
    folder = tmp_path / "venv" / "bin"
    run([sys.executable, "-m", "venv", tmp_path / "venv"])
    pip: list[str | Path] = [
        folder / "python",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]
    run([*pip, "--require-hashes", "-r", ROOT / "requirements.lock"])
    run([*pip, "--no-deps", distributions["wheel"]])
    location = run([folder / "python", "-I", "-c", "import importer; print(importer.__file__)"], cwd=tmp_path)
    assert Path(location.strip()).is_relative_to(tmp_path / "venv")

    installation = Installation(tmp_path, command=(str(folder / "python"), "-I", "-m", "importer.cli"))
    installation.settings["CA_FILE"] = str(new_host.ca_file)
    old, new = make_user(old_host), make_user(new_host)
    old.fill(sample_mailbox(), EMPTY_FOLDERS)
    report = installation.json(*installation.copy_words(old, new))
    assert report["totals"]["copied"] == new.read().count()
    assert compare(old.read(), new.read(), folder_map=FOLDER_MAP) == []
    version = run([folder / "mailhaul", "--version"], cwd=tmp_path)
    assert version.strip() == f"mailhaul {distributions['wheel'].name.split('-')[1]}"
