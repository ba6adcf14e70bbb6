"""The sample mailbox of the demo. It resembles a real mailbox of some twenty years and is always the same."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Final

from tests.rehearsal.fill import INBOX, FolderPath, Stored

OWNER = "ada@old.example"
FRIEND = "friend@mail.example"
SENT: FolderPath = ("Gesendet",)
BRIDGE: FolderPath = ("Projekte", "Zürich", "Brücke")
JAPAN: FolderPath = ("日本",)
ARCHIVE: FolderPath = ("Archiv 1998–2004",)
EMPTY_FOLDERS: tuple[FolderPath, ...] = (("Projekte", "Zürich", "Leer"),)

FOLDER_MAP: Final[dict[FolderPath, FolderPath]] = {("Gesendet",): ("Sent",)}
"""The sample's folders at a destination with English special folders."""

_ZONES = (0, 60, 120, -300, -480, 345, -210, 540)  # minutes east of UTC
_FLAGS: tuple[tuple[str, ...], ...] = (
    ("\\Seen",),
    ("\\Seen", "\\Answered"),
    (),
    ("\\Seen", "\\Flagged", "work"),
    ("\\Seen", "$Forwarded"),
    ("\\Seen", "\\Answered", "$Forwarded", "work"),
    ("\\Flagged",),
)
_PEOPLE = (FRIEND, "board@club.example", "office@club.example", "news@shop.example")
_SUBJECTS = (
    "Minutes of Tuesday's meeting",
    "=?utf-8?Q?Gr=C3=BC=C3=9Fe_aus_Z=C3=BCrich?=",
    "Re: Re: the offer",
    "=?iso-8859-1?Q?Rechnung_f=FCr_M=E4rz?=",
    "Holiday pictures",
    "=?utf-8?B?5pel5pys6Kqe44Gu5Lu25ZCN?=",
    "Your order is on its way",
)
_LINES = (
    "as agreed on the phone, here is the list. Please have a look before Friday.",
    "The train leaves at ten past nine; we meet under the big clock.",
    "I have added the figures of the last quarter and two remarks in the margin.",
    "From here on it gets interesting: the old bridge is closed until autumn.",
    ".. and a line that begins with two dots, as some do.",
    "Many thanks, and greetings to everyone.",
)


def sample_mailbox() -> Iterator[Stored]:
    """About 120 messages, folder by folder, oldest first. EMPTY_FOLDERS are not included."""
    chance = random.Random(1998)
    yield from _ordinary(chance, INBOX, 40, datetime(2019, 3, 1, 8, 15, 30, tzinfo=UTC), days=61)
    yield from _oddities()
    yield from _ordinary(chance, SENT, 20, datetime(2020, 1, 5, 18, 0, 1, tzinfo=UTC), days=97)
    yield from _ordinary(chance, BRIDGE, 15, datetime(2022, 5, 2, 7, 30, 0, tzinfo=UTC), days=23)
    yield from _ordinary(chance, JAPAN, 8, datetime(2016, 11, 11, 11, 11, 11, tzinfo=UTC), days=40)
    yield from _ordinary(chance, ARCHIVE, 25, datetime(1998, 2, 1, 22, 4, 5, tzinfo=UTC), days=94)


def _ordinary(
    chance: random.Random, folder: FolderPath, count: int, first: datetime, *, days: int
) -> Iterator[Stored]:
    for number in range(count):
        zone = timezone(timedelta(minutes=chance.choice(_ZONES)))
        date = (first + timedelta(days=days * number, seconds=chance.randrange(36_000))).astimezone(zone)
        body = "\r\n".join(chance.choices(_LINES, k=chance.randrange(2, 60)))
        content = _message(
            sender=OWNER if folder == SENT else chance.choice(_PEOPLE),
            recipient=chance.choice(_PEOPLE) if folder == SENT else OWNER,
            subject=chance.choice(_SUBJECTS),
            date=date,
            message_id=f"{folder[-1].encode('utf-8').hex()[:12]}.{number}@mail.example",
            content=(
                _html(body)
                if number % 5 == 3
                else _attached(chance, body)
                if number % 9 == 4
                else _plain(body)
            ),
        )
        yield Stored(folder, chance.choice(_FLAGS), date, content)


def _oddities() -> Iterator[Stored]:
    """Difficult messages: duplicates, equal headers, no Message-ID, raw 8-bit, no body, long lines."""
    zone = timezone(timedelta(hours=1))
    date = datetime(2021, 12, 24, 17, 0, 0, tzinfo=zone)
    seen = ("\\Seen",)

    def message(subject: str, body: str, message_id: str | None) -> bytes:
        return _message(
            sender=FRIEND,
            recipient=OWNER,
            subject=subject,
            date=date,
            message_id=message_id,
            content=_plain(body),
        )

    twice = message("Merry Christmas", "The same mail, delivered twice.", "twice@mail.example")
    yield Stored(INBOX, seen, date, twice)
    yield Stored(INBOX, seen, date, twice)
    yield Stored(BRIDGE, seen, date, twice)  # the same message is expected in another folder too
    for percent in (80, 90):
        yield Stored(INBOX, (), date, message("Disk space", f"{percent}% full", "disk@mail.example"))
    yield Stored(INBOX, ("\\Flagged",), date, message("No Message-ID", "From an old scanner.", None))
    yield Stored(INBOX, (), date, message("No Message-ID", "From an old scanner, page two.", None))
    raw = f"From: {FRIEND}\r\nTo: {OWNER}\r\nSubject: Grüße aus Köln\r\n\r\nSchöne Grüße\r\n"
    yield Stored(INBOX, seen, date, raw.encode("latin-1"))
    yield Stored(INBOX, seen, date, b"Subject: only a header\r\nMessage-ID: <header@mail.example>\r\n\r\n")
    long_line = message("One long line", "x" * 5_000, "long@mail.example")
    yield Stored(INBOX, ("\\Seen", "\\Deleted"), date, long_line)
    yield Stored(INBOX, ("\\Draft",), date, message("Not sent yet", "To be continued", "draft@mail.example"))
    no_end = message("No line end at the end", "the last line", "end@mail.example").removesuffix(b"\r\n")
    yield Stored(INBOX, seen, datetime(1998, 7, 4, 3, 2, 1, tzinfo=timezone(timedelta(hours=-8))), no_end)


def _message(
    *, sender: str, recipient: str, subject: str, date: datetime, message_id: str | None, content: str
) -> bytes:
    headers = [
        f"From: {sender}",
        f"To: {recipient}",
        f"Subject: {subject}",
        f"Date: {format_datetime(date)}",
        *([f"Message-ID: <{message_id}>"] if message_id else []),
        "MIME-Version: 1.0",
    ]
    return ("\r\n".join(headers) + "\r\n" + content).encode("utf-8")


def _plain(body: str) -> str:
    return f"Content-Type: text/plain; charset=utf-8\r\n\r\n{body}\r\n"


def _html(body: str) -> str:
    page = "<html><body>" + "".join(f"<p>{line}</p>\r\n" for line in body.split("\r\n")) + "</body></html>"
    return (
        'Content-Type: multipart/alternative; boundary="=-two-ways"\r\n\r\n'
        f"--=-two-ways\r\n{_plain(body)}"
        f"--=-two-ways\r\nContent-Type: text/html; charset=utf-8\r\n\r\n{page}\r\n--=-two-ways--\r\n"
    )


def _attached(chance: random.Random, body: str) -> str:
    picture = base64.encodebytes(chance.randbytes(150_000)).decode("ascii").replace("\n", "\r\n")
    return (
        'Content-Type: multipart/mixed; boundary="=-parts"\r\n\r\n'
        f"--=-parts\r\n{_plain(body)}"
        '--=-parts\r\nContent-Type: image/jpeg; name="bridge.jpg"\r\nContent-Transfer-Encoding: base64\r\n'
        f'Content-Disposition: attachment; filename="bridge.jpg"\r\n\r\n{picture}--=-parts--\r\n'
    )
