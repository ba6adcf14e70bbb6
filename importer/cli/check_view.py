"""The result of `check` at a terminal."""

from __future__ import annotations

from rich.table import Table

from importer.cli.exit_codes import stdout
from importer.cli.text_views import plain, print_json
from importer.domain.reporting.formatting import (
    counted,
    spoken_bytes,
    spoken_instant,
    spoken_span,
)
from importer.domain.reporting.mailbox_check import Check, CheckPhase, FolderCheck, SideCheck
from importer.domain.reporting.report import ExitCode
from importer.i18n.check_texts import check_json, check_warnings
from importer.i18n.option_texts import word_sentences
from importer.i18n.problem_texts import problem_text
from importer.i18n.translations import CatalogTranslator
from providers.errors import GrantExpired, LoginRejected, MasterRefused, Side


def exit_code(check: Check) -> ExitCode:
    """COMPLETE if both logins succeeded and, as far as is known, the mail fits."""
    problems = [side.problem for side in (check.source, check.destination) if side.problem is not None]
    if any(
        problem.code in (LoginRejected.code, MasterRefused.code, GrantExpired.code) for problem in problems
    ):
        return ExitCode.LOGIN
    if problems:
        return ExitCode.WAITING
    return ExitCode.DESTINATION_FULL if check.fits is False else ExitCode.COMPLETE


def print_check(texts: CatalogTranslator, check: Check, *, as_json: bool = False) -> None:
    """Both mailboxes, the folders, and what a copy would do."""
    if as_json:
        print_json(check_json(texts, check))
        return
    for name, side, checked in (
        ("old mailbox", Side.SOURCE, check.source),
        ("new mailbox", Side.DESTINATION, check.destination),
    ):
        _print_side(texts, name, side, checked)
    if check.folders and check.ready:
        stdout.print(_folder_table(check))
    if check.ready:
        _print_estimate(check)
    if check.labels is not None:
        stdout.print(
            f"Labels: {word_sentences(texts, 'labels', check.labels)} [dim]--labels chooses.[/]",
            soft_wrap=True,
        )
    for warning in check_warnings(texts, check):
        stdout.print(f"[yellow]![/] {plain(warning, 600)}", soft_wrap=True)


def _print_side(texts: CatalogTranslator, name: str, of: Side, side: SideCheck) -> None:
    mailbox = f"[bold]{name}[/]  {plain(side.account.address)} at {plain(side.account.endpoint.host)}"
    if side.look is CheckPhase.FAILED:
        problem = problem_text(texts, side.problem) if side.problem else ""
        stdout.print(f"[red]✗[/] {mailbox}: {plain(problem, 600)}", soft_wrap=True)
        return
    facts = [counted(side.messages, "message"), f"in {counted(side.folders, 'folder')}"]
    if side.size_bytes is not None:
        facts.append(f"{'' if side.exact else 'about '}{spoken_bytes(side.size_bytes)}")
    if side.oldest is not None and side.newest is not None:
        about = "" if side.dates_exact else "about "
        facts.append(f"{about}{side.oldest:%Y-%m-%d} to {side.newest:%Y-%m-%d}")
    if side.quota is not None and side.quota.limit_bytes is not None:
        facts.append(f"{spoken_bytes(max(0, side.quota.limit_bytes - side.quota.used_bytes))} free")
    stdout.print(f"[green]✓[/] {mailbox}: {', '.join(facts)}", soft_wrap=True)


def _folder_table(check: Check) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("folder", overflow="fold")
    table.add_column("goes to", overflow="fold")
    for column in ("messages", "size", "copied\nbefore", "there\nnow"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("note", overflow="fold")
    for folder in check.folders:
        size = "" if folder.size_bytes is None else spoken_bytes(folder.size_bytes)
        table.add_row(
            plain(folder.source_folder),
            plain(folder.destination_folder),
            f"{folder.messages:,}",
            size if folder.exact else f"about {size}",
            f"{folder.known:,}" if folder.known else "[dim]·[/]",
            "[dim]new[/]" if folder.there is None else f"{folder.there:,}",
            _note(folder),
        )
    return table


def _note(folder: FolderCheck) -> str:
    notes = [] if folder.reason in ("same name", "INBOX") else [folder.reason]
    if folder.elsewhere:
        notes.append(f"{folder.elsewhere:,} more in the folders of other labels")
    if folder.recognised:
        notes.append(f"{folder.recognised:,} seem to be there already")
    return plain("; ".join(notes))


def _print_estimate(check: Check) -> None:
    amount = check.to_copy
    limit = "about" if check.recognised else "at most"
    stdout.print(
        f"To copy: {limit} {counted(amount.messages, 'message')}, {spoken_bytes(amount.size_bytes)}."
    )
    estimate = check.estimate
    if estimate is None:
        stdout.print("The duration cannot be estimated.")
    elif estimate.capped_until is not None:
        stdout.print(f"Estimated end: about {spoken_instant(estimate.capped_until)}, {estimate.basis}.")
    else:
        stdout.print(
            f"Estimated duration: {spoken_span(estimate.low)} to {spoken_span(estimate.high)},"
            f" {estimate.basis}."
        )
