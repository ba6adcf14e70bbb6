"""`schedule`: sets the time until which an import fetches new mail."""

from __future__ import annotations

from pathlib import Path

import click

from importer.bootstrap import queued
from importer.cli import options, text_views
from importer.cli.console_language import console_texts
from importer.cli.control_view import change_json, print_change
from importer.cli.exit_codes import exit_with
from importer.cli.found_ids import imports_of
from importer.cli.operator_events import record_operator
from importer.domain.audit_event import AuditAction, AuditOutcome
from importer.domain.reporting.report import ExitCode
from importer.service.imports import following
from importer.service.imports.control import Effect
from importer.settings import Settings


@click.command
@options.import_or_batch_id
@options.import_option("until_cutover")
@options.import_option("follow_until", "--until")
@options.import_option("cutover_mx", "--mx")
@options.data
@options.as_json
def schedule(id_: str, data: Path | None, as_json: bool, **chosen: object) -> None:
    """Fetch new mail until the domain has moved, or a date.

    An import or a batch that is under way goes on after its first copy: a pass every MAILHAUL_PASS_HOURS
    fetches what is new, until all MX records of the old address's domain lead to the new host. The last pass
    follows MAILHAUL_LAST_PASS_HOURS later. The passwords stay stored, sealed, until then; `cancel` erases
    them. With a day that is over, the last pass is made now.

    \b
    Example:
      mailhaul schedule k3v9m2xw7abc --until-cutover
      mailhaul schedule k3v9m2xw7abc --until-cutover --mx mx.new.example --until 2026-12-31
    """
    choices = {name: value for name, value in chosen.items() if value is not None}
    settings = Settings.load(data=data)
    words = console_texts(settings)
    with queued(settings) as deps:
        imports = imports_of(deps, id_, words)
        changes = [following.schedule(deps, import_.id, choices) for import_ in imports]
        for changed in changes:
            done = changed.effect in (Effect.DONE, Effect.SOON)
            outcome = AuditOutcome.DONE if done else AuditOutcome.REFUSED
            targets = [changed.import_.id]
            record_operator(deps, AuditAction.IMPORT_SCHEDULE, targets, outcome, detail=changed.text)
    if as_json:
        text_views.print_json([change_json(words, changed) for changed in changes])
    else:
        for changed in changes:
            print_change(words, changed)
    impossible = all(changed.effect in (Effect.NOT_POSSIBLE, Effect.TOO_LATE) for changed in changes)
    raise exit_with(ExitCode.WAITING if impossible else ExitCode.COMPLETE)
