"""The messages of a drill. A number always denotes the same message.

Some numbers have no Message-ID, and some share all header lines that identify a message with their neighbour.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from tests.rehearsal.fill import FolderPath, Stored

FLAGS = ((), ("\\Seen",), ("\\Seen", "\\Answered"), ("\\Seen", "\\Flagged"), ("$Forwarded", "\\Seen"))
_FIRST = datetime(2012, 3, 4, 5, 6, 7, tzinfo=UTC)


def letter(number: int, folder: FolderPath, *, seed: int = 0) -> Stored:
    """The message of that number. Its bytes, flags and date do not depend on the folder."""
    chance = random.Random(f"letter {seed} {number}")
    date = _FIRST + timedelta(seconds=chance.randrange(10**8))
    named = number - number % 2 if number % 20 < 2 else number  # two of 20 have the same headers
    head = [
        "From: sender@mail.example",
        "To: owner@old.example",
        f"Subject: Message {named}",
        f"Date: {format_datetime(_FIRST + timedelta(minutes=named))}",
    ]
    if number % 10 != 5:
        head.append(f"Message-ID: <{seed}.{named}@mail.example>")
    lines = int(min(3000, chance.lognormvariate(3.6, 1.1)))
    body = [f"This is {number} of {seed}.", *(f"{chance.getrandbits(280):070x}" for _ in range(lines))]
    return Stored(folder, chance.choice(FLAGS), date, "\r\n".join([*head, "", *body, ""]).encode())
