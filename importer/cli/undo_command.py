"""`undo`: removes from the new mailbox what an import added."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.table import Table

from importer.bootstrap import standalone
from importer.cli import mailbox_options, options, text_views
from importer.cli.exit_codes import Usage, exit_with, stderr, stdout
from importer.cli.found_ids import import_of
from importer.cli.operator_events import record_operator
from importer.cli.options import PasswordSource
from importer.domain.audit_event import AuditAction
from importer.domain.model import Import
from importer.domain.people.batch_right import right_of_console
from importer.domain.receipts.undo_report import FolderUndo, UndoReport
from importer.domain.reporting.formatting import counted
from importer.domain.reporting.report import ExitCode
from importer.i18n.code_texts import render_with_advice
from importer.i18n.translations import CatalogTranslator, texts
from importer.i18n.undo_report_texts import kept_text, undo_json, undo_text
from importer.service.access.batch_rights import destination_credential
from importer.service.deps import Deps
from importer.service.imports.finish import report_of
from importer.service.imports.undo_import import UndoRefused, undo_credential
from importer.service.imports.undo_import import undo as undo_import
from importer.settings import Settings
from providers.catalog import Catalog
from providers.errors import GrantExpired, LoginRejected, MailError, Side
from providers.grants import Credential


@click.command
@options.import_id
@click.option("--yes", is_flag=True, help="Remove the messages without asking for confirmation.")
@options.destination_password
@options.language
@options.data
@options.ca_file
@options.as_json
def undo(
    id_: str,
    yes: bool,
    destination_password: PasswordSource,
    language: str | None,
    data: Path | None,
    ca_file: Path | None,
    as_json: bool,
) -> None:
    """Remove the messages that an import added, unless changed since.

    Messages that were read, answered or flagged since stay, and so does all other mail. The old mailbox is
    not touched. Needs the password of the new mailbox, or an organisation's permission for it.

    \b
    Example:
      mailhaul undo k3v9m2xw7abc
    """
    settings = Settings.load(data=data, ca_file=ca_file, language=language)
    words = texts(settings.language, settings.time_zone)
    with standalone(settings) as deps:
        import_ = import_of(deps, id_, words)
        if not yes:
            _confirm(import_, report_of(deps, import_).totals.copied)
        record_operator(deps, AuditAction.IMPORT_UNDO, [import_.id])
        try:
            credential = _credential(deps, import_, destination_password)
            report = _undo_with_status(words, deps, import_, credential)
        except (UndoRefused, LoginRejected) as refused:
            raise Usage(render_with_advice(refused.text, words, Side.DESTINATION)) from None
    if as_json:
        text_views.print_json(undo_json(words, report))
    else:
        _print_report(words, report)
    raise exit_with(ExitCode.REFUSALS if report.totals.stays or report.doubtful else ExitCode.COMPLETE)


def _confirm(import_: Import, copied: int) -> None:
    if not sys.stdin.isatty():
        raise Usage("There is no terminal to confirm on: give --yes to remove what the import added.")
    messages, address = counted(copied, "message"), text_views.plain(import_.destination.address)
    stderr.print(
        f"The import added {messages} to {address}. Those that are unchanged since are permanently removed."
    )
    if not click.confirm("Remove them?", err=True):
        raise exit_with(ExitCode.WAITING)


def _credential(deps: Deps, import_: Import, source: PasswordSource) -> Credential:
    """For the new mailbox. Raises UndoRefused if no credential can open it, LoginRejected, Usage."""
    destination, right = import_.destination, right_of_console(deps.master_user)
    if not source.given and not right.covers(destination):
        host = Catalog.load().for_host(destination.endpoint.host)
        granted = undo_credential(deps, import_, host, organisation=True)
        if granted is not None:
            return granted
    password = mailbox_options.destination_password(destination, source, right)
    return destination_credential(deps, right, destination, password)


def _undo_with_status(
    words: CatalogTranslator, deps: Deps, import_: Import, credential: Credential
) -> UndoReport:
    """Raises UndoRefused; any other failure ends the command."""
    with stderr.status("reading folders") as status:

        def show_progress(folder: FolderUndo) -> None:
            removed = f"{counted(folder.removed, 'message')} removed"
            status.update(f"{text_views.plain(folder.folder)}: {removed}, {folder.stays:,} stay")

        try:
            return undo_import(deps, import_, credential, on_folder=show_progress)
        except MailError as error:
            stderr.print(
                f"[red]✗[/] {text_views.plain(render_with_advice(error.text, words, Side.DESTINATION), 600)}"
            )
            stderr.print("The removals so far are recorded; run the command again to continue.")
            rejected = isinstance(error, LoginRejected | GrantExpired)
            raise exit_with(ExitCode.LOGIN if rejected else ExitCode.WAITING) from None


def _print_report(texts: CatalogTranslator, report: UndoReport) -> None:
    columns = ("added", "removed", "touched", "altered", "gone", "unidentified")
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("folder", overflow="fold")
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    for folder in report.folders:
        numbers = (getattr(folder, column) for column in columns)
        table.add_row(
            text_views.plain(folder.folder), *(f"{number:,}" if number else "[dim]·[/]" for number in numbers)
        )
    if report.folders:
        stdout.print(table)
    for name, why in report.folders_kept:
        stdout.print(
            f"The folder “{text_views.plain(name)}” stays: {text_views.plain(kept_text(texts, why))}.",
            soft_wrap=True,
        )
    stdout.print(f"[bold]{text_views.plain(undo_text(texts, report), 900)}[/]")
