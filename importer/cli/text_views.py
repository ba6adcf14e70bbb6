"""Output for a terminal. All foreign text passes through `plain`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Final

from rich.markup import escape
from rich.table import Table

from importer.cli.exit_codes import stderr, stdout
from importer.domain.csv_import.csv_reader import RowProblem
from importer.domain.csv_import.import_rows import PROBLEMS_SHOWN, Parsed, Row
from importer.domain.import_options import ImportOptions
from importer.domain.model import Import
from importer.domain.reporting.explanation import Action, Explanation
from importer.domain.reporting.formatting import (
    counted,
    printable,
)
from importer.i18n.explanation_texts import explanation_texts
from importer.i18n.option_texts import chosen_options, word_sentences
from importer.i18n.row_problem_texts import headings, row_problem_text
from importer.i18n.translations import CatalogTranslator
from importer.service.access.owner_consent import Links
from importer.service.imports.submit import RowOutcome, SubmittedRow
from providers.catalog import Catalog
from providers.errors import Side
from providers.provider import Quirk

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


def plain(text: str, max_chars: int = 200) -> str:
    """Foreign text, escaped for the terminal and for Rich's markup."""
    return escape(printable(text, max_chars))


def print_json(facts: object) -> None:
    """One JSON value on standard output. Characters that could steer a terminal are escaped (`\\u009b`); a
    program that reads it sees no difference."""
    print(_UNPRINTABLE.sub(_escaped, json.dumps(facts, indent=2, ensure_ascii=False)))  # noqa: T201


def _escaped(match: re.Match[str]) -> str:
    return json.dumps(match[0])[1:-1]


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


def print_row_problems(texts: CatalogTranslator, parsed: Parsed, *, to_stderr: bool = False) -> None:
    """The first PROBLEMS_SHOWN problems of a file, and how many more there are."""
    out = stderr if to_stderr else stdout
    for problem in parsed.problems[:PROBLEMS_SHOWN]:
        out.print(f"[red]✗[/] {_row_problem(texts, parsed, problem)}", soft_wrap=True)
    if (more := len(parsed.problems) - PROBLEMS_SHOWN) > 0:
        out.print(f"… and {counted(more, 'more problem')} (--annotate marks all of them)")


def print_row_notes(texts: CatalogTranslator, parsed: Parsed) -> None:
    """The first PROBLEMS_SHOWN notes about a file, on standard error, and how many more there are."""
    for note in parsed.notes[:PROBLEMS_SHOWN]:
        stderr.print(f"[yellow]![/] {_row_problem(texts, parsed, note)}", soft_wrap=True)
    if (more := len(parsed.notes) - PROBLEMS_SHOWN) > 0:
        stderr.print(f"… and {counted(more, 'more note')}")


def _row_problem(texts: CatalogTranslator, parsed: Parsed, problem: RowProblem) -> str:
    return plain(row_problem_text(texts, problem, headings(parsed.sheet)), 600)


def _heading(import_: Import) -> str:
    return f"[bold]{_addresses(import_)}[/]  [dim]{import_.id}[/]"


def _addresses(import_: Import) -> str:
    return f"{plain(import_.source.address)} → {plain(import_.destination.address)}"
