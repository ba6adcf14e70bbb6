"""`hosts`, `budgets`: running and waiting imports by host, and the limits of hosts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from rich.text import Text

from importer.bootstrap import standalone
from importer.cli import options, text_views
from importer.cli.console_language import console_texts
from importer.cli.exit_codes import stdout
from importer.cli.import_list import INDENT, wrapped, wrapped_parts
from importer.cli.operator_events import operator
from importer.domain.planning.host_allowance import Backoff, named_budget
from importer.domain.planning.host_load import HostLoad
from importer.domain.reporting.formatting import printable
from importer.i18n.pause_texts import pause_json
from importer.i18n.state_texts import state_word
from importer.i18n.translations import CatalogTranslator
from importer.service import host_overview
from importer.settings import Settings


@click.command
@options.language
@options.data
@options.as_json
def hosts(language: str | None, data: Path | None, as_json: bool) -> None:
    """List the mail hosts with their imports, connections and pauses.

    Each import counts at both of its hosts. MAILHAUL_HOST_CONNECTIONS and MAILHAUL_CONNECTIONS_BY_HOST set
    how many connections all workers together may have.

    \b
    Example:
      mailhaul hosts
    """
    settings = Settings.load(data=data, language=language)
    words = console_texts(settings)
    with standalone(settings) as deps:
        loads = host_overview.hosts(deps)
    if as_json:
        text_views.print_json([_host_json(words, load) for load in loads])
        return
    for load in loads:
        name = printable(load.host, 253)
        destination = words.gettext("destination")
        own = f" ({destination})" if load.is_own else ""
        stdout.print(Text(name, style="bold") + own, soft_wrap=True)
        stdout.print(*wrapped_parts(_numbers(words, load), stdout.width), sep="\n")
        _print_pauses(words, load.pauses)
    if not loads:
        stdout.print(Text(words.gettext("No import is under way.")))


@click.command
@click.option(
    "--clear",
    metavar="NAME",
    help="End the pauses of this host and of the accounts there, or of the name that the list shows.",
)
@options.language
@options.data
@options.as_json
def budgets(clear: str | None, language: str | None, data: Path | None, as_json: bool) -> None:
    """Show connections in use, bytes of the last 24 hours, and pauses.

    A pause keeps all imports of an account or a host waiting because the server asked for it. After its end,
    the server is tried again.

    \b
    Example:
      mailhaul budgets --clear imap.old.example
    """
    settings = Settings.load(data=data, language=language)
    words = console_texts(settings)
    with standalone(settings) as deps:
        cleared = host_overview.clear_pauses(deps, operator(), clear) if clear else []
        used = host_overview.budgets(deps)
    if as_json:
        text_views.print_json(
            {
                "connections": dict(used.slots),
                "bytes": dict(used.bytes_of_a_day),
                "pauses": [_pause_json(words, pause) for pause in used.pauses],
                "cleared": cleared,
            }
        )
        return
    if clear:
        ended = words.ngettext("%(num)s pause ended.", "%(num)s pauses ended.", len(cleared))
        stdout.print(Text(ended, style="bold"))
    for name, slots in sorted(used.slots.items()):
        number = words.ngettext("%(num)s connection", "%(num)s connections", slots)
        stdout.print(Text(f"{printable(named_budget(name), 400)}{words.colon} {number}"), soft_wrap=True)
    for name, size_bytes in sorted(used.bytes_of_a_day.items()):
        stdout.print(
            Text(f"{printable(named_budget(name), 400)}{words.colon} {words.size(size_bytes)}"),
            soft_wrap=True,
        )
    for pause in used.pauses:
        stdout.print(Text(printable(named_budget(pause.name), 400), style="bold"), soft_wrap=True)
        _print_pauses(words, [pause])
    if not (used.slots or used.bytes_of_a_day or used.pauses):
        stdout.print(Text(words.gettext("Nothing is in use.")))


def _numbers(words: CatalogTranslator, load: HostLoad) -> list[str]:
    states = [
        f"{state_word(words, state)}{words.colon} {words.number(n)}" for state, n in load.imports.items()
    ]
    connections = words.gettext(
        "%(used)s of %(most)s connections",
        used=words.number(load.connections),
        most=words.number(load.most_connections),
    )
    return [*states, connections]


def _print_pauses(words: CatalogTranslator, pauses: Sequence[Backoff]) -> None:
    for pause in pauses:
        until = words.gettext("Pause until %(time)s.", time=words.instant(pause.until))
        text = f"{until} {pause_json(words, pause)['message']}"
        for line in wrapped(text, stdout.width, indent=INDENT):
            stdout.print(Text(line.plain, style="yellow"))


def _host_json(words: CatalogTranslator, load: HostLoad) -> dict[str, object]:
    return {
        "host": load.host,
        "own": load.is_own,
        "imports": {state.value: number for state, number in load.imports.items()},
        "connections": load.connections,
        "most_connections": load.most_connections,
        "pauses": [_pause_json(words, pause) for pause in load.pauses],
    }


def _pause_json(words: CatalogTranslator, pause: Backoff) -> dict[str, object]:
    return {**pause_json(words, pause), "until": pause.until.isoformat()}
