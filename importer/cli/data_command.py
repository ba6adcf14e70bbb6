"""`data`: the stored data about an address; show, export or erase it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import click
from rich.table import Table

from importer.bootstrap import personal, standalone
from importer.cli import options, text_views
from importer.cli.argument_texts import system_reason
from importer.cli.console_language import console_texts
from importer.cli.exit_codes import Usage, exit_with, stderr, stdout
from importer.cli.operator_events import operator
from importer.cli.yes_or_no import is_confirmed
from importer.domain.personal_data import PersonalData
from importer.domain.reporting.report import ExitCode
from importer.i18n.translations import CatalogTranslator
from importer.service.access.data_requests import StillUnderWay, erase_data, known_data
from importer.settings import Settings


@click.group
def data() -> None:
    """Show, export or erase all data about an address."""


@data.command
@click.argument("address")
@options.data
@options.as_json
def show(address: str, data: Path | None, as_json: bool) -> None:
    """Show how much is stored about ADDRESS, and in which tables.

    All tables are searched: imports out of and into that mailbox, mails, sessions, tokens, security events
    and what others submitted.

    \b
    Example:
      mailhaul data show ada@old.example
    """
    settings, words = _settings(data)
    with standalone(settings) as deps:
        found = known_data(personal(deps), _address(words, address), operator())
    if as_json:
        text_views.print_json({table: len(rows) for table, rows in sorted(found.rows.items())})
    else:
        _print(words, found)


@data.command
@click.argument("address")
@click.option("--output", metavar="FILE", type=click.Path(path_type=Path), help="Write to a new file.")
@options.data
def export(address: str, output: Path | None, data: Path | None) -> None:
    """Export everything that is stored about ADDRESS as JSON, by table.

    Passwords and other sealed values are left out. The rows may name other people: the other mailbox of an
    import, or who submitted it. Read them before you pass them on.

    \b
    Example:
      mailhaul data export ada@old.example --output ada.json
    """
    settings, words = _settings(data)
    with standalone(settings) as deps:
        found = known_data(personal(deps), _address(words, address), operator())
    if output is None:
        text_views.print_json({"address": address, "tables": found.rows})
        return
    try:
        handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        reason = words.gettext(
            "%(file)s cannot be created: %(reason)s.", file=str(output), reason=system_reason(words, error)
        )
        raise Usage(reason) from None
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump({"address": address, "tables": found.rows}, file, ensure_ascii=False, indent=2)
    stderr.print(words.ngettext("Wrote %(num)s database row.", "Wrote %(num)s database rows.", found.number))


@data.command
@click.argument("address")
@click.option("--cancel", "cancels", is_flag=True, help="Cancel imports of that mailbox that have not ended.")
@click.option("--yes", is_flag=True, help="Erase without asking.")
@options.data
def erase(address: str, cancels: bool, yes: bool, data: Path | None) -> None:
    """Erase everything that is stored about ADDRESS.

    Imports of that mailbox are removed with their reports, mails and receipts; elsewhere a pseudonym replaces
    the address. Mail in mailboxes stays. A later import compares all messages again and copies none twice.

    \b
    Example:
      mailhaul data erase ada@old.example --cancel
    """
    settings, words = _settings(data)
    with standalone(settings) as plain_deps:
        deps, wanted = personal(plain_deps), _address(words, address)
        if not yes:
            _confirm(words, known_data(deps, wanted, operator()), wanted)
        try:
            erased = erase_data(deps, wanted, operator(), cancels=cancels)
        except StillUnderWay as error:
            raise Usage(
                words.gettext(
                    "Not ended: %(imports)s. Nothing was erased. Give --cancel to cancel them first; if you"
                    " did, run the command again in a minute.",
                    imports=str(error),
                )
            ) from None
    changed = sum(erased.changed.values())
    stdout.print(words.ngettext("Erased: %(num)s database row.", "Erased: %(num)s database rows.", changed))
    stdout.print(
        words.gettext("The audit trail names the address as %(pseudonym)s.", pseudonym=erased.pseudonym)
    )
    if erased.kept.number:
        stdout.print(
            words.gettext(
                "Kept: names of folders in mailboxes of other people. Without them, their mail would be"
                " copied twice."
            )
        )
        _print(words, erased.kept)
    if not erased.is_overwritten:
        stdout.print(
            words.gettext(
                "Remains are in the files of the database until it overwrites them. SQLite: run this again"
                " while less is going on. PostgreSQL: run VACUUM as the owner of the tables."
            )
        )
    stdout.print(
        words.gettext(
            "Not reached from here: sealed sessions and API answers, which end within a day, backups, and"
            " logs."
        )
    )
    raise exit_with(ExitCode.COMPLETE)


def _settings(data: Path | None) -> tuple[Settings, CatalogTranslator]:
    settings = Settings.load(data=data)
    return settings, console_texts(settings)


def _address(words: CatalogTranslator, given: str) -> str:
    address = given.strip()
    if len(address) < 3 or any(letter.isspace() for letter in address):
        raise Usage(words.gettext("ADDRESS is a mail address, or the name that a mailbox is opened with."))
    return address


def _print(words: CatalogTranslator, found: PersonalData) -> None:
    if not found.rows:
        stdout.print(words.gettext("Nothing is known of that address."))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(words.gettext("table"))
    table.add_column(words.gettext("rows"), justify="right")
    for name, rows in sorted(found.rows.items()):
        table.add_row(name, f"{len(rows):,}")
    stdout.print(table)


def _confirm(words: CatalogTranslator, found: PersonalData, address: str) -> None:
    if not sys.stdin.isatty():
        raise Usage(words.gettext("There is no terminal to confirm on: give --yes to erase."))
    _print(words, found)
    if not is_confirmed(words, words.gettext("Erase all of this about %(address)s?", address=address)):
        raise exit_with(ExitCode.WAITING)
