"""The pages, each with the function that renders it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from docs.generate import commands, configuration, errors, events, import_options, mail_hosts, scale, sign_in
from importer.i18n.csv_template import csv_template
from importer.i18n.translations import LANGUAGES, texts

DOCS: Final = Path(__file__).parents[1]


def _template_path(language: str) -> Path:
    name = "batch.csv" if language == "en" else f"batch.{language}.csv"
    return DOCS.parent / "templates/csv" / name


def _template(language: str) -> str:
    return csv_template(texts(language)).decode("utf-8")


PAGES: Final[dict[Path, Callable[[], str]]] = {
    DOCS / "configuration.md": configuration.render,
    DOCS / "cli.md": commands.render,
    DOCS / "errors.md": errors.render,
    DOCS / "events.md": events.render,
    DOCS / "options.md": import_options.render,
    DOCS / "providers.md": mail_hosts.render,
    DOCS / "scale.md": scale.render,
    sign_in.PAGE: sign_in.render,
    **{_template_path(language): partial(_template, language) for language in LANGUAGES},
}
