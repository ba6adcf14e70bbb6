"""`undo`: takes back what an import added."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from importer.bootstrap import standalone
from importer.cli import mailbox_options, text_views
from importer.cli.exit_codes import Usage, ends, stderr, stdout
from importer.cli.options import CaFile, DataOption, Json, ToPasswordEnv, ToPasswordFile
from importer.domain.model import Import
from importer.domain.people.batch_right import right_of_console
from importer.domain.receipts.undo_report import FolderUndo, UndoReport
from importer.domain.reporting.formatting import counted
from importer.domain.reporting.report import ExitCode
from importer.service.access.batch_rights import destination_credential
from importer.service.deps import Deps
from importer.service.imports.finish import report_of
from importer.service.imports.undo_import import UndoRefused, way_back
from importer.service.imports.undo_import import undo as undo_import
from importer.service.queries import find_import
from importer.settings import Settings
from providers.catalog import Catalog
from providers.errors import GrantExpired, LoginRejected, MailError
from providers.grants import Credential


def undo(
    id_: Annotated[str, typer.Argument(metavar="ID", help="An import's id.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before removing anything.")] = False,
    to_password_file: ToPasswordFile = None,
    to_password_env: ToPasswordEnv = None,
    data: DataOption = None,
    ca_file: CaFile = None,
    as_json: Json = False,
) -> None:
    """Remove from the new mailbox exactly what an import added and nobody has touched since.

    Messages that were read, answered or marked since stay, and so does all other mail. The old mailbox is not
    touched. Needs the password of the new mailbox, or an organisation's permission for it.

    Example: mailhaul undo k3v9m2xw7abc
    """
    with standalone(Settings.load(data=data, ca_file=ca_file)) as deps:
        import_ = find_import(deps, id_)
        if import_ is None:
            raise Usage(f"There is no import {id_}; `mailhaul list` shows what there is.")
        if not yes:
            _ask(import_, report_of(deps, import_).totals.copied)
        try:
            opens = _opens(deps, import_, to_password_file, to_password_env)
        except (UndoRefused, LoginRejected) as refused:
            raise Usage(str(refused)) from None
        with stderr.status("looking") as status:

            def told(folder: FolderUndo) -> None:
                removed = f"{counted(folder.removed, 'message')} removed"
                status.update(f"{text_views.plain(folder.folder)}: {removed}, {folder.stays:,} stay")

            try:
                report = undo_import(deps, import_, opens, told=told)
            except UndoRefused as refused:
                raise Usage(str(refused)) from None
            except MailError as error:
                _broke_off(error)
    if as_json:
        text_views.print_json(report.as_json())
    else:
        _show(report)
    raise ends(ExitCode.REFUSALS if report.totals.stays or report.doubtful else ExitCode.COMPLETE)


def _opens(deps: Deps, import_: Import, file: Path | None, variable: str | None) -> Credential:
    """What opens the new mailbox. Raises UndoRefused when nothing does, LoginRejected, Usage."""
    into, right = import_.destination, right_of_console(deps.master)
    if file is None and variable is None and not right.covers(into):
        found = way_back(deps, import_, Catalog.load().for_host(into.endpoint.host), organisation=True)
        if found is not None:
            return found
    return destination_credential(
        deps, right, into, mailbox_options.password_into(into, file, variable, right)
    )


def _ask(import_: Import, copied: int) -> None:
    if not sys.stdin.isatty():
        raise Usage("Nobody is there to be asked: give --yes to remove what the import added.")
    number, where = counted(copied, "message"), text_views.plain(import_.destination.address)
    stderr.print(
        f"The import added {number} to {where}. Those that nobody has touched since are removed for good."
    )
    if not typer.confirm("Remove them?", err=True):
        raise ends(ExitCode.WAITING)


def _broke_off(error: MailError) -> None:
    stderr.print(f"[red]✗[/] {text_views.plain(str(error), 600)}")
    stderr.print("What is removed so far is recorded; run it again and it goes on from there.")
    refused = isinstance(error, LoginRejected | GrantExpired)
    raise ends(ExitCode.LOGIN if refused else ExitCode.WAITING) from None


def _show(report: UndoReport) -> None:
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
        stdout.print(f"The folder “{text_views.plain(name)}” stays: {text_views.plain(why)}.", soft_wrap=True)
    stdout.print(f"[bold]{text_views.plain(report.verdict, 900)}[/]")
