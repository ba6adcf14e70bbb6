"""Facts as a person at a terminal wants to see them. All foreign text goes through `plain`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from importer.cli.exit_codes import stderr, stdout
from importer.domain.csv_import.import_rows import Row, RowProblem
from importer.domain.folder_mapping.label_rules import SENTENCES
from importer.domain.model import FolderTally, Import, State
from importer.domain.reporting.explanation import Action, Explanation
from importer.domain.reporting.formatting import counted, printable, spoken_bytes, spoken_instant, spoken_span
from importer.domain.reporting.report import BatchReport, Report
from importer.service.access.owner_consent import Links
from importer.service.imports.submit import RowOutcome, SubmittedRow
from providers.catalog import Catalog
from providers.errors import Side
from providers.provider import Quirk

REFUSALS_SHOWN: Final = 50

_COMMANDS: Final = {
    Action.PAUSE: "pause",
    Action.RESUME: "resume",
    Action.RETRY: "retry",
    Action.CANCEL: "cancel",
    Action.RUN_AGAIN: "retry",
    Action.UNDO: "undo",
}

_STYLES: Final = {
    State.QUEUED: "dim",
    State.RUNNING: "cyan",
    State.WAITING: "yellow",
    State.PAUSED: "yellow",
    State.COMPLETE: "green",
    State.INCOMPLETE: "yellow",
    State.STOPPED: "red",
    State.CANCELLED: "dim",
    State.FAILED: "red",
}


def plain(text: str, max_chars: int = 200) -> str:
    """Foreign text, safe for the terminal and for Rich's markup."""
    return escape(printable(text, max_chars))


def print_json(facts: object) -> None:
    """One JSON value on standard output."""
    print(json.dumps(facts, indent=2, ensure_ascii=False))  # noqa: T201


def why(import_: Import, now: datetime) -> str:
    """Why an import waits or stopped, in one sentence with a time; "" when there is nothing to say."""
    if import_.problem is None:
        return ""
    text = import_.problem.message
    if import_.state is State.WAITING and import_.not_before is not None and import_.not_before > now:
        text += (
            f" Goes on at {spoken_instant(import_.not_before)}, in {spoken_span(import_.not_before - now)}."
        )
    return text


def imports(many: Sequence[Import], title: str = "") -> Table:
    """One line for each import."""
    table = Table(title=title or None, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in ("id", "from", "to", "state", "messages", "copied"):
        table.add_column(
            column, justify="right" if column in ("messages", "copied") else "left", no_wrap=True
        )
    table.add_column("note", overflow="fold")
    now = datetime.now(UTC)
    for import_ in many:
        progress = import_.progress
        reached = (
            f"{progress.messages_done:,} of {progress.messages_total:,}" if progress.folders_total else ""
        )
        note = why(import_, now) or (plain(progress.folder) if import_.state is State.RUNNING else "")
        table.add_row(
            import_.id,
            plain(import_.source.address),
            plain(import_.destination.address),
            Text(import_.state.value, style=_STYLES[import_.state]),
            reached,
            spoken_bytes(progress.bytes_done) if progress.bytes_done else "",
            plain(note, 400),
        )
    return table


def explanation(import_: Import, one: Explanation) -> None:
    """The sentence first, then what follows from it, then the facts."""
    stdout.print(
        f"[bold]{plain(import_.source.address)} → {plain(import_.destination.address)}[/]  "
        f"[dim]{import_.id}[/]  {import_.state.value}",
        soft_wrap=True,
    )
    stdout.print(f"  {plain(one.sentence, 900)}")
    stdout.print(f"  [bold]Next:[/] {plain(one.next, 400)}")
    stdout.print(f"  [bold]To do:[/] {plain(one.advice, 400)}")
    for action in one.actions:
        stdout.print(f"    [cyan]mailhaul {_COMMANDS[action]} {import_.id}[/]")
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for what, value in one.facts:
        table.add_row(f"  {plain(what)}", plain(value, 400))
    stdout.print(table)


def placed(one: SubmittedRow) -> None:
    """What became of one submitted row."""
    where = f"line {one.row.line}: " if one.row.line else ""
    words = {
        RowOutcome.STARTED: "[green]started[/]",
        RowOutcome.DONE: "already complete; nothing to do (start it again with --again to fetch new mail)",
        RowOutcome.UNDER_WAY: "already under way",
        RowOutcome.PASSWORD_UPDATED: "under way, goes on with the new password",
    }
    import_ = one.import_
    stdout.print(
        f"{where}{plain(import_.source.address)} → {plain(import_.destination.address)}  "
        f"[bold]{import_.id}[/]  {words[one.fate]}",
        soft_wrap=True,
    )


def choices(many: Iterable[Import]) -> None:
    """What was chosen for imports, where it means anything."""
    for import_ in many:
        if import_.has_labels:
            stdout.print(f"{import_.id}  labels: {SENTENCES[import_.labels]}", soft_wrap=True)
        if import_.sync_flags:
            stdout.print(f"{import_.id}  flags that changed since an earlier import are brought over")


def links(by_import: Links) -> None:
    """Over which links owners sign in, for whoever wants to hand them on."""
    for import_id, by_side in by_import.items():
        for side, link in by_side.items():
            which = "old" if side is Side.SOURCE else "new"
            stdout.print(
                f"[yellow]…[/] {import_id} waits for the owner of the {which} mailbox to sign in:"
                f" {plain(link)}",
                soft_wrap=True,
            )


def label_rule(rows: Sequence[Row]) -> None:
    """What becomes of labels, before an import from a host that has them begins."""
    catalog = Catalog.load()
    providers = [catalog.for_host(row.source.endpoint.host) for row in rows]
    with_labels = {
        row.labels: provider.name
        for row, provider in zip(rows, providers, strict=True)
        if row.labels is not None and provider is not None and Quirk.LABELS in provider.quirks
    }
    for rule, name in with_labels.items():
        stderr.print(f"Labels at {name}: {SENTENCES[rule]} [dim]--labels chooses.[/]", soft_wrap=True)


def problems(found: Iterable[RowProblem]) -> None:
    """All that is wrong with a file."""
    for problem in found:
        stdout.print(f"[red]✗[/] {plain(str(problem), 600)}", soft_wrap=True)


def report(one: Report, *, as_json: bool = False) -> None:
    """The account of one import."""
    if as_json:
        print_json(one.as_json())
    else:
        stdout.print(_report(one))


def batch_report(many: BatchReport, *, as_json: bool = False) -> None:
    """The account of a batch: each import, then the verdict."""
    if as_json:
        print_json(many.as_json())
        return
    for one in many.reports:
        stdout.print(_report(one))
        stdout.print()
    stdout.print(f"[bold]{plain(many.verdict, 600)}[/]")


def _report(one: Report) -> RenderableType:
    import_ = one.import_
    route = f"{plain(import_.source.address)} → {plain(import_.destination.address)}"
    parts: list[RenderableType] = [
        f"[bold]{route}[/]  [dim]{import_.id}[/]",
        plain(one.verdict, 900),
    ]
    if one.tallies:
        parts.append(_accounts(one))
    if one.refusals:
        parts.append(_refusals(one))
    totals = one.totals
    if import_.has_labels:
        parts.append(f"Labels: {SENTENCES[import_.labels]}")
    if totals.skipped:
        reasons = "; ".join(f"{count:,} {plain(reason)}" for reason, count in totals.skipped.items())
        parts.append(f"Skipped: {reasons}.")
    if elsewhere := [account for account in one.tallies if account.elsewhere]:
        labels = "; ".join(f"{plain(a.source_folder)} {a.elsewhere:,}" for a in elsewhere)
        parts.append(f"With these labels too, and in the folder of another label: {labels}.")
    if totals.keywords_dropped:
        parts.append(
            f"{counted(totals.keywords_dropped, 'keyword')} that the new mailbox cannot store left out."
        )
    if totals.flags_updated:
        parts.append(
            f"{counted(totals.flags_updated, 'message')} got the flags that the old mailbox has by now."
        )
    if totals.confirmed is not None:
        seen = f"Recounted: {totals.confirmed:,} of {counted(totals.copied, 'copy', 'copies')} seen there."
        parts.append(seen)
    if one.duration is not None:
        parts.append(f"Took {spoken_span(one.duration)}, {spoken_bytes(totals.copied_bytes)}.")
    return Group(*parts)


def _accounts(one: Report) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("folder", overflow="fold")
    table.add_column("goes to", overflow="fold")
    for column in ("found", "= copied", "+ already there", "+ duplicate", "+ skipped", "+ failed"):
        table.add_column(column, justify="right", no_wrap=True)
    for account in one.tallies:
        table.add_row(plain(account.source_folder), plain(account.destination_folder), *_numbers(account))
    totals = one.totals
    sums = (
        totals.found,
        totals.copied,
        totals.present,
        totals.duplicate,
        totals.skipped_total,
        totals.failed,
    )
    table.add_row("[bold]all[/]", "", *(f"[bold]{number:,}[/]" for number in sums))
    return table


def _numbers(tally: FolderTally) -> Iterable[str]:
    numbers = (
        tally.found,
        tally.copied,
        tally.present,
        tally.duplicate,
        tally.skipped_total,
        tally.failed,
    )
    return (f"{number:,}" if number else "[dim]·[/]" for number in numbers)


def _refusals(one: Report) -> Table:
    table = Table(
        title="Could not be copied", title_justify="left", box=None, pad_edge=False, header_style="bold"
    )
    for column in ("folder", "date", "subject", "size", "why"):
        table.add_column(column, overflow="fold")
    for refusal in one.refusals[:REFUSALS_SHOWN]:
        size = spoken_bytes(refusal.size_bytes) if refusal.size_bytes else ""
        subject = plain(refusal.subject, 80) if refusal.uid else "[dim]the whole folder[/]"
        table.add_row(plain(refusal.folder), plain(refusal.date, 40), subject, size, plain(refusal.reason))
    if len(one.refusals) > REFUSALS_SHOWN:
        table.add_row(f"… and {len(one.refusals) - REFUSALS_SHOWN:,} more (--csv has them all)")
    return table
