"""`audit`: security events, newest first."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Final

import click
from rich.table import Table

from importer.bootstrap import standalone
from importer.cli import options, text_views
from importer.cli.console_language import console_texts
from importer.cli.exit_codes import stdout
from importer.cli.import_list import wrapped
from importer.cli.options import EnumChoice
from importer.domain.audit_event import AuditAction, AuditEvent
from importer.domain.reporting.formatting import spoken_instant
from importer.i18n.audit_texts import detail_text, event_json
from importer.i18n.translations import CatalogTranslator
from importer.service.access.audit import search_events
from importer.settings import Settings

_INDENT: Final = " " * 4


@click.command
@click.option(
    "--action",
    "actions",
    type=EnumChoice(AuditAction),
    multiple=True,
    metavar="ACTION",
    help=f"Only these actions; may be repeated. [{', '.join(AuditAction)}]",
)
@click.option("--actor", metavar="NAME", help="Only events by this actor, as the list shows it.")
@click.option("--target", metavar="ID", help="Only events about this import, token, mailbox or host.")
@click.option(
    "--days", type=click.IntRange(1), metavar="NUMBER", help="Only events of this many days until now."
)
@click.option(
    "--limit",
    type=click.IntRange(1, 100_000),
    metavar="NUMBER",
    default=100,
    show_default=True,
    help="How many events at most.",
)
@options.data
@options.as_json
def audit(
    actions: tuple[AuditAction, ...],
    actor: str | None,
    target: str | None,
    days: int | None,
    limit: int,
    data: Path | None,
    as_json: bool,
) -> None:
    """List security events, newest first.

    Sign-ins, refusals, limits, and who started, paused, cancelled or undid an import, and from where.

    \b
    Example:
      mailhaul audit --action sign-in --days 7
    """
    settings = Settings.load(data=data)
    words = console_texts(settings)
    with standalone(settings) as deps:
        since = None if days is None else deps.clock.now() - timedelta(days=days)
        events = search_events(deps, actions=actions, actor=actor, target=target, since=since, limit=limit)
    if as_json:
        text_views.print_json([event_json(words, event) for event in events])
        return
    for event in events:
        _print_event(words, event)
    if not events:
        stdout.print(words.gettext("No such events."))
    elif len(events) == limit:
        newest = words.number(limit)
        stdout.print(words.gettext("These are the newest %(num)s; --limit shows more.", num=newest))


def _print_event(words: CatalogTranslator, event: AuditEvent) -> None:
    """Lines for 80 columns: action and time, actor and origin, and the detail. Actions and outcomes are
    the words of --action and of the log."""
    grid = Table.grid(padding=(0, 2))
    grid.add_row(
        spoken_instant(event.at), event.action.value, event.outcome.value, text_views.plain(event.target)
    )
    stdout.print(grid)
    name, network = event.actor.name, event.actor.client
    parts = (
        words.gettext("by %(name)s", name=name) if name else words.gettext("not signed in"),
        words.gettext("from %(network)s", network=network) if network else "",
    )
    for line in filter(None, (" ".join(filter(None, parts)), detail_text(words, event))):
        stdout.print(*wrapped(line, stdout.width, _INDENT), sep="\n", style="dim")
