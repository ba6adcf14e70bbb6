"""Five languages: texts from the catalogs in `locale/`; numbers, sizes, spans and instants by Babel.

English is the source language and needs no catalog. Babel and a catalog are loaded for the first text that
needs them. Texts are marked with `_`, `gettext`, `ngettext` and `N_`; `python -m tests.texts` adds new ones
to the catalogs.

A text for customers calls this service `%(product)s`: the translator of pages, mails and the API fills in the
name of the brand, all others the name of the program. A text for operators only names the program itself.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from email.utils import parsedate_to_datetime
from functools import cache, cached_property
from gettext import NullTranslations
from typing import TYPE_CHECKING, Final

from importer.domain.brand import PRODUCT
from providers.text import PRODUCT_NAME

if TYPE_CHECKING:
    from babel import Locale

LANGUAGES: Final = {"en": "English", "de": "Deutsch", "fr": "Français", "it": "Italiano", "es": "Español"}

_GROUPED: Final = 1000
"""Whole numbers below this look the same in all LANGUAGES."""

_SEPARATORS: Final = {"en": ",.", "de": ".,", "fr": "\u202f,", "it": ".,"}
"""Tag -> the separators of thousands and of decimals. Babel writes the same and takes 30 ms to load; it
writes the numbers of all other tags, and those with several decimals."""

REGIONS: Final = {
    "en": ("AU", "CA", "GB", "IE", "IN", "NZ", "ZA"),
    "de": ("AT", "CH", "LI"),
    "fr": ("BE", "CA", "CH", "LU"),
    "it": ("CH",),
    "es": ("AR", "CL", "CO", "MX"),
}
"""Regions whose numbers or dates differ from those of the language alone, which are those of en-US, de-DE,
fr-FR, it-IT and es-ES."""

_SIZES: Final = (10**12, 10**9, 10**6, 10**3)
_UNITS: Final = ("TB", "GB", "MB", "kB")
_FRENCH_UNITS: Final = ("To", "Go", "Mo", "ko")
_FRENCH_SPACES: Final = re.compile(r" (?=[:;?!»])|(?<=«) ")
_FRENCH_ELISION: Final = re.compile(rf"(\b[Dd]|[Qq]u)e (?={re.escape(PRODUCT_NAME)})")
"""`de` and `que` before the product, which become `d’` and `qu’` before a vowel."""
_ISOLATE: Final = "\u2068"
_END_ISOLATE: Final = "\u2069"
_NO_SHARP_S: Final = ("CH", "LI")


def N_(message: str) -> str:  # noqa: N802 - gettext's own name for "translated later"
    """Marks a text for the catalogs; it is translated when it is shown."""
    return message


def tag_of(language: str, region: str = "") -> str:
    """The tag of a language and a region, such as `de-CH`; without the region unless it is one of REGIONS."""
    region = region.upper()
    return f"{language}-{region}" if region in REGIONS.get(language, ()) else language


class CatalogTranslator:
    """Texts, numbers and times in one language, in the format of its region. Times are in a time zone.
    `product` is the name of this service in texts for customers, isolated if it reads from right to left."""

    def __init__(self, tag: str, zone: tzinfo = UTC, product: str = PRODUCT) -> None:
        self.language, _, self._region = tag.partition("-")
        self.tag = tag
        self.product = _isolated(product)
        self._zone = zone
        self._typeset: dict[str, str] = {}

    @cached_property
    def _locale(self) -> Locale:
        from babel import Locale

        return Locale.parse(self.tag, sep="-")

    @property
    def colon(self) -> str:
        """The colon after a label, with the space before it where the language has one."""
        return "\u00a0:" if self.language == "fr" else ":"

    def counted(self, label: str, number: int) -> str:
        """`label: 12`, whose number does not wrap alone."""
        return f"{label}{self.colon}\u00a0{self.number(number)}"

    def typeset(self, text: str) -> str:
        """A text in this language that is in no catalog, such as the steps at a mail host: with the
        typography of the language and region, and the product's name."""
        return self._typography(text).replace(PRODUCT_NAME, self.product)

    def _typography(self, text: str) -> str:
        """No-break spaces before French punctuation, elisions before the product, no ß in Switzerland."""
        if self.language == "fr":
            if text not in self._typeset:
                elided = _FRENCH_ELISION.sub(r"\1’", text) if _begins_with_vowel(self.product) else text
                spaced = _FRENCH_SPACES.sub("\u202f", elided)
                self._typeset[text] = re.sub("\u202f(?=[:»])|(?<=«)\u202f", "\u00a0", spaced)
            return self._typeset[text]
        return text.replace("ß", "ss") if self._region in _NO_SHARP_S else text

    @cached_property
    def _translations(self) -> NullTranslations:
        return _translations(self.language)

    def gettext(self, message: str, **values: object) -> str:
        """The text with its values and the product's name. Without values, a `%` is a character."""
        text = self._typography(self._translations.gettext(message)) if message else ""
        if not values:
            return text.replace(PRODUCT_NAME, self.product)
        return text % {"product": self.product, **values}

    def ngettext(self, singular: str, plural: str, number: int, **values: object) -> str:
        """The singular or plural form; `%(num)s` becomes the number in the format of this language."""
        text = self._typography(self._translations.ngettext(singular, plural, number))
        return text % {"num": self.number(number), "product": self.product, **values}

    def number(self, number: float) -> str:
        if isinstance(number, int) and 0 <= number < _GROUPED:
            return str(number)
        if self.tag in _SEPARATORS and round(number, 1) == number:
            text = f"{number:,.1f}".removesuffix(".0")
            return text.translate(str.maketrans(",.", _SEPARATORS[self.tag]))
        from babel.numbers import format_decimal

        return format_decimal(number, locale=self._locale)

    def size(self, size_bytes: float) -> str:
        """In decimal units, as disks and mail programs use them; two or three digits."""
        units = _FRENCH_UNITS if self.language == "fr" else _UNITS
        for unit, factor in zip(units, _SIZES, strict=True):
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
        """A range of two spans in seconds, which wraps only between them; a single span if both read the
        same."""
        if high_s < 60:
            return self.gettext("under a minute")
        low, high = self.span(timedelta(seconds=low_s)), self.span(timedelta(seconds=high_s))
        return low if low == high else " – ".join(span.replace(" ", "\u00a0") for span in (low, high))

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
        """Date with year, time and time zone, for mails, which may be read much later."""
        local = instant.astimezone(self._zone)
        return f"{self.day(local)}, {local:%H:%M} {local:%Z}"

    def iso_day(self, instant: str) -> str:
        return self.day(datetime.fromisoformat(instant))

    def day(self, day: date) -> str:
        """A date; of an instant, the day in the time zone."""
        from babel.dates import format_date

        day = day.astimezone(self._zone).date() if isinstance(day, datetime) else day
        return format_date(day, "medium", locale=self._locale)

    def written_date(self, header: str) -> str:
        """The Date field of a message, in its own time zone; unchanged if it cannot be parsed."""
        try:
            at = parsedate_to_datetime(header)
            return f"{self.day(at.date())}, {at:%H:%M}"
        except (TypeError, ValueError, OverflowError):
            return header

    def short_day(self, instant: datetime) -> str:
        """Day and month of an instant in the time zone."""
        from babel.dates import format_skeleton

        return format_skeleton("MMMd", instant.astimezone(self._zone), locale=self._locale)

    def instant(self, instant: datetime) -> str:
        """Day, time and time zone; the script of the page converts it to the reader's time zone."""
        local = instant.astimezone(self._zone)
        return f"{self.short_day(instant)}, {local:%H:%M} {local:%Z}"


@cache
def texts(tag: str, zone: tzinfo = UTC, product: str = PRODUCT) -> CatalogTranslator:
    """The translator for one of LANGUAGES, perhaps with one of its REGIONS: `de`, `de-CH`. Texts for
    customers get the brand's name as `product`."""
    language, _, region = tag.partition("-")
    return CatalogTranslator(tag_of(language, region), zone, product)


def chosen(requested: str, accepted: str) -> str:
    """The tag of the language to use: `requested`, else the best match of an Accept-Language header, else
    English; with the region that the header names for it."""
    preferred = _by_preference(accepted)
    names = (requested.partition("-")[0], *(name for name, _ in preferred))
    language = next((name for name in names if name in LANGUAGES), "en")
    regions = (region for name, region in preferred if name == language and region)
    return tag_of(language, requested.partition("-")[2] or next(regions, ""))


def _by_preference(accepted: str) -> Sequence[tuple[str, str]]:
    """Languages and regions of an Accept-Language header, best first (RFC 9110 section 12.5.4)."""
    weighted = []
    for position, part in enumerate(accepted[:500].split(",")):
        name, _, weight = part.strip().partition(";q=")
        try:
            quality = float(weight) if weight else 1.0
        except ValueError:
            quality = 0.0
        if quality > 0:
            language, _, region = name.strip().partition("-")
            weighted.append((-quality, position, language.lower(), region.upper()))
    return [(language, region) for _, _, language, region in sorted(weighted)]


def _begins_with_vowel(name: str) -> bool:
    return unicodedata.normalize("NFD", name).lstrip(_ISOLATE)[:1].lower() in tuple("aeiouœæ")


def _isolated(name: str) -> str:
    """A name with letters that read from right to left, which must not reorder the text around it or turn its
    paragraph (Unicode Standard Annex 9, sections 2.4 and 3.3.1); other names unchanged."""
    turns = any(unicodedata.bidirectional(char) in ("R", "AL") for char in name)
    return f"{_ISOLATE}{name}{_END_ISOLATE}" if turns else name


def _translations(language: str) -> NullTranslations:
    if language == "en":
        return NullTranslations()
    from importer.i18n.catalogs import translations_of

    return translations_of(language)
