"""Helpers shared by the tests of deploy/."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from importer.cli.command_table import load_command
from importer.settings import Settings

ROOT: Final = Path(__file__).parents[1]
DEPLOY: Final = ROOT / "deploy"
SETTINGS: Final = {variable for variable, _, _ in Settings.table()}


def can_be_typed(words: list[str]) -> None:
    """Fail unless `mailhaul WORDS` is a valid command line."""
    command = load_command(words[0])
    assert command is not None, words[0]
    command.make_context(words[0], list(words[1:]))


def environment_file(path: Path) -> dict[str, str]:
    """The variables of a file for EnvironmentFile= or env_file, including those commented out."""
    text = path.read_text(encoding="utf-8")
    return dict(re.findall(r"^#?([A-Z_]+)=(.*)$", text, flags=re.MULTILINE))
