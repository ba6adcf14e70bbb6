"""`keys`: counts the stored values that each secret key opens, and seals all with a new key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import click
from rich.table import Table

from importer.bootstrap import open_sealed_values, open_vault, standalone
from importer.cli import options, text_views
from importer.cli.console_language import console_texts
from importer.cli.exit_codes import exit_with, stdout
from importer.cli.operator_events import operator
from importer.domain.reporting.report import ExitCode
from importer.i18n.translations import CatalogTranslator
from importer.ports.sealed_values import Resealed
from importer.service.access.key_rotation import rotate_keys
from importer.settings import Settings


@click.group
def keys() -> None:
    """Count what each secret key seals, and seal all with the newest."""


@keys.command
@options.data
@options.as_json
def show(data: Path | None, as_json: bool) -> None:
    """Count the sealed values: under the newest key, under older ones, and under none that is configured.

    Exit code 5 unless all are under the newest key: then the older ones can be removed.

    \b
    Example:
      mailhaul keys show
    """
    settings = Settings.load(data=data)
    with open_sealed_values(settings) as values:
        found = values.reseal(open_vault(settings).renewed, changes=False)
    _end(settings, found, as_json)


@keys.command
@options.data
@options.as_json
def rotate(data: Path | None, as_json: bool) -> None:
    """Seal everything that is stored with the newest secret key.

    Put the new key in front of the old one first, everywhere, and restart pages and workers: the old key
    opens the values that are not resealed yet. Imports go on meanwhile. If this is interrupted, run it again.
    Exit code 5 unless all is under the newest key afterwards.

    \b
    Example:
      mailhaul keys rotate
    """
    settings = Settings.load(data=data)
    words = console_texts(settings)
    with standalone(settings) as deps, open_sealed_values(settings) as values:
        number, found = rotate_keys(deps, values, open_vault(settings).renewed, operator())
    if not as_json:
        stdout.print(words.ngettext("Sealed anew: %(num)s value.", "Sealed anew: %(num)s values.", number))
    _end(settings, found, as_json)


def _end(settings: Settings, found: Mapping[str, Resealed], as_json: bool) -> None:
    words = console_texts(settings)
    older = sum(numbers.renewed for numbers in found.values())
    unreadable = sum(numbers.unreadable for numbers in found.values())
    if as_json:
        text_views.print_json(
            {
                name: {"newest": n.current, "older": n.renewed, "none": n.unreadable}
                for name, n in found.items()
            }
        )
    else:
        stdout.print(_table(words, found))
        stdout.print(_verdict(words, older, unreadable), soft_wrap=True)
    raise exit_with(ExitCode.WAITING if older or unreadable else ExitCode.COMPLETE)


def _table(words: CatalogTranslator, found: Mapping[str, Resealed]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(words.gettext("stored"))
    for heading in (words.gettext("newest key"), words.gettext("older key"), words.gettext("no key")):
        table.add_column(heading, justify="right")
    for name, numbers in found.items():
        table.add_row(name, *(f"{number:,}" for number in asdict(numbers).values()))
    return table


def _verdict(words: CatalogTranslator, older: int, unreadable: int) -> str:
    if unreadable:
        return words.gettext(
            "No configured key opens some of it. Configure the key that sealed it as a further one."
        )
    if older:
        return words.gettext(
            "An older key is still needed: restart pages and workers with the new key in front, then run"
            " `mailhaul keys rotate`."
        )
    return words.gettext("All of it is under the newest key. Older keys can be removed.")
