"""The problems and notes of a file of mailboxes at a terminal."""

from __future__ import annotations

from rich.text import Text

from importer.cli.exit_codes import stderr, stdout
from importer.cli.text_views import plain
from importer.domain.csv_import.import_rows import PROBLEMS_SHOWN, Parsed
from importer.domain.csv_import.sheet import RowProblem
from importer.i18n.row_problem_texts import headings, row_problem_text
from importer.i18n.translations import CatalogTranslator


def print_row_problems(texts: CatalogTranslator, parsed: Parsed, *, to_stderr: bool = False) -> None:
    """The first PROBLEMS_SHOWN problems of a file, and the number of the others."""
    out = stderr if to_stderr else stdout
    for problem in parsed.problems[:PROBLEMS_SHOWN]:
        out.print(f"[red]✗[/] {_row_problem(texts, parsed, problem)}", soft_wrap=True)
    if (more := len(parsed.problems) - PROBLEMS_SHOWN) > 0:
        problems = texts.ngettext(
            "… and %(num)s more problem (`--annotate` marks all of them)",
            "… and %(num)s more problems (`--annotate` marks all of them)",
            more,
        )
        out.print(Text(problems))


def print_row_notes(texts: CatalogTranslator, parsed: Parsed) -> None:
    """The first PROBLEMS_SHOWN notes about a file, on standard error, and the number of the others."""
    for note in parsed.notes[:PROBLEMS_SHOWN]:
        stderr.print(f"[yellow]![/] {_row_problem(texts, parsed, note)}", soft_wrap=True)
    if (more := len(parsed.notes) - PROBLEMS_SHOWN) > 0:
        stderr.print(Text(texts.ngettext("… and %(num)s more note", "… and %(num)s more notes", more)))


def _row_problem(texts: CatalogTranslator, parsed: Parsed, problem: RowProblem) -> str:
    return plain(row_problem_text(texts, problem, headings(parsed.sheet)), 600)
