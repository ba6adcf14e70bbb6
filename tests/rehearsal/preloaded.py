"""What a process imports before consoles are forked from it: see `consoles.py`. Nobody else imports this."""

from __future__ import annotations

import os

# Whether the output is a terminal is asked at import, and a console's output will go into a file.
_nowhere = os.open(os.devnull, os.O_RDWR)
for _stream in (0, 1):
    os.dup2(_nowhere, _stream)

import importer.adapters.imap.session  # noqa: E402 - a command imports it once it connects
import importer.adapters.store  # noqa: E402, F401
from importer.cli.command_table import COMMAND_NAMES, load_command  # noqa: E402

for _name in COMMAND_NAMES:
    load_command(_name)
