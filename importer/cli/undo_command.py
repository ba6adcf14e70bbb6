"""`undo`: removes the messages that an import added from the new mailbox."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import click
from rich.table import Table

from importer.bootstrap import standalone
from importer.cli import mailbox_options, options, text_views
from importer.cli.console_language import console_texts
from importer.cli.exit_codes import Usage, exit_with, stderr, stdout
from importer.cli.found_ids import import_of
from importer.cli.operator_events import record_operator
from importer.cli.options import PasswordSource
from importer.cli.yes_or_no import is_confirmed
from importer.domain.audit_event import AuditAction
from importer.domain.model import Import
from importer.domain.people.batch_right import right_of_console
from importer.domain.receipts.undo_report import FolderUndo, UndoReport
from importer.domain.reporting.report import ExitCode
from importer.i18n.code_texts import render_with_advice
from importer.i18n.translations import N_, CatalogTranslator
from importer.i18n.undo_report_texts import kept_text, undo_json, undo_text
from importer.service.access.batch_rights import destination_credential
from importer.service.deps import Deps
from importer.service.imports.finish import report_of
from importer.service.imports.undo_import import UndoRefused, undo_credential
from importer.service.imports.undo_import import undo as undo_import
from importer.settings import Settings
from providers.catalog import provider_of_host
from providers.errors import GrantExpired, LoginRejected, MailError, Side
from providers.grants import Credential

_COLUMNS: Final[tuple[tuple[str, Callable[[FolderUndo], int]], ...]] = (
    (N_("added"), lambda folder: folder.added),
    (N_("removed"), lambda folder: folder.removed),
    (N_("touched"), lambda folder: folder.touched),
    (N_("altered"), lambda folder: folder.altered),
    (N_("gone"), lambda folder: folder.gone),
    (N_("unidentified"), lambda folder: folder.unidentified),
    (N_("not removed"), lambda folder: folder.refused),
)
"""The column heads and their numbers. The first is the sum of the others."""


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
    words = console_texts(settings)
    with standalone(settings) as deps:
        import_ = import_of(deps, id_, words)
        if not yes:
            _confirm(words, import_, report_of(deps, import_).totals.copied)
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


def _confirm(words: CatalogTranslator, import_: Import, copied: int) -> None:
    if not sys.stdin.isatty():
        raise Usage(
            words.gettext("There is no terminal to confirm on: give --yes to remove what the import added.")
        )
    added = words.ngettext(
        "The import added %(num)s message to %(address)s. It is permanently removed if it is unchanged"
        " since.",
        "The import added %(num)s messages to %(address)s. Those that are unchanged since are permanently"
        " removed.",
        copied,
        address=import_.destination.address,
    )
    stderr.print(text_views.plain(added, 600))
    if not is_confirmed(words, words.gettext("Remove what it added?")):
        raise exit_with(ExitCode.WAITING)


def _credential(deps: Deps, import_: Import, source: PasswordSource) -> Credential:
    """The credential of the new mailbox. Raises UndoRefused if no credential can open it, LoginRejected,
    Usage."""
    destination, right = import_.destination, right_of_console(deps.master_user)
    if not source.given and not right.covers(destination):
        host = provider_of_host(destination.endpoint.host)
        granted = undo_credential(deps, import_, host, organisation=True)
        if granted is not None:
            return granted
    password = mailbox_options.destination_password(destination, source, right)
    return destination_credential(deps, right, destination, password)


def _undo_with_status(
    words: CatalogTranslator, deps: Deps, import_: Import, credential: Credential
) -> UndoReport:
    """Raises UndoRefused; any other failure ends the command."""
    with stderr.status(words.gettext("reading folders")) as status:

        def show_progress(folder: FolderUndo) -> None:
            removed = words.ngettext(
                "%(num)s message removed, %(kept)s kept",
                "%(num)s messages removed, %(kept)s kept",
                folder.removed,
                kept=words.number(folder.stays),
            )
            status.update(f"{text_views.plain(folder.folder)}{words.colon} {removed}")

        try:
            return undo_import(deps, import_, credential, on_folder=show_progress)
        except MailError as error:
            stderr.print(
                f"[red]✗[/] {text_views.plain(render_with_advice(error.text, words, Side.DESTINATION), 600)}"
            )
            stderr.print(
                words.gettext("The removals so far are recorded; run the command again to continue.")
            )
            rejected = isinstance(error, LoginRejected | GrantExpired)
            raise exit_with(ExitCode.LOGIN if rejected else ExitCode.WAITING) from None


def _print_report(texts: CatalogTranslator, report: UndoReport) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(texts.gettext("folder"), overflow="fold")
    for head, _ in _COLUMNS:
        table.add_column(texts.gettext(head), justify="right", no_wrap=True)
    for folder in report.folders:
        numbers = (count(folder) for _, count in _COLUMNS)
        table.add_row(
            text_views.plain(folder.folder), *(texts.number(n) if n else "[dim]·[/]" for n in numbers)
        )
    if report.folders:
        stdout.print(table)
    for name, why in report.folders_kept:
        kept = texts.gettext("The folder “%(name)s” stays: %(why)s.", name=name, why=kept_text(texts, why))
        stdout.print(text_views.plain(kept, 600), soft_wrap=True)
    stdout.print(f"[bold]{text_views.plain(undo_text(texts, report), 900)}[/]")
