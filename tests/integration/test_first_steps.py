"""The first steps of README and INSTALL, typed as they stand there, with a new home and a PATH of Debian's.

Debian's own Python installs from a clone of this tree; `pip` comes from the new environment.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.conftest import MakeUser
from tests.rehearsal.checker import compare
from tests.rehearsal.command_blocks import Block, blocks, run_blocks
from tests.rehearsal.dovecot import Dovecot
from tests.rehearsal.installation import Installation
from tests.rehearsal.ports import free_ports
from tests.rehearsal.sample import EMPTY_FOLDERS, FOLDER_MAP, sample_mailbox

ROOT: Final = Path(__file__).parents[2]
README, INSTALL = ROOT / "README.md", ROOT / "deploy" / "INSTALL.md"
DEBIANS_PATH: Final = "/usr/local/bin:/usr/bin:/bin"
KEPT: Final = ("PIP_", "SSL_", "REQUESTS_")
"""How this machine reaches a package index is no part of what is tried."""

ALL: Final = [(document, block) for document in (README, INSTALL) for block in blocks(document)]


@pytest.mark.parametrize(("document", "block"), ALL, ids=[f"{d.stem}-{b.line}" for d, b in ALL])
def test_every_block_is_typed_or_says_why_not_and_is_valid(document: Path, block: Block) -> None:
    checked = subprocess.run(
        ["/bin/bash", "-n"], input=block.text, text=True, capture_output=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
    assert checked.stderr == ""
    if reason := block.marks.get("not run"):
        assert reason.startswith("needs "), reason
    else:
        assert not set(block.text.split()) & {"sudo", "systemctl", "apt-get", "docker"}, "mark it"


@pytest.mark.parametrize("document", [README, INSTALL], ids=["README", "INSTALL"])
def test_a_reader_knows_what_to_put_in(document: Path) -> None:
    assert "`ADDRESS` is where you found this page" in document.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with the tracked files of this tree."""
    tree = tmp_path_factory.mktemp("published")
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, names.stdout.split("\0")):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)
    identity = ("-c", "user.name=reader", "-c", "user.email=reader@new.example")
    for words in (["init", "-q"], ["add", "-A"], [*identity, "commit", "-q", "-m", "published"]):
        subprocess.run(["git", *words], cwd=tree, check=True)
    return tree


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "home"
    folder.mkdir()
    python = shutil.which("python3", path=DEBIANS_PATH)
    if python is None or subprocess.run([python, "-c", "import venv, ensurepip"], check=False).returncode:
        pytest.skip("Debian's python3-venv is missing")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)  # half a gigabyte


def environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name.startswith(KEPT)}
    return kept | {"HOME": str(home), "PATH": DEBIANS_PATH, "LANG": "C.UTF-8"}


def test_the_first_steps_of_the_readme_work_as_they_stand_there(
    home: Path, published: Path, old_host: Dovecot, new_host: Dovecot, make_user: MakeUser
) -> None:
    pairs = [(make_user(old_host), make_user(new_host)) for _ in range(2)]
    for old, _ in pairs:
        old.fill(sample_mailbox(), EMPTY_FOLDERS)

    def fill_in() -> None:
        head = (home / "people.csv").read_text(encoding="utf-8-sig")
        assert "source_address" in head
        Installation(home).csv("people.csv", pairs)

    output = run_blocks(
        README,
        home,
        environment(home)
        | {
            "MAILHAUL_CA_FILE": str(new_host.ca_file),
            "MAILHAUL_WEB_LISTEN": f"127.0.0.1:{free_ports()[0]}",
            "MAILHAUL_TICK_SECONDS": "1",
        },
        told=lambda text: text.replace("ADDRESS", str(published)),
        readers_part={"people.csv is filled in": fill_in},
    )
    assert "All 2 mailboxes are complete" in " ".join(output.split())
    for old, new in pairs:
        assert compare(old.read(), new.read(), folder_map=FOLDER_MAP) == []


def test_the_program_of_the_installation_guide_installs_below_another_root(
    home: Path, published: Path, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    for folder in ("usr/local/src", "opt", "etc/mailhaul/secrets"):
        (root / folder).mkdir(parents=True)

    def below(text: str) -> str:
        text = text.replace("ADDRESS", str(published))
        for folder in ("/usr/local/src/", "/opt/", "/etc/mailhaul/"):
            text = text.replace(folder, f"{root}{folder}")
        return text

    run_blocks(INSTALL, home, environment(home), told=below)
    program = root / "opt/mailhaul/bin/mailhaul"
    secrets = {file.name: file.stat().st_mode & 0o777 for file in (root / "etc/mailhaul/secrets").iterdir()}
    assert secrets == {"secret_key": 0o600, "smtp_url": 0o600}
    found = subprocess.run(
        [program, "doctor", "--only", "key", "--data", tmp_path / "data"],
        env=environment(home) | {"MAILHAUL_SECRETS_DIR": str(root / "etc/mailhaul/secrets")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    assert (home / "mailhaul/deploy/compose/secrets/mailhaul_secret_key").exists()
