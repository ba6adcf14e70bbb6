"""The console, `mailferry`."""

from __future__ import annotations

import gc
import sys

gc.disable()  # nothing that is imported is garbage: looking for some takes a tenth of the start-up

from importer.cli.app import app  # noqa: E402
from importer.cli.exits import run  # noqa: E402

gc.freeze()
gc.enable()


def main() -> None:
    """Entry point. Ends the process with one of the documented exit codes."""
    sys.exit(run(app))
