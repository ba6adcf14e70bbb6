"""The console, `mailhaul`."""

from __future__ import annotations

import sys

from importer import startup

startup.pause_garbage_collection()

from importer.cli.command_table import console  # noqa: E402
from importer.cli.exit_codes import run  # noqa: E402


def main() -> None:
    """Entry point. Ends the process with one of the documented exit codes."""
    startup.tune_malloc()
    app = console(*sys.argv[1:2])
    startup.resume_garbage_collection()
    code = run(app)
    startup.skip_final_collection()
    sys.exit(code)
