"""`session`: lists and ends the sessions of people who are signed in to the pages."""

from __future__ import annotations

from pathlib import Path

import click

from importer.bootstrap import standalone
from importer.cli import options, text_views
from importer.cli.console_language import console_texts
from importer.cli.exit_codes import Usage, stdout
from importer.cli.operator_events import operator
from importer.domain.audit_event import AuditAction, AuditOutcome
from importer.domain.people.identities import PersonId, WebSession
from importer.domain.reporting.formatting import spoken_instant
from importer.service.access.audit import record_event
from importer.service.access.web_sessions import end_sessions, sessions_of
from importer.settings import Settings


@click.group
def session() -> None:
    """List web sessions, and end them."""


@session.command("list")
@options.data
@options.as_json
def list_(data: Path | None, as_json: bool) -> None:
    """List the people who are signed in, the last active first.

    \b
    Example:
      mailhaul session list
    """
    settings = Settings.load(data=data)
    words = console_texts(settings)
    with standalone(settings) as deps:
        sessions = sessions_of(deps)
    if as_json:
        text_views.print_json([_session_json(found) for found in sessions])
        return
    for found in sessions:
        stdout.print(text_views.plain(found.person), soft_wrap=True, highlight=False)
        used = words.gettext("last used %(instant)s", instant=spoken_instant(found.used_at))
        origin = words.gettext("from %(network)s", network=found.client) if found.client else ""
        stdout.print(f"    {used} {text_views.plain(origin)}".rstrip(), style="dim")
    if not sessions:
        stdout.print(words.gettext("No web sessions."))


@session.command
@click.argument("person", required=False)
@click.option("--all", "everyone", is_flag=True, help="End the sessions of all people.")
@options.data
def end(person: str | None, everyone: bool, data: Path | None) -> None:
    """End the sessions of a PERSON, as `mailhaul session list` shows them.

    The person is signed out in every browser. Imports continue.

    \b
    Example:
      mailhaul session end "mailbox:ada@new.example imap.new.example"
    """
    settings = Settings.load(data=data)
    words = console_texts(settings)
    if everyone == bool(person):
        raise Usage(words.gettext("Name one person, or give --all."))
    with standalone(settings) as deps:
        ended = end_sessions(deps, PersonId(person) if person else None)
        for found in ended:
            record_event(deps, AuditAction.SESSIONS_END, AuditOutcome.DONE, operator(), concerns=found.person)
    if person and not ended:
        raise Usage(
            words.gettext("That person is not signed in; `mailhaul session list` shows everybody who is.")
        )
    stdout.print(words.ngettext("Ended %(num)s session.", "Ended %(num)s sessions.", len(ended)))


def _session_json(found: WebSession) -> dict[str, str]:
    return {
        "person": found.person,
        "client": found.client,
        "created_at": found.created_at.isoformat(),
        "used_at": found.used_at.isoformat(),
        "expires_at": found.expires_at.isoformat(),
    }
