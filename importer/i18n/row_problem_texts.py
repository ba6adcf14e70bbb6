"""Problems of a file, a row, a cell or a form field, with their fixes, in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from importer.domain.csv_import.column_names import HEADER, KNOWN_COLUMNS, header_line, name_in
from importer.domain.csv_import.csv_cells import Refused
from importer.domain.csv_import.sheet import RowProblem, Sheet
from importer.i18n.code_texts import advice, render
from importer.i18n.translations import CatalogTranslator
from providers.catalog import Catalog
from providers.text import Param, Text

NO_HEADINGS: Final[Mapping[str, str]] = MappingProxyType({})


def headings(sheet: Sheet) -> Mapping[str, str]:
    """Column -> its name in the file."""
    return dict(zip(sheet.columns, sheet.headings, strict=False))


def row_problem_json(texts: CatalogTranslator, problem: RowProblem) -> dict[str, object]:
    """`{line, column, rule, message, fix}`."""
    return {
        "line": problem.line,
        "column": problem.column,
        "rule": problem.rule,
        "message": _message(texts, problem.text),
        "fix": advice(problem.text, texts),
    }


def row_problem_text(
    texts: CatalogTranslator, problem: RowProblem, headings: Mapping[str, str] = NO_HEADINGS
) -> str:
    """The place (unless it is the whole file), the problem, and the fix: for lists of problems. Columns have
    their `headings`."""
    place = [texts.gettext("Line %(line)s", line=problem.line)] if problem.line else []
    place += [headings.get(problem.column, problem.column)] if problem.column else []
    said = cell_problem_text(texts, problem.text)
    return f"{', '.join(place)}{texts.colon} {said}" if place else said


def refused_text(texts: CatalogTranslator, refused: Refused) -> str:
    """The problem of a form field or a command's argument, and the fix."""
    return cell_problem_text(texts, refused.text)


def cell_problem_text(texts: CatalogTranslator, text: Text) -> str:
    """The problem and the fix, for front ends that already show the place."""
    text = _with_names(text, texts.language)
    return " ".join(filter(None, (_message(texts, text), advice(text, texts))))


def _with_names(text: Text, language: str) -> Text:
    """The text with columns and the header as in a template of that language."""
    params: dict[str, Param] = {}
    for name, value in text.params.items():
        if value == HEADER:
            params[name] = header_line(language)
        elif name in ("name", "column") and value in KNOWN_COLUMNS:
            params[name] = name_in(language, str(value))
        else:
            params[name] = value
    return Text(text.code, steps=text.steps, **params)


def _message(texts: CatalogTranslator, text: Text) -> str:
    """The catalog of providers has the reason, in all languages, why a provider cannot be imported from."""
    if text.public_code == "provider_unavailable":
        provider = Catalog.load().by_id(str(text.params.get("provider", "")))
        if provider is not None:
            return texts.typeset(provider.unavailable_in(texts.language))
    return render(text, texts)
