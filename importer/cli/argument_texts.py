"""The language of an error about an argument, which comes before the settings are read."""

from __future__ import annotations

import os

import click

from importer.domain.csv_import.csv_cells import Refused
from importer.i18n.row_problem_texts import refused_text
from importer.i18n.translations import LANGUAGES, texts


def refused_argument(refused: Refused) -> str:
    """What is wrong with the value of an argument and how to fix it."""
    return refused_text(texts(argument_language()), refused)


def argument_language() -> str:
    """That of `--language`, if the command line gives it earlier, or of MAILHAUL_LANGUAGE."""
    context = click.get_current_context(silent=True)
    given = context.params.get("language") if context is not None else None
    language = given or os.environ.get("MAILHAUL_LANGUAGE", "").lower()
    return language if language in LANGUAGES else "en"
