"""Output for a terminal. All foreign text passes through `plain`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from importer.cli.exit_codes import stderr, stdout
from importer.domain.csv_import.csv_reader import RowProblem
from importer.domain.csv_import.import_rows import PROBLEMS_SHOWN, Row
from importer.domain.import_options import ImportOptions
from importer.domain.model import FolderTally, Import, Phase, State
from importer.domain.reporting.explanation import Action, Explanation
from importer.domain.reporting.formatting import (
    counted,
    printable,
    spoken_bytes,
    spoken_span,
)
from importer.domain.reporting.report import BatchReport, Report
from importer.domain.reporting.totals import Totals
from importer.i18n.alert_texts import alert_texts
from importer.i18n.change_texts import change_texts
from importer.i18n.explanation_texts import explanation_texts
from importer.i18n.option_texts import chosen_options, word_sentences
from importer.i18n.outcome_texts import batch_text, outcome_text
from importer.i18n.phase_texts import phase_text
from importer.i18n.problem_texts import import_problem, quoting
from importer.i18n.reason_texts import reason
from importer.i18n.report_json import batch_json, report_json
from importer.i18n.row_problem_texts import row_problem_text
from importer.i18n.translations import CatalogTranslator
from importer.service.access.owner_consent import Links
from importer.service.imports.submit import RowOutcome, SubmittedRow
from providers.catalog import Catalog
from providers.errors import Side
from providers.provider import Quirk

MAX_REFUSALS: Final = 50

_UNPRINTABLE: Final = re.compile(
    # C1 controls and DEL; zero-width and direction marks, separators, other formats; lone surrogates
    "[\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f\ud800-\udfff]"
)

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
    """Foreign text, escaped for the terminal and for Rich's markup."""
    return escape(printable(text, max_chars))


def print_json(facts: object) -> None:
    """One JSON value on standard output. Characters that could steer a terminal are escaped (`\\u009b`); a
    program that reads it sees no difference."""
    print(_UNPRINTABLE.sub(_escaped, json.dumps(facts, indent=2, ensure_ascii=False)))  # noqa: T201


def _escaped(match: re.Match[str]) -> str:
    return json.dumps(match[0])[1:-1]


def wait_reason(texts: CatalogTranslator, import_: Import, now: datetime) -> str:
    """Why an import waits or has stopped, with the time when it resumes; "" if it does neither."""
    if import_.problem is None:
        return ""
    problem = quoting(texts, import_problem(texts, import_), import_.problem)
    if import_.state is State.WAITING and import_.not_before is not None and import_.not_before > now:
        until = texts.moment(import_.not_before)
        return f"{texts.gettext('Waiting until %(instant)s.', instant=until)} {problem}"
    return problem


def running_note(texts: CatalogTranslator, import_: Import) -> str:
    """What a running import does: its folder while it copies, its phase otherwise; "" for one that is not."""
    copying = import_.state is State.RUNNING and import_.progress.phase is Phase.COPYING
    return (copying and import_.progress.folder) or phase_text(texts, import_)


def imports_table(texts: CatalogTranslator, imports: Sequence[Import], now: datetime) -> Table:
    """One row for each import; in 80 columns, only the addresses and the note wrap."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("id", "state", "messages", "copied"):
        table.add_column(
            column, justify="right" if column in ("messages", "copied") else "left", no_wrap=True
        )
    table.add_column("from → to", overflow="fold")
    for import_ in imports:
        progress = import_.progress
        note = wait_reason(texts, import_, now) or running_note(texts, import_)
        table.add_row(
            import_.id,
            Text(import_.state.value, style=_STYLES[import_.state]),
            f"{progress.messages_done:,} of {progress.messages_total:,}" if progress.folders_total else "",
            spoken_bytes(progress.bytes_done) if progress.bytes_done else "",
            f"{_addresses(import_)}\n{plain(note, 400)}" if note else _addresses(import_),
        )
    return table


def print_explanation(texts: CatalogTranslator, import_: Import, explanation: Explanation) -> None:
    """The sentence first, then what follows from it, then the facts."""
    words = explanation_texts(texts, explanation)
    following, to_do = texts.gettext("Next:"), texts.gettext("To do:")
    stdout.print(f"{_heading(import_)}  {import_.state.value}", soft_wrap=True)
    stdout.print(f"  {plain(words.sentence, 900)}")
    stdout.print(f"  [bold]{following}[/] {plain(words.next, 400)}")
    stdout.print(f"  [bold]{to_do}[/] {plain(words.advice, 400)}")
    for action in explanation.actions:
        stdout.print(f"    [cyan]mailhaul {_COMMANDS[action]} {import_.id}[/]")
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in words.facts:
        table.add_row(f"  {plain(name)}", plain(value, 400))
    stdout.print(table)


def print_submitted_row(submitted: SubmittedRow) -> None:
    """The outcome of one submitted row."""
    line = f"line {submitted.row.line}: " if submitted.row.line else ""
    outcomes = {
        RowOutcome.STARTED: "[green]started[/]",
        RowOutcome.DONE: "already complete; nothing to do (--again starts it again, to copy new mail)",
        RowOutcome.UNDER_WAY: "already under way",
        RowOutcome.PASSWORD_UPDATED: "under way, continues with the new password",
    }
    import_ = submitted.import_
    stdout.print(
        f"{line}{_addresses(import_)}  [bold]{import_.id}[/]  {outcomes[submitted.outcome]}",
        soft_wrap=True,
    )


def print_choices(texts: CatalogTranslator, imports: Iterable[Import]) -> None:
    """The choices made for each import, as far as they have an effect."""
    for import_ in imports:
        if import_.has_labels:
            stdout.print(f"{import_.id}  labels: {_label_rule(texts, import_.options)}", soft_wrap=True)
        for title, value in chosen_options(texts, import_.options):
            stdout.print(f"{import_.id}  {title}: {plain(value, 400)}", soft_wrap=True)


def _label_rule(texts: CatalogTranslator, import_options: ImportOptions) -> str:
    return word_sentences(texts, "labels", import_options.labels)


def print_consent_links(links: Links) -> None:
    """The links with which owners sign in, for the operator to forward."""
    for import_id, by_side in links.items():
        for side, link in by_side.items():
            mailbox = "old" if side is Side.SOURCE else "new"
            stdout.print(
                f"[yellow]…[/] {import_id} waits for the owner of the {mailbox} mailbox to sign in:"
                f" {plain(link)}",
                soft_wrap=True,
            )


def print_label_rules(texts: CatalogTranslator, rows: Sequence[Row], import_options: ImportOptions) -> None:
    """How labels are handled, before an import from a host that has them begins."""
    catalog = Catalog.load()
    providers = [catalog.for_host(row.source.endpoint.host) for row in rows]
    rules = {
        import_options.choose(row.choices).labels: provider.name
        for row, provider in zip(rows, providers, strict=True)
        if provider is not None and Quirk.LABELS in provider.quirks
    }
    for rule, name in rules.items():
        stderr.print(
            f"Labels at {name}: {word_sentences(texts, 'labels', rule)} [dim]--labels chooses.[/]",
            soft_wrap=True,
        )


def print_row_problems(texts: CatalogTranslator, problems: Sequence[RowProblem]) -> None:
    """The first PROBLEMS_SHOWN problems of a file, and how many more there are."""
    for problem in problems[:PROBLEMS_SHOWN]:
        stdout.print(f"[red]✗[/] {plain(row_problem_text(texts, problem), 600)}", soft_wrap=True)
    if (more := len(problems) - PROBLEMS_SHOWN) > 0:
        stdout.print(f"… and {counted(more, 'more problem')} (--annotate marks all of them)")


def print_report(texts: CatalogTranslator, report: Report, *, as_json: bool = False) -> None:
    """The report of one import."""
    if as_json:
        print_json(report_json(texts, report))
    else:
        stdout.print(_report(texts, report))


def print_batch_report(texts: CatalogTranslator, batch: BatchReport, *, as_json: bool = False) -> None:
    """The report of a batch: each import, then the verdict."""
    if as_json:
        print_json(batch_json(texts, batch))
        return
    for report in batch.reports:
        stdout.print(_report(texts, report))
        stdout.print()
    stdout.print(f"[bold]{plain(batch_text(texts, batch), 600)}[/]")


def _report(texts: CatalogTranslator, report: Report) -> RenderableType:
    parts: list[RenderableType] = [_heading(report.import_), plain(outcome_text(texts, report.outcome), 900)]
    if report.tallies:
        parts.append(_tally_table(report))
    if report.refusals:
        parts.append(_refusal_table(texts, report))
    return Group(*parts, *_remarks(texts, report))


def _heading(import_: Import) -> str:
    return f"[bold]{_addresses(import_)}[/]  [dim]{import_.id}[/]"


def _addresses(import_: Import) -> str:
    return f"{plain(import_.source.address)} → {plain(import_.destination.address)}"


def _remarks(texts: CatalogTranslator, report: Report) -> Iterator[str]:
    """The lines below the tables of a report."""
    totals = report.totals
    if report.import_.has_labels:
        yield f"Labels: {_label_rule(texts, report.import_.options)}"
    for title, value in chosen_options(texts, report.import_.options):
        yield f"{title}: {plain(value, 400)}"
    if totals.skipped:
        reasons = "; ".join(f"{count:,} {plain(reason(texts, why))}" for why, count in totals.skipped.items())
        yield f"Skipped: {reasons}."
    if elsewhere := [tally for tally in report.tallies if tally.elsewhere]:
        labels = "; ".join(f"{plain(tally.source_folder)} {tally.elsewhere:,}" for tally in elsewhere)
        yield f"Also with these labels, but copied into the folder of another label: {labels}."
    if totals.keywords_dropped:
        keywords = counted(totals.keywords_dropped, "keyword")
        yield f"{keywords} left out, which the new mailbox cannot store."
    if totals.recognised:
        messages = counted(totals.recognised, "message")
        yield f"{messages} already there recognised, though changed by another program."
    yield from change_texts(texts, totals.changes).values()
    import_ = report.import_
    yield from map(plain, alert_texts(texts, import_.alerts, import_.source, import_.destination))
    if totals.flags_updated:
        messages = counted(totals.flags_updated, "message")
        yield f"{messages} got the flags that the old mailbox has by now."
    if totals.copied and totals.confirmed is not None:
        copies = counted(totals.copied, "copy", "copies")
        yield f"Recounted: {totals.confirmed:,} of {copies} found in the new mailbox."
    if report.duration is not None:
        yield f"Took {spoken_span(report.duration)}, {spoken_bytes(totals.copied_bytes)}."


def _tally_table(report: Report) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("folder", overflow="fold")
    table.add_column("goes to", overflow="fold")
    gone, to_do = bool(report.totals.gone), bool(report.totals.still_to_do)
    for column in (
        "found",
        "= copied",
        "+ already\nthere",
        *(["+ no longer\nthere"] if gone else []),
        "+ dupli-\ncate",
        "+ skipped",
        "+ failed",
        *(["+ still\nto do"] if to_do else []),
    ):
        table.add_column(column, justify="right", no_wrap=True)
    for tally in report.tallies:
        numbers = (
            f"{number:,}" if number else "[dim]·[/]" for number in _numbers(tally, gone=gone, to_do=to_do)
        )
        table.add_row(plain(tally.source_folder), plain(tally.destination_folder), *numbers)
    table.add_row(
        "[bold]all[/]",
        "",
        *(f"[bold]{number:,}[/]" for number in _numbers(report.totals, gone=gone, to_do=to_do)),
    )
    return table


def _numbers(tally: FolderTally | Totals, *, gone: bool, to_do: bool) -> tuple[int, ...]:
    """Those of the columns: found is the sum of the others."""
    return (
        tally.found,
        tally.copied,
        tally.present,
        *([tally.gone] if gone else []),
        tally.duplicate,
        tally.skipped_total,
        tally.failed,
        *([tally.still_to_do] if to_do else []),
    )


def _refusal_table(texts: CatalogTranslator, report: Report) -> Table:
    table = Table(
        title="Could not be copied", title_justify="left", box=None, pad_edge=False, header_style="bold"
    )
    for column in ("folder", "date", "subject", "size", "reason"):
        table.add_column(column, overflow="fold")
    for refusal in report.refusals[:MAX_REFUSALS]:
        size = spoken_bytes(refusal.size_bytes) if refusal.size_bytes else ""
        subject = plain(refusal.subject, 80) if refusal.uid else "[dim]the whole folder[/]"
        table.add_row(
            plain(refusal.folder),
            plain(refusal.date, 40),
            subject,
            size,
            plain(reason(texts, refusal.reason)),
        )
    if len(report.refusals) > MAX_REFUSALS:
        table.add_row(f"… and {len(report.refusals) - MAX_REFUSALS:,} more (--csv lists all)")
    return table
