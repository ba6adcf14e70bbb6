"""Commands that name a folder: CREATE, SUBSCRIBE, STATUS, DELETE.

Each function accepts the FolderCursor of a session and an idle Connection, and is safe to repeat. It raises
what `Connection.call` raises, WireError, and for folders FolderUnusable and FolderChanged.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Sequence

from importer.adapters.imap import response_errors
from importer.adapters.imap.answers import Answer
from importer.adapters.imap.connection import MAX_PIPELINED, Connection
from importer.adapters.imap.folder_cursor import FolderCursor
from importer.adapters.imap.response_errors import CommandRefused
from importer.adapters.imap.wire_events import Tagged, WireEvent
from importer.ports.mailbox_errors import FolderUnusable


def folder_command(
    cursor: FolderCursor,
    connection: Connection,
    command: bytes,
    folder: str,
    *,
    what: str,
    rest: bytes = b"",
) -> Answer:
    """Run `command` on the folder by its name. `what` is the participle for FolderUnusable ("created")."""
    try:
        return connection.call(b" ".join((command, cursor.quoted(folder), rest)).rstrip(b" "))
    except CommandRefused as refused:
        raise response_errors.folder_error(refused.reply, cursor.peer, folder, what) from None


def run_all(
    cursor: FolderCursor,
    connection: Connection,
    requests: Sequence[tuple[bytes, str]],
    done: Callable[[int], None],
) -> list[tuple[bytes, str]]:
    """Run each (command, folder) in order, pipelined. Return those that were refused. `done` gets the number
    of those that were answered."""
    answered = itertools.count(1)

    def heard(event: WireEvent) -> None:
        if isinstance(event, Tagged):
            done(next(answered))

    refused: list[tuple[bytes, str]] = []
    for start in range(0, len(requests), MAX_PIPELINED):
        commands: dict[tuple[bytes, str], bytes] = {}
        for command, folder in requests[start : start + MAX_PIPELINED]:
            with contextlib.suppress(FolderUnusable):
                commands[command, folder] = b"%s %s" % (command, cursor.quoted(folder))
        answers = connection.call_all(list(commands.values()), heard)
        done(min(start + MAX_PIPELINED, len(requests)))
        refused += [
            request for request, answer in zip(commands, answers, strict=True) if answer.reply.status != "OK"
        ]
    return refused
