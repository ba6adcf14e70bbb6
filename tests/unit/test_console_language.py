"""The console speaks the reader's language: what it shows passes through gettext or has a code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from importer.cli import argument_texts

CONSOLE = Path(argument_texts.__file__).parent
TRANSLATED = {"gettext", "ngettext", "N_"}
SHOWN_BY = {
    "Group",
    "Text",
    "Usage",
    "add_column",
    "add_row",
    "add_task",
    "append",
    "assemble",
    "confirm",
    "echo",
    "print",
    "prompt",
    "status",
    "update",
}
"""Calls whose literal arguments are shown as they are."""
NOT_SHOWN = {"help", "metavar", "epilog", "short_help", "style", "detail"}
"""Arguments that describe a command, in English like docs/cli.md; styles; what the audit trail notes."""
MEND = (
    'These literals reach a German reader in English. Wrap each in words.gettext("…") (words.ngettext for a'
    " number, N_ in a table of heads), with `words = texts(settings.language, settings.time_zone)`; then run"
    " `python -m tests.texts` and fill in the four catalogs. What is decided below the console is a Text with"
    " a row in importer/codes, which importer.i18n.code_texts.render says."
)

_MARKUP = re.compile(r"\[/?[a-z ]*\]|\[env: \w+|`[^`]*`|mailhaul( [a-z]+)?|--[a-z-]+|SHA-256")
"""Markup, commands, options and names that every language writes alike."""
_WORD = re.compile(r"[^\W\d_]{2,}")
_PHRASE = re.compile(r"[^\W\d_]{2,}[,:;]? +[^\W\d_]{2,}")


def untranslated(module: ast.Module) -> list[str]:
    """Literals that people would read in English: phrases anywhere, and single words that a call shows."""
    exempt = {id(node) for node in _exempt(module)}
    shown = {id(node) for node in _shown(module)}
    found = []
    for node in ast.walk(module):
        if id(node) in exempt or not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        text = _MARKUP.sub("", node.value)
        if _PHRASE.search(text) or (id(node) in shown and _WORD.search(text)):
            found.append(node.value)
    return found


def _exempt(module: ast.Module) -> Iterator[ast.AST]:
    """Documentation, NOT_SHOWN, texts that are translated, and everything inside of these."""
    for node in ast.walk(module):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value
        elif isinstance(node, ast.Call):
            if _name(node) in TRANSLATED:
                yield from (part for argument in node.args for part in ast.walk(argument))
            yield from (part for k in node.keywords if k.arg in NOT_SHOWN for part in ast.walk(k.value))


def _shown(module: ast.Module) -> Iterator[ast.AST]:
    """The literals that stand in an argument of a call that shows it, or in a list that is looped over."""
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and _name(node) in SHOWN_BY:
            for argument in node.args:
                yield from _literals(argument)
        elif isinstance(node, ast.For | ast.comprehension) and isinstance(node.iter, ast.Tuple | ast.List):
            yield from (part for element in node.iter.elts for part in _literals(element))


def _literals(node: ast.AST) -> Iterator[ast.AST]:
    """Constants of an expression, but not those inside of its calls, indices and comparisons."""
    if isinstance(node, ast.Constant):
        yield node
    elif isinstance(node, ast.JoinedStr | ast.BinOp | ast.IfExp | ast.Tuple | ast.List):
        for part in ast.iter_child_nodes(node):
            yield from _literals(part)


def _name(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


@pytest.mark.parametrize("path", sorted(CONSOLE.glob("*.py")), ids=lambda path: path.stem)
def test_what_the_console_says_is_translated(path: Path) -> None:
    module = ast.parse(path.read_text(encoding="utf-8"))
    assert untranslated(module) == [], MEND


@pytest.mark.parametrize(
    ("source", "number"),
    [
        ('stdout.print("No tokens.")', 1),
        ('stdout.print(f"[bold]{name}[/] stays")', 1),
        ('raise Usage(f"{option}: no server for {mailbox}")', 1),
        ('table.add_column("folder")', 1),
        ('for column in ("id", "name"):\n    table.add_column(column)', 2),
        ('message = "is not readable"', 1),
        ('stdout.print(words.gettext("No tokens."))', 0),
        ('stdout.print(words.ngettext("%(num)s row", "%(num)s rows", 1))', 0),
        ('HEADS = (N_("found here"),)', 0),
        ('"""A docstring of the module."""', 0),
        ('click.option("--all", help="End all sessions.")', 0),
        ('stdout.print(f"    mailhaul {command} {id_}", style="cyan")', 0),
        ('log.info("leg.failed", code="host_unknown")', 0),
    ],
)
def test_what_is_shown_is_told_from_other_strings(source: str, number: int) -> None:
    assert len(untranslated(ast.parse(source))) == number
