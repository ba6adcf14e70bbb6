"""The amount and age of the work that waits for a worker, in a sentence."""

from __future__ import annotations

from datetime import timedelta

from importer.i18n.translations import CatalogTranslator


def queue_text(texts: CatalogTranslator, due: int, age: timedelta | None) -> str:
    """The number of imports that wait for a worker, and the time since the oldest became due (None: none is
    due)."""
    number = texts.ngettext("%(num)s import waits for a worker", "%(num)s imports wait for a worker", due)
    if age is None:
        return number
    span = texts.span(max(age, timedelta(0)))
    return texts.gettext("%(number)s, the oldest for %(span)s", number=number, span=span)
