"""Below the front ends no sentence for users is composed: codes and parameters travel, i18n has the words."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BELOW = ("domain", "engine", "service", "adapters", "ports")
SENTENCE = re.compile(r"^[A-Z%“][^\n]* [^\n]* [^\n]*[.:?!]$")
"""A capital letter, at least two blanks and a stop."""

ALLOWED = {
    "importer/adapters/mail": "a front end: composes mails",
    "importer/adapters/store/former_details.py": "recognises the words that events were stored with",
    "importer/adapters/store/former_texts.py": "recognises the sentences that 0.1.0 stored",
    "importer/domain/import_options.py": "the table of options: keys of the catalogs, and help in English",
}
"""File or folder -> why it may. A file that needs no place here any more leaves it."""

MARKED_IN = ("importer/i18n", "importer/cli", "importer/web", "importer/adapters/mail")
"""Where texts are marked for translation, beside the tables in importer/codes."""


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted((ROOT / "importer").rglob("*.py")):
        yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def sentences(module: ast.Module) -> list[str]:
    """Literals that read like sentences, without docstrings and comments below values."""
    documentation = {id(statement.value) for statement in ast.walk(module) if isinstance(statement, ast.Expr)}
    inside = {
        id(part) for node in ast.walk(module) if isinstance(node, ast.JoinedStr) for part in node.values
    }
    found = []
    for node in ast.walk(module):
        text = ""
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            text = node.value
        elif isinstance(node, ast.JoinedStr):
            text = "".join(str(p.value) if isinstance(p, ast.Constant) else "x" for p in node.values)
        if SENTENCE.fullmatch(text) and id(node) not in documentation:
            found.append(text)
    return found


def allowed(path: str) -> bool:
    return any(path == entry or path.startswith(f"{entry}/") for entry in ALLOWED)


def test_below_the_front_ends_no_sentence_is_composed() -> None:
    composed = {
        path: found
        for path, module in modules()
        if path.split("/")[1] in BELOW and not allowed(path) and (found := sentences(module))
    }
    assert composed == {}


def test_every_allowance_is_needed() -> None:
    composing = [path for path, module in modules() if path.split("/")[1] in BELOW and sentences(module)]
    unneeded = {
        entry
        for entry in ALLOWED
        if not any(path == entry or path.startswith(f"{entry}/") for path in composing)
    }
    assert unneeded == set()


def test_texts_are_marked_for_translation_at_the_edge_only() -> None:
    marks = {"gettext", "ngettext", "N_"}
    marked = {
        path
        for path, module in modules()
        if not path.startswith(MARKED_IN)
        for node in ast.walk(module)
        if isinstance(node, ast.Call)
        and (node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")) in marks
    }
    assert marked == set()


@pytest.mark.parametrize(
    ("source", "number"),
    [
        ('raise Refused("Write the whole mail address.")', 1),
        ('text = f"The column {name} is missing."', 1),
        ('"""A docstring. It is none."""\nx = 1\n"""Nor is this one."""', 0),
        ('log.info("leg.failed", code="host_unknown")', 0),
        ('raise ValueError("a name, not a path")', 0),
    ],
)
def test_sentences_are_told_from_other_strings(source: str, number: int) -> None:
    assert len(sentences(ast.parse(source))) == number
