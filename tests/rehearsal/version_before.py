"""The version before the newest migration, from the history of this repository."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path
from typing import Final

from importer.adapters.store.revision import HEAD

ROOT: Final = Path(__file__).parents[2]
MIGRATIONS: Final = ROOT / "importer/adapters/store/migrations/versions"


def unpack_version_before(folder: Path) -> str:
    """Unpack its packages into the folder. Returns the reason if that is impossible, otherwise ""."""
    if not (ROOT / ".git").exists():
        return "a release archive has no history"
    [newest] = MIGRATIONS.glob(f"v{HEAD}_*.py")
    added = _git("log", "--diff-filter=A", "--format=%H", "--", str(newest)).decode().split()
    before = f"{added[-1]}^" if added else "HEAD"
    try:
        archive = _git("archive", before, "importer", "providers")
    except subprocess.CalledProcessError:
        return "the history of this clone does not go back far enough"
    with tarfile.open(fileobj=BytesIO(archive)) as packed:
        packed.extractall(folder, filter="data")
    return ""


def console_of(folder: Path) -> tuple[str, ...]:
    """The command of a console with the packages in that folder."""
    start = f"import sys; sys.path.insert(0, {str(folder)!r}); from importer.cli import main; main()"
    return (sys.executable, "-P", "-c", start)


def _git(*words: str) -> bytes:
    return subprocess.run(["git", "-C", ROOT, *words], capture_output=True, check=True).stdout
