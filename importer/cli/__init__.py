"""The console, `mailferry`."""

from __future__ import annotations

import sys

from importer.cli.app import app
from importer.cli.exits import run


def main() -> None:
    """Entry point. Ends the process with one of the documented exit codes."""
    sys.exit(run(app))
