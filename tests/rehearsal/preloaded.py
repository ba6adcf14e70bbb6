"""The imports of the process from which consoles are forked (`consoles.py`). For no other use."""

from __future__ import annotations

import os

# At import, modules check whether the output is a terminal. The output of a console goes to a file.
_nowhere = os.open(os.devnull, os.O_RDWR)
for _stream in (0, 1):
    os.dup2(_nowhere, _stream)

import importer.adapters.imap.factory  # noqa: E402 - otherwise imported at the first connection
import importer.adapters.store  # noqa: E402, F401
from importer.cli.command_table import COMMAND_NAMES, load_command  # noqa: E402

for _name in COMMAND_NAMES:
    load_command(_name)
