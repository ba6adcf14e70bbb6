"""The parts of an installation that `doctor` checks, in the reader's language."""

from __future__ import annotations

from typing import Final

from importer.i18n.translations import N_, CatalogTranslator

PART_NAMES: Final = {
    "database": N_("Database"),
    "disk": N_("Disk"),
    "queue": N_("Queue"),
    "workers": N_("Workers"),
    "key": N_("Key"),
    "mail": N_("Mail server"),
    "outbox": N_("Outbox"),
    "destination": N_("Destination"),
    "certificates": N_("Certificates"),
}


def part_name(texts: CatalogTranslator, part: str) -> str:
    """The name of a part, capitalised."""
    return texts.gettext(PART_NAMES[part])
