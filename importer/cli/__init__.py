"""The console, `mailhaul`."""

from __future__ import annotations

import gc
import sys

gc.disable()  # nothing that is imported is garbage: looking for some takes a tenth of the start-up

from importer.allocating import spare_memory  # noqa: E402
from importer.cli.app import console  # noqa: E402
from importer.cli.exits import run  # noqa: E402


def main() -> None:
    """Entry point. Ends the process with one of the documented exit codes."""
    spare_memory()
    app = console(*sys.argv[1:2])
    gc.freeze()
    gc.enable()
    code = run(app)
    gc.freeze()  # nor does a process that ends need it looked for
    sys.exit(code)
