"""The product's name: nothing answers to the former one."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
FORMER_NAME: Final = "fer" + "ry"


def test_nothing_answers_to_the_former_name() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    found = []
    for name in filter(None, listed.decode().split("\0")):
        if FORMER_NAME in name.lower():
            found.append(name)
        lines = (ROOT / name).read_bytes().splitlines()
        found += [f"{name}: {line[:100]!r}" for line in lines if FORMER_NAME.encode() in line.lower()]
    assert [where for where in found if not where.startswith("CHANGELOG.md:")] == []
    assert len(found) == 1, "the changelog names the former name once, where it tells of the change"
