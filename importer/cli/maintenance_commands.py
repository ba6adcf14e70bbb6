"""`maintenance`, `drain`: hold all imports."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click
from rich.text import Text

from importer.bootstrap import standalone
from importer.cli import options, text_views
from importer.cli.console_language import console_texts
from importer.cli.exit_codes import exit_with, stdout
from importer.cli.operator_events import operator
from importer.domain.reporting.report import ExitCode
from importer.i18n.wait_texts import maintenance_text
from importer.ports.monitoring import Maintenance
from importer.service import maintenance as mode
from importer.settings import Settings

_note = click.option(
    "--note", default="", help="Text to show together with the maintenance, such as its reason and its end."
)


@click.command("maintenance")
@click.argument("wanted", metavar="[on|off]", required=False, type=click.Choice(("on", "off")))
@_note
@options.language
@options.data
@options.as_json
def maintenance(
    wanted: str | None, note: str, language: str | None, data: Path | None, as_json: bool
) -> None:
    """Hold all imports or let them go on; without on or off, show which.

    Under maintenance, submissions are accepted and held, and running imports stop after the messages in
    transfer. Pages, API and console say so. It lasts, also across restarts, until `mailhaul
    maintenance off`.

    \b
    Example:
      mailhaul maintenance on --note "The mail server moves until 18:00."
    """
    settings = Settings.load(data=data, language=language)
    words = console_texts(settings)
    with standalone(settings) as deps:
        if wanted == "on":
            mode.begin(deps, operator(), note)
        elif wanted == "off":
            mode.end(deps, operator())
        current, running = deps.store.maintenance(), deps.store.running_legs()
    if as_json:
        text_views.print_json(_as_json(current, running))
        return
    if current is None:
        stdout.print(Text(words.gettext("No maintenance: imports run.")))
    else:
        stdout.print(Text(maintenance_text(words, current.since, current.note)), soft_wrap=True)
        stdout.print(
            Text(words.ngettext("%(num)s import runs still.", "%(num)s imports run still.", running))
        )


@click.command
@_note
@click.option(
    "--within",
    type=click.IntRange(1, 24 * 60 * 60),
    metavar="SECONDS",
    default=120,
    show_default=True,
    help="How long to wait at most.",
)
@options.language
@options.data
@options.as_json
def drain(note: str, within: int, language: str | None, data: Path | None, as_json: bool) -> None:
    """Hold all imports, as `maintenance on`, and wait until none runs.

    Then workers can be stopped and hosts be changed without anything in transfer. Exit code 5 if some still
    run at the end.

    \b
    Example:
      mailhaul drain --within 300
    """
    settings = Settings.load(data=data, language=language)
    words = console_texts(settings)
    with standalone(settings) as deps:
        current = deps.store.maintenance()
        if current is None or note:
            current = mode.begin(deps, operator(), note)
        running = mode.wait_until_drained(deps, timedelta(seconds=within))
    if as_json:
        text_views.print_json(_as_json(current, running))
    else:
        stdout.print(Text(maintenance_text(words, current.since, current.note)), soft_wrap=True)
        stdout.print(
            Text(words.ngettext("%(num)s import runs still.", "%(num)s imports run still.", running))
        )
    raise exit_with(ExitCode.WAITING if running else ExitCode.COMPLETE)


def _as_json(current: Maintenance | None, running: int) -> dict[str, object]:
    return {
        "on": current is not None,
        "since": current.since.isoformat() if current is not None else None,
        "note": current.note if current is not None else "",
        "running": running,
    }
