"""Normalisation of a message's flags and date so that the destination accepts them.

The content of a message is never changed.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_tz
from re import ASCII, IGNORECASE
from re import compile as regex
from typing import TYPE_CHECKING, Final

from importer.domain.messages.message_identity import first_field

if TYPE_CHECKING:
    from importer.domain.mailbox_content import KeywordRule

UNKNOWN_DATE: Final = "01-Jan-1970 00:00:01 +0000"
"""Stands in for a missing date. Cyrus and Courier replace the second before it, the epoch, by the current
time."""

DATE_FROM_FIELD: Final = 0x01
DATE_UNKNOWN: Final = 0x02
DATE_MOVED: Final = 0x04
"""The changes of dates by `fit_internaldate`: marks as in `stored_changes.py`."""

_SYSTEM_FLAGS: Final = {
    flag.lower(): flag for flag in ("\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft")
}
_ATOM: Final = regex(r"""[!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~]+""")  # RFC 9051 section 9, ATOM-CHAR

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_INTERNALDATE: Final = regex(
    r"( \d|\d\d?)-([a-z]{3})-(\d{4}|\d\d) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)([0-5]\d)", ASCII | IGNORECASE
)
_PLAIN_DATE: Final = regex(  # valid in every month of every year, so that no calculation is needed
    r"(?:[ 0][1-9]|1\d|2[0-8])-(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)-(\d{4})"
    r" (?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d [+-](?:0\d|1[0-4])[0-5]\d",
    ASCII,
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CLOCK_TOLERANCE: Final = timedelta(days=1)


def fit_flags(flags: tuple[str, ...], rule: KeywordRule) -> tuple[tuple[str, ...], int]:
    """The flags to append with, in their order and without repetitions, and the number of dropped flags.

    Dropped: system flags other than the five that clients may set, keywords that are not atoms, and keywords
    that `rule` does not allow. \\Recent is set by the server itself: it is dropped without being counted.
    Keywords known to the destination get its spelling (flags ignore case, RFC 9051 section 2.3.2).
    """
    known = {keyword.lower(): keyword for keyword in rule.known if _ATOM.fullmatch(keyword)}
    kept: dict[str, str] = {}
    dropped: set[str] = set()
    for flag in flags:
        name = flag.lower()
        if name in _SYSTEM_FLAGS:
            kept[name] = _SYSTEM_FLAGS[name]
        elif name in known:
            kept.setdefault(name, known[name])
        elif rule.any_keyword and _ATOM.fullmatch(flag):
            kept.setdefault(name, flag)
        elif name != "\\recent":
            dropped.add(name)
    return tuple(kept.values()), len(dropped)


def fit_internaldate(internaldate: str, header: bytes, now: datetime) -> tuple[str, int]:
    """The date to append with, and how it was changed: a `date-time` of RFC 9051 section 9, without quotes,
    zone included, and one of the marks above or 0.

    This is the first valid instant between 1970 and one day after `now` (aware) of: the server's own text,
    the Date field in `header`, UNKNOWN_DATE. Some servers silently replace other dates by the current time
    (Dovecot 2.3: 32-Jan, year 9999; Cyrus and Courier: the epoch, which becomes UNKNOWN_DATE).
    """
    plain = _PLAIN_DATE.fullmatch(internaldate)
    if plain is not None and _EPOCH.year < int(plain[1]) < now.year:
        return internaldate, 0
    parsed = _parse_internaldate(internaldate)
    if parsed is not None and _is_plausible(parsed[1], now):
        return (parsed[0], 0) if parsed[1] != _EPOCH else (UNKNOWN_DATE, DATE_MOVED)
    sent_at = date_of_field(header)
    if sent_at is not None and sent_at > _EPOCH and _is_plausible(sent_at, now):
        return _date_time(sent_at), DATE_FROM_FIELD
    return UNKNOWN_DATE, DATE_UNKNOWN


def date_of_field(header: bytes) -> datetime | None:
    """The instant of the Date field; None if there is none that can be read."""
    return _parse_date_field(first_field(header, b"Date"))


def instant_of(internaldate: str) -> datetime | None:
    """The instant of an INTERNALDATE (RFC 9051: date-time); None if the text is not a valid one."""
    parsed = _parse_internaldate(internaldate)
    return None if parsed is None else parsed[1]


def usable_instant(internaldate: str, now: datetime) -> datetime | None:
    """The instant of an INTERNALDATE, if it is one that `fit_internaldate` keeps; `now` is aware."""
    instant = instant_of(internaldate)
    return instant if instant is not None and instant != _EPOCH and _is_plausible(instant, now) else None


def _is_plausible(instant: datetime, now: datetime) -> bool:
    return _EPOCH <= instant <= now + _CLOCK_TOLERANCE


def _parse_internaldate(text: str) -> tuple[str, datetime] | None:
    """The text with a two-digit day, the month as spelled in the RFC and a year of four digits, and its
    instant; None if invalid. Years of two digits are read as RFC 5322 section 4.3 does."""
    match = _INTERNALDATE.fullmatch(text.removeprefix('"').removesuffix('"'))
    if match is None or match[2].title() not in _MONTHS:
        return None
    day, month, year, hour, minute, second, sign, zone_hours, zone_minutes = match.groups()
    if len(year) == 2:
        year = ("20" if year < "50" else "19") + year
    offset = timedelta(hours=int(zone_hours), minutes=int(zone_minutes))
    try:
        instant = datetime(
            int(year),
            _MONTHS.index(month.title()) + 1,
            int(day),
            int(hour),
            int(minute),
            int(second),
            tzinfo=timezone(-offset if sign == "-" else offset),
        )
    except ValueError:  # 30 February, hour 25, zone +9900
        return None
    # Some servers send a single digit without the leading blank that the grammar requires.
    return f"{day:0>2}-{month.title()}-{year}{match.string[match.end(3) : match.end()]}", instant


def _parse_date_field(value: bytes | None) -> datetime | None:
    """The instant of a Date field (RFC 5322 section 3.3, obsolete forms included); without a zone, UTC."""
    if not value:
        return None
    try:
        parts = parsedate_tz(value.decode("latin-1"))
        if parts is None:
            return None
        zone = timezone(timedelta(minutes=round((parts[9] or 0) / 60)))
        return datetime(*parts[:6], tzinfo=zone)
    except (ValueError, TypeError, IndexError, OverflowError):  # raised by the parser for malformed text
        return None


def _date_time(instant: datetime) -> str:
    offset = instant.utcoffset() or timedelta(0)
    sign = "-" if offset < timedelta(0) else "+"
    hours, minutes = divmod(abs(offset) // timedelta(minutes=1), 60)
    return (
        f"{instant.day:02d}-{_MONTHS[instant.month - 1]}-{instant.year:04d} "
        f"{instant:%H:%M:%S} {sign}{hours:02d}{minutes:02d}"
    )
