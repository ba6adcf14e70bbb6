"""Five languages: texts from the catalogs in `locale/`; numbers, sizes, spans and instants by Babel.

English is the source language and needs no catalog. Babel and a catalog are loaded for the first text that
needs them. Texts are marked with `_`, `gettext`, `ngettext` and `N_`; `python -m tests.texts` adds new ones
to the catalogs.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache, cached_property
from gettext import GNUTranslations, NullTranslations
from importlib import resources
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from babel import Locale

LANGUAGES: Final = {"en": "English", "de": "Deutsch", "fr": "Français", "it": "Italiano", "es": "Español"}

_GROUPED: Final = 1000
"""Whole numbers below this look the same in all LANGUAGES."""

_SIZES: Final = (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3))


def N_(message: str) -> str:  # noqa: N802 - gettext's own name for "translated later"
    """Marks a text for the catalogs; it is translated where it is shown."""
    return message


class CatalogTranslator:
    """Texts, numbers and times in one language."""

    def __init__(self, language: str) -> None:
        self.language = language

    @cached_property
    def _locale(self) -> Locale:
        from babel import Locale

        return Locale.parse(self.language)

    @cached_property
    def _translations(self) -> NullTranslations:
        return _translations(self.language)

    def gettext(self, message: str, **values: object) -> str:
        text = self._translations.gettext(message) if message else ""
        return text % values if values else text

    def ngettext(self, singular: str, plural: str, number: int, **values: object) -> str:
        """The singular or plural form; `%(num)s` becomes the number in the format of this language."""
        text = self._translations.ngettext(singular, plural, number)
        return text % {"num": self.number(number), **values}

    def number(self, number: float) -> str:
        if isinstance(number, int) and 0 <= number < _GROUPED:
            return str(number)
        from babel.numbers import format_decimal

        return format_decimal(number, locale=self._locale)

    def size(self, size_bytes: float) -> str:
        """In decimal units, as disks and mail programs use them; two or three digits."""
        for unit, factor in _SIZES:
            if size_bytes >= factor:
                value = size_bytes / factor
                rounded = round(value, 1) if value < 10 else round(value)
                return f"{self.number(rounded)}\u00a0{unit}"
        return self.ngettext("%(num)s byte", "%(num)s bytes", int(size_bytes))

    def span(self, span: timedelta) -> str:
        """Rounded up to one unit: `40 seconds`, `5 minutes`, `2 hours`, `3 days`."""
        seconds = max(1, round(span.total_seconds()))
        if seconds < 90:
            return self.ngettext("%(num)s second", "%(num)s seconds", seconds)
        minutes = -(-seconds // 60)
        if minutes < 120:
            return self.ngettext("%(num)s minute", "%(num)s minutes", minutes)
        hours = -(-minutes // 60)
        if hours < 48:
            return self.ngettext("%(num)s hour", "%(num)s hours", hours)
        return self.ngettext("%(num)s day", "%(num)s days", -(-hours // 24))

    def about(self, low_s: float, high_s: float) -> str:
        """A range of two spans in seconds; a single span if both read the same."""
        if high_s < 60:
            return self.gettext("under a minute")
        low, high = self.span(timedelta(seconds=low_s)), self.span(timedelta(seconds=high_s))
        return low if low == high else f"{low} – {high}"

    def duration(self, span: timedelta) -> str:
        """A duration in its two largest units: `3 minutes 12 seconds`."""
        seconds = int(span.total_seconds())
        if seconds < 1:
            return self.gettext("less than a second")
        days, seconds = divmod(seconds, 86_400)
        hours, seconds = divmod(seconds, 3600)
        minutes, seconds = divmod(seconds, 60)
        parts = (
            days and self.ngettext("%(num)s day", "%(num)s days", days),
            hours and self.ngettext("%(num)s hour", "%(num)s hours", hours),
            minutes and self.ngettext("%(num)s minute", "%(num)s minutes", minutes),
            seconds and self.ngettext("%(num)s second", "%(num)s seconds", seconds),
        )
        first = next(index for index, part in enumerate(parts) if part)
        return " ".join(part for part in parts[first : first + 2] if part)

    def moment(self, instant: datetime) -> str:
        """Date with the year, and time, in UTC: for mails, which may be read much later."""
        utc = instant.astimezone(UTC)
        return f"{self.day(utc)}, {utc:%H:%M} UTC"

    def iso_day(self, instant: str) -> str:
        return self.day(datetime.fromisoformat(instant))

    def day(self, day: date) -> str:
        """That of an instant is its day in UTC."""
        from babel.dates import format_date

        day = day.astimezone(UTC) if isinstance(day, datetime) else day
        return format_date(day, "medium", locale=self._locale)

    def written_date(self, header: str) -> str:
        """The Date field of a message, in its own time zone; what cannot be read stays as it is."""
        try:
            at = parsedate_to_datetime(header)
            return f"{self.day(at.date())}, {at:%H:%M}"
        except (TypeError, ValueError, OverflowError):
            return header

    def instant(self, instant: datetime) -> str:
        """Day and time, labelled as UTC; the script of the page converts it to the reader's time zone."""
        from babel.dates import format_datetime

        formatted = format_datetime(instant.astimezone(UTC), "d MMM, HH:mm", tzinfo=UTC, locale=self._locale)
        return f"{formatted} UTC"


@cache
def texts(language: str) -> CatalogTranslator:
    """The translator for `language`, one of LANGUAGES."""
    return CatalogTranslator(language)


def chosen(requested: str, accepted: str) -> str:
    """The language to use: `requested`, else the best match of an Accept-Language header, else English."""
    return next((name for name in (requested, *_by_preference(accepted)) if name in LANGUAGES), "en")


def _by_preference(accepted: str) -> Sequence[str]:
    """Primary languages of an Accept-Language header, best first (RFC 9110 section 12.5.4)."""
    weighted = []
    for position, part in enumerate(accepted[:500].split(",")):
        name, _, weight = part.strip().partition(";q=")
        try:
            quality = float(weight) if weight else 1.0
        except ValueError:
            quality = 0.0
        if quality > 0:
            weighted.append((-quality, position, name.partition("-")[0].strip().lower()))
    return [name for _, _, name in sorted(weighted)]


def _translations(language: str) -> NullTranslations:
    if language == "en":
        return NullTranslations()
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    source = resources.files("importer.i18n").joinpath("locale", f"{language}.po").read_bytes()
    compiled = io.BytesIO()
    write_mo(compiled, read_po(io.BytesIO(source), locale=language))
    compiled.seek(0)
    return GNUTranslations(compiled)
