"""Any number of plausible messages for tests and benchmarks. The same seed gives the same mailbox."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

from tests.rehearsal.fill import INBOX, FolderPath, Stored

_FOLDERS: tuple[FolderPath, ...] = (
    INBOX,
    ("Gesendet",),
    ("Projekte", "Zürich", "Brücke"),
    ("日本",),
    ("Archiv",),
    ("Archiv", "2019"),
    ("Archiv", "2020"),
    ("Quittungen & Verträge",),
    ("Familie", "Ελλάδα"),
    ("Lists", "imap-protocol"),
    ("Réunions d'équipe",),
    ("Vereine", "Chor", "Noten"),
)
LANDS_IN: dict[FolderPath, FolderPath] = {
    ("Gesendet",): ("Sent",),
    ("Archiv",): ("Archive",),
    ("Archiv", "2019"): ("Archive", "2019"),
    ("Archiv", "2020"): ("Archive", "2020"),
}
"""The names of the special folders at a destination that has its own."""

_FLAG_SETS = ((), ("\\Seen",), ("\\Seen", "\\Answered"), ("\\Seen", "\\Flagged"), ("\\Draft",))
_FLAG_WEIGHTS = (15, 60, 15, 8, 2)
_KEYWORDS = ("$Forwarded", "work", "NonJunk")
_ZONES = (0, 60, 120, -300, -480, 330, 540)  # minutes east of UTC
_FIRST = datetime(2014, 1, 1, tzinfo=UTC)
_TEN_YEARS_S = 10 * 365 * 86_400
_SIGMA = 1.2  # of the lognormal size distribution: the mean is about twice the median


def folder_paths(folders: int) -> tuple[FolderPath, ...]:
    """The first `folders` folders of a corpus; the first is INBOX."""
    more = (("More", f"Folder {number}") for number in range(max(0, folders - len(_FOLDERS))))
    return (*_FOLDERS[:folders], *more)


def corpus(
    messages: int = 10_000,
    folders: int = 12,
    *,
    seed: int = 1,
    median_bytes: int = 4_000,
    max_bytes: int = 2_000_000,
) -> Iterator[Stored]:
    """`messages` messages spread evenly over `folders` folders, folder by folder, lazily.

    Sizes are lognormal around `median_bytes`, at most `max_bytes`. 1 % have no Message-ID, 2 % raw 8-bit
    bytes, and 0.2 % are exact duplicates of an earlier message in the same folder.
    """
    chance = random.Random(seed)
    text = _text(chance)
    paths = folder_paths(folders)
    for index, folder in enumerate(paths):
        earlier: list[Stored] = []
        for number in range(index, messages, len(paths)):
            if earlier and chance.random() < 0.002:
                yield chance.choice(earlier)
                continue
            size = min(max_bytes, int(chance.lognormvariate(math.log(median_bytes), _SIGMA)))
            message = _message(chance, text, folder, number, size)
            if len(earlier) < 50:
                earlier.append(message)
            yield message


def _message(chance: random.Random, text: bytes, folder: FolderPath, number: int, size: int) -> Stored:
    zone = timezone(timedelta(minutes=chance.choice(_ZONES)))
    date = (_FIRST + timedelta(seconds=chance.randrange(_TEN_YEARS_S))).astimezone(zone)
    flags = chance.choices(_FLAG_SETS, _FLAG_WEIGHTS)[0]
    keywords = tuple(keyword for keyword in _KEYWORDS if chance.random() < 0.05)
    headers = [
        b"Received: from mx.old.example by store.old.example; " + format_datetime(date).encode("ascii"),
        b"From: sender%d@mail.example" % chance.randrange(300),
        b"To: ada@old.example",
        b"Subject: Message %d about the usual" % number,
        b"Date: " + format_datetime(date).encode("ascii"),
    ]
    if chance.random() >= 0.01:
        headers.append(b"Message-ID: <%x.%d@mail.example>" % (chance.getrandbits(64), number))
    if chance.random() < 0.02:
        headers.append("Comments: Grüße aus Köln".encode("latin-1"))
    head = b"\r\n".join(headers) + b"\r\n\r\n"
    return Stored(folder, (*flags, *keywords), date, head + _body(chance, text, size - len(head)))


def _body(chance: random.Random, text: bytes, size: int) -> bytes:
    whole, rest = divmod(max(size, 20), len(text))
    start = chance.randrange(len(text) - rest)
    return (text * whole + text[start : start + rest]).strip(b"\r\n") + b"\r\n"


def _text(chance: random.Random) -> bytes:
    words = [
        bytes(chance.choices(b"abcdefghijklmnopqrstuvwxyz", k=chance.randrange(2, 11))) for _ in range(4000)
    ]
    lines = (b" ".join(chance.choices(words, k=11)) for _ in range(4000))
    return b"\r\n".join(lines) + b"\r\n"
