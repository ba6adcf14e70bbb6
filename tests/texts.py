"""Update the translation catalogs from the sources: `python -m tests.texts`.

New texts are added to each catalog without a translation, for a translator to complete. Texts that are no
longer in the sources are removed.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from importer.cli.command_table import console
from importer.cli.help_texts import help_texts
from importer.codes.code_table import all_rows
from importer.domain.import_options import OPTIONS

IMPORTER: Final = Path(__file__).parents[1] / "importer"
LOCALE: Final = IMPORTER / "i18n" / "locale"
LANGUAGES: Final = ("de", "fr", "it", "es")
_EXTRACTION_METHODS: Final = [
    ("**.py", "python"),
    ("**/templates/**.html", "jinja2"),
    ("**/templates/**.txt", "jinja2"),
]


def template() -> Catalog:
    """All translatable texts of pages, mails, codes and the console."""
    catalog = Catalog(project="Mailhaul", charset="utf-8")
    keywords = {"_": None, "gettext": None, "ngettext": (1, 2), "N_": None}
    for _, _, message, _, _ in extract_from_dir(str(IMPORTER), _EXTRACTION_METHODS, keywords=keywords):
        catalog.add(message)
    for row in all_rows():
        for text in (
            row.sentence,
            row.advice,
            row.sentence_at_destination,
            row.advice_at_destination,
        ):
            if text:
                catalog.add(text)
    for option in OPTIONS.values():
        for text in option.texts:
            catalog.add(text)
    for text in help_texts(console):
        catalog.add(text)
    return catalog


def catalog_of(language: str) -> Catalog:
    """The committed catalog of a language."""
    path = LOCALE / f"{language}.po"
    data = path.read_bytes() if path.exists() else b""
    return read_po(io.BytesIO(data), locale=language, domain="mailhaul")


def main() -> None:
    current = template()
    for language in LANGUAGES:
        catalog = catalog_of(language)
        catalog.update(current, no_fuzzy_matching=True)
        catalog.obsolete.clear()
        out = io.BytesIO()
        write_po(out, catalog, omit_header=True, sort_output=True, width=110, include_previous=False)
        (LOCALE / f"{language}.po").write_bytes(out.getvalue())
        missing = sum(
            not all(m.string if isinstance(m.string, (tuple, list)) else [m.string]) for m in catalog if m.id
        )
        print(f"{language}: {len(catalog)} texts, {missing} without translation")


if __name__ == "__main__":
    main()
