"""Builds and checks a release: `make release`, or `make release CHECK=1` without the tag.

The tree has to be clean, and version, changelog and documents have to agree. Wheel and sdist are built from
the commit, compared with its files, and the wheel is installed into an empty environment and tried. Then the
commit gets the tag vVERSION; nothing is pushed or published. The image is built from the sdist, which holds
deploy/container/Containerfile and all that it copies.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_HEADING = re.compile(r"^## \[(?P<name>[^\]]+)\](?: - (?P<date>\d{4}-\d\d-\d\d))?$", re.MULTILINE)
_NAMED = re.compile(r"\bmailhaul[:-](\d+\.\d+\.\d+)\b")
"""The version in commands of the documents: of an image, and of a directory."""


class NotReady(Exception):
    """The release is not made; each line says what to do."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Build and check a release, and tag it.")
    parser.add_argument("--check", action="store_true", help="do not tag")
    given = parser.parse_args()
    try:
        version = ready_version()
        built = build()
        for archive in built:
            complete(archive)
        with tempfile.TemporaryDirectory(prefix="mailhaul-release-") as folder:
            try_wheel(built[0], version, Path(folder))
        sums(built)
    except NotReady as error:
        sys.exit(f"No release: {error}")
    print(f"dist/ has {', '.join(path.name for path in built)} and SHA256SUMS.")
    if given.check:
        print(f"Checked only: v{version} was not tagged.")
    else:
        git("tag", "--annotate", f"v{version}", "--message", f"Mailhaul {version}")
        print(f"Tagged v{version}. To publish: git push origin v{version}")


# --- Before it is built ---------------------------------------------------------------------------------


def ready_version() -> str:
    """The version of this release. Raises NotReady with every reason against it."""
    version = str(tomllib.loads(text_of("pyproject.toml"))["project"]["version"])
    if reasons := [*_against(version)]:
        raise NotReady("\n  ".join(["", *reasons]))
    return version


def _against(version: str) -> Iterator[str]:
    if changed := git("status", "--porcelain").splitlines():
        first = changed[0].strip()
        yield f"{len(changed)} file(s) are changed or unknown to git, {first} among them: commit them."
    headings = list(_HEADING.finditer(text_of("CHANGELOG.md")))
    released = [match for match in headings if match["date"]]
    if headings and not headings[0]["date"]:
        yield f"CHANGELOG.md begins with [{headings[0]['name']}]: give it the version and a date."
    elif not released or released[0]["name"] != version:
        found = released[0]["name"] if released else "no version"
        yield f"pyproject.toml has {version}, CHANGELOG.md {found}: make them agree."
    elif date.fromisoformat(released[0]["date"]) > datetime.now(UTC).date():
        yield f"CHANGELOG.md dates {version} to {released[0]['date']}, which is to come."
    if git("tag", "--list", f"v{version}"):
        yield f"The tag v{version} exists: choose another version."
    for name in git("ls-files", "deploy", "README.md").splitlines():
        for other in sorted({found for found in _NAMED.findall(text_of(name)) if found != version}):
            yield f"{name} names {other}: write {version}."


# --- The archives ---------------------------------------------------------------------------------------


def build() -> tuple[Path, Path]:
    """The wheel and the sdist of the commit, in dist/."""
    dist = ROOT / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    dist.mkdir()
    with tempfile.TemporaryDirectory(prefix="mailhaul-build-") as folder:
        packed = Path(folder) / "tree.tar"
        git("archive", "--output", str(packed), "HEAD")
        tree = Path(folder) / "tree"
        with tarfile.open(packed) as archive:
            archive.extractall(tree, filter="data")
        # Archives of the same commit are the same bytes.
        times = {"SOURCE_DATE_EPOCH": git("log", "-1", "--format=%ct").strip()}
        uv = Path(sys.executable).with_name("uv")
        run(
            [uv, "build", "--quiet", "--no-build-isolation", "--python", sys.executable, "--out-dir", dist],
            cwd=tree,
            **times,
        )
    [wheel], [sdist] = dist.glob("*.whl"), dist.glob("*.tar.gz")
    (dist / ".gitignore").unlink(missing_ok=True)
    return wheel, sdist


def complete(path: Path) -> None:
    """Raises NotReady unless the archive holds every file of the commit that belongs into it."""
    if path.suffix == ".whl":
        held = set(zipfile.ZipFile(path).namelist())
        wanted = set(git("ls-files", "importer", "providers").splitlines())
    else:
        with tarfile.open(path) as archive:
            held = {name.partition("/")[2] for name in archive.getnames()}
        tracked = git("ls-files").splitlines()
        wanted = {name for name in tracked if not name.startswith((".git", ".pre-commit"))}
        wanted |= set(copied_by_image())
    missing = sorted(
        name for name in wanted - held if not any(other.startswith(f"{name}/") for other in held)
    )
    if missing:
        raise NotReady(f"{path.name} lacks {len(missing)} file(s): {', '.join(missing[:5])}.")


def copied_by_image() -> Iterator[str]:
    """What the Containerfile copies from the sources."""
    lines = text_of("deploy/container/Containerfile").replace("\\\n", " ").splitlines()
    for line in lines:
        words = shlex.split(line) if line.startswith("COPY ") else []
        if words and not words[1].startswith("--from="):
            yield from words[1:-1]


def try_wheel(wheel: Path, version: str, folder: Path) -> None:
    """Installs the locked packages and the wheel into an empty environment, and runs what needs its data:
    console, schema, catalog, translations, templates and static files. Raises NotReady."""
    run([sys.executable, "-m", "venv", folder / "venv"])
    program = folder / "venv/bin"
    pip = [program / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run([*pip, "--require-hashes", "-r", ROOT / "requirements.lock"])
    run([*pip, "--no-deps", wheel])
    data = {"MAILHAUL_DATA": str(folder / "data"), "MAILHAUL_DESTINATION_SERVER": "imaps://mail.example"}
    said = run([program / "mailhaul", "--version"], cwd=folder, **data).split()
    if said != ["mailhaul", version]:
        raise NotReady(f"the installed wheel says {' '.join(said)}, and not {version}.")
    run([program / "mailhaul", "migrate"], cwd=folder, **data)
    run([program / "mailhaul", "doctor", "--only", "database", "--only", "key"], cwd=folder, **data)
    run([program / "mailhaul", "template"], cwd=folder, **data)
    run([program / "python", "-I", "-c", _SMOKE], cwd=folder, **data)


_SMOKE = """
import sys
from importer.i18n.translations import LANGUAGES, texts
from importer.web.rendering import assets
from providers.catalog import Catalog
assert len({texts(tag).gettext("New mailbox") for tag in LANGUAGES}) == len(LANGUAGES) > 4
assert "babel" not in sys.modules
assert {"app.css", "app.js"} <= assets().keys()
assert len(list(Catalog.load())) > 20
import importer.web.app, importer.worker
"""


def sums(paths: tuple[Path, ...]) -> None:
    """dist/SHA256SUMS, for `sha256sum --check`."""
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in paths]
    (ROOT / "dist/SHA256SUMS").write_text("".join(lines), encoding="utf-8")


# --- Helpers ----------------------------------------------------------------------------------------------


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8", errors="replace")


def git(*words: str) -> str:
    return run(["git", *words])


def run(command: list[str | Path], cwd: Path = ROOT, **environment: str) -> str:
    """The output of the command. Raises NotReady with all of it unless the exit code is 0."""
    ended = subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    if ended.returncode:
        words = " ".join(map(str, command[:4]))
        raise NotReady(f"`{words}` failed:\n{ended.stdout}{ended.stderr}")
    return ended.stdout


if __name__ == "__main__":
    main()
