"""What is wrong with a file, a row, a cell or a form field, and how to fix it, in the reader's language."""

from __future__ import annotations

from importer.domain.csv_import.csv_cells import Refused
from importer.domain.csv_import.csv_reader import RowProblem
from importer.i18n.code_texts import advice, render
from importer.i18n.translations import CatalogTranslator
from providers.catalog import Catalog
from providers.text import Text


def row_problem_json(texts: CatalogTranslator, problem: RowProblem) -> dict[str, object]:
    """`{line, column, rule, message, fix}`."""
    return {
        "line": problem.line,
        "column": problem.column,
        "rule": problem.rule,
        "message": _message(texts, problem.text),
        "fix": advice(problem.text, texts),
    }


def row_problem_text(texts: CatalogTranslator, problem: RowProblem) -> str:
    """The place, what is wrong, and the fix: for lists of problems."""
    place = [texts.gettext("line %(line)s", line=problem.line) if problem.line else texts.gettext("the file")]
    place += [problem.column] if problem.column else []
    return f"{', '.join(place)}: {cell_problem_text(texts, problem.text)}"


def refused_text(texts: CatalogTranslator, refused: Refused) -> str:
    """What is wrong with the field of a form or the argument of a command, and the fix."""
    return cell_problem_text(texts, refused.text)


def cell_problem_text(texts: CatalogTranslator, text: Text) -> str:
    """What is wrong and the fix, where the place is shown already."""
    return f"{_message(texts, text)} {advice(text, texts)}"


def _message(texts: CatalogTranslator, text: Text) -> str:
    """The catalog of providers says why one cannot be imported from, in all languages."""
    if text.public_code == "provider_unavailable":
        provider = Catalog.load().by_id(str(text.params.get("provider", "")))
        if provider is not None:
            return provider.unavailable_in(texts.language)
    return render(text, texts)
