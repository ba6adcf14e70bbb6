"""The console, `mailhaul`."""

from __future__ import annotations

import sys

from importer import startup

startup.pause_garbage_collection()

from importer.cli.command_table import console, load_command  # noqa: E402
from importer.cli.exit_codes import run  # noqa: E402
from importer.core_dumps import forbid_core_dumps  # noqa: E402
from importer.wiped_memory import overwrite_freed_memory  # noqa: E402


def main() -> None:
    """Entry point. Ends the process with one of the documented exit codes."""
    if sys.argv[1:2] == ["web"]:  # it holds passwords of many people, and its start-up time does not matter
        overwrite_freed_memory()
    forbid_core_dumps()
    startup.tune_malloc()
    load_command(*sys.argv[1:2])  # the bulk of the imports, before the collector is enabled again
    startup.resume_garbage_collection()
    code = run(console)
    startup.skip_final_collection()
    sys.exit(code)
