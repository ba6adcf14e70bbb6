"""What a check found, for a person at a terminal."""

from __future__ import annotations

from rich.table import Table

from importer.cli.exit_codes import stdout
from importer.cli.text_views import plain, print_json
from importer.domain.folder_mapping.label_rules import SENTENCES
from importer.domain.reporting.formatting import counted, spoken_bytes, spoken_instant, spoken_span
from importer.domain.reporting.mailbox_check import Check, CheckPhase, FolderCheck, SideCheck
from importer.domain.reporting.report import ExitCode
from providers.errors import GrantExpired, LoginRejected, MasterRefused


def exit_code(check: Check) -> ExitCode:
    """0 when both mailboxes let us in and it fits as far as is known."""
    problems = [side.problem for side in (check.source, check.destination) if side.problem is not None]
    if any(
        problem.code in (LoginRejected.code, MasterRefused.code, GrantExpired.code) for problem in problems
    ):
        return ExitCode.LOGIN
    if problems:
        return ExitCode.WAITING
    return ExitCode.DESTINATION_FULL if check.fits is False else ExitCode.COMPLETE


def show(check: Check, *, as_json: bool = False) -> None:
    """Both mailboxes, the folders, and what a copy would mean."""
    if as_json:
        print_json(check.as_json())
        return
    for name, side in (("old mailbox", check.source), ("new mailbox", check.destination)):
        _side(name, side)
    if check.folders and check.ready:
        stdout.print(_folders(check))
    if check.ready:
        _prospect(check)
    if check.labels is not None:
        stdout.print(f"Labels: {SENTENCES[check.labels]} [dim]--labels chooses.[/]", soft_wrap=True)
    for warning in check.warnings:
        stdout.print(f"[yellow]![/] {plain(warning, 600)}", soft_wrap=True)


def _side(name: str, side: SideCheck) -> None:
    where = f"[bold]{name}[/]  {plain(side.account.address)} at {plain(side.account.endpoint.host)}"
    if side.look is CheckPhase.FAILED:
        stdout.print(
            f"[red]✗[/] {where}: {plain(side.problem.message if side.problem else '', 600)}", soft_wrap=True
        )
        return
    facts = [counted(side.messages, "message"), f"in {counted(side.folders, 'folder')}"]
    if side.size_bytes is not None:
        facts.append(f"{'' if side.exact else 'about '}{spoken_bytes(side.size_bytes)}")
    if side.oldest is not None and side.newest is not None:
        about = "" if side.dates_exact else "about "
        facts.append(f"{about}{side.oldest:%Y-%m-%d} to {side.newest:%Y-%m-%d}")
    if side.quota is not None and side.quota.limit_bytes is not None:
        facts.append(f"{spoken_bytes(max(0, side.quota.limit_bytes - side.quota.used_bytes))} free")
    stdout.print(f"[green]✓[/] {where}: {', '.join(facts)}", soft_wrap=True)


def _folders(check: Check) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("folder", overflow="fold")
    table.add_column("goes to", overflow="fold")
    for column in ("messages", "size", "copied before", "there now"):
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
    return plain("; ".join(notes))


def _prospect(check: Check) -> None:
    wanted = check.to_copy
    stdout.print(
        f"To copy: at most {counted(wanted.messages, 'message')}, {spoken_bytes(wanted.size_bytes)}."
    )
    guess = check.estimate
    if guess is None:
        stdout.print("How long it will take cannot be said beforehand.")
    elif guess.capped_until is not None:
        stdout.print(f"It will take until about {spoken_instant(guess.capped_until)}, {guess.basis}.")
    else:
        stdout.print(f"It will take {spoken_span(guess.low)} to {spoken_span(guess.high)}, {guess.basis}.")
