"""Size and date of each message of a batch, for the evidence: about six bytes a message.

The columns are transposed byte by byte before they are compressed: sizes and dates of neighbours share their
first bytes.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Final

DATE_BYTES: Final = 6
_SIZE_BYTES: Final = 4
_MAX: Final = 2**32 - 1
_DATE: Final = struct.Struct(">Ih")  # seconds since 1970, minutes east of UTC
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - dates are compared before their zone is applied
_NAMES: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS: Final = {name: f"{number:02}" for number, name in enumerate(_NAMES, 1)}


def pack_date(internaldate: str) -> bytes:
    """DATE_BYTES bytes of a `date-time` (RFC 9051 section 9) as `fit_internaldate` returns it: between 1970
    and 2106, 26 characters. Called for every message."""
    day, month, year, clock = internaldate[:2], internaldate[3:6], internaldate[7:11], internaldate[12:20]
    iso = f"{year}-{_MONTHS[month]}-{day.replace(' ', '0')}T{clock}"  # the fastest parser
    since, minutes = datetime.fromisoformat(iso) - _EPOCH, _minutes(internaldate[21:])
    return _DATE.pack(min(max(0, since.days * 86_400 + since.seconds - minutes * 60), _MAX), minutes)


@lru_cache(maxsize=256)  # of zones
def _minutes(zone: str) -> int:
    minutes = int(zone[1:3]) * 60 + int(zone[3:5])
    return -minutes if zone[0] == "-" else minutes


def pack_facts(sizes: Sequence[int], dates: bytes = b"") -> bytes:
    """The facts of a batch: sizes in bytes, 0 if unknown, and as many packed dates, or none. b"" if nothing
    is known."""
    if not dates and not any(sizes):
        return b""
    columns = struct.pack(f">{len(sizes)}I", *[min(size, _MAX) for size in sizes])
    spread = b"".join([columns[at::_SIZE_BYTES] for at in range(_SIZE_BYTES)])
    spread += b"".join([dates[at::DATE_BYTES] for at in range(DATE_BYTES)])
    return zlib.compress(spread)


def unpack_facts(facts: bytes, messages: int) -> list[tuple[int, datetime | None]]:
    """(size in bytes, date) of each message; (0, None) if not recorded."""
    sizes, dates = _columns(facts, messages)
    if not sizes:
        return [(0, None)] * messages
    known = struct.unpack(f">{messages}I", sizes)
    if not dates:
        return [(size, None) for size in known]
    return [(size, _datetime(dates, at)) for at, size in enumerate(known)]


def part_of_facts(facts: bytes, messages: int, indices: Sequence[int]) -> bytes:
    """The facts of some of the messages."""
    sizes, dates = _columns(facts, messages)
    if not sizes:
        return b""
    known = struct.unpack(f">{messages}I", sizes)
    chosen = b"".join(dates[DATE_BYTES * at : DATE_BYTES * (at + 1)] for at in indices)
    return pack_facts([known[at] for at in indices], chosen)


def _columns(facts: bytes, messages: int) -> tuple[bytes, bytes]:
    """The packed sizes and the packed dates, in the order of the messages."""
    if not facts:
        return b"", b""
    spread = zlib.decompress(facts)
    split = _SIZE_BYTES * messages
    return _gathered(spread[:split], _SIZE_BYTES), _gathered(spread[split:], DATE_BYTES)


def _gathered(spread: bytes, width: int) -> bytes:
    gathered, number = bytearray(len(spread)), len(spread) // width
    for at in range(width):
        gathered[at::width] = spread[at * number : (at + 1) * number]
    return bytes(gathered)


def _datetime(dates: bytes, at: int) -> datetime:
    seconds, minutes = _DATE.unpack_from(dates, DATE_BYTES * at)
    return datetime.fromtimestamp(seconds, _zone(minutes) if minutes else UTC)


@lru_cache(maxsize=256)
def _zone(minutes: int) -> timezone:
    return timezone(timedelta(minutes=minutes))
