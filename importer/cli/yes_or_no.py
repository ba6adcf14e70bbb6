"""A yes-or-no question at the terminal, in the reader's language."""

from __future__ import annotations

import click

from importer.i18n.translations import CatalogTranslator


def is_confirmed(words: CatalogTranslator, question: str) -> bool:
    """Ask on stderr. Anything but yes, in the reader's language or in English, means no."""
    choice = words.gettext("y/N")
    answer = click.prompt(f"{question} [{choice}]", default="", show_default=False, err=True)
    agreed = {"y", "yes", words.gettext("yes"), choice.partition("/")[0]}
    return answer.strip().casefold() in agreed
