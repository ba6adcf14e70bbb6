"""The console speaks the reader's language: what it shows passes through gettext or has a code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from babel.messages.extract import extract_from_dir

from importer.cli import argument_texts
from importer.cli.click_texts import CLICK_PLURALS, CLICK_TEXTS
from importer.cli.command_table import console
from importer.cli.exit_codes import run
from importer.i18n.translations import LANGUAGES

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


# --- Click, and errors of the installation ---

FOR_PROGRAMMERS = {
    "(dynamic)",
    "%(prog)s, version %(version)s",
    "Argument {name!r} takes {nargs} values.",
    "Arguments take exactly one parameter declaration, got {length}: {decls}.",
    "Boolean option {decl!r} cannot use the same flag for true/false.",
    "Choice({choices})",
    "Could not determine name for option with declarations {decls!r}",
    "Invalid start character for option ({option})",
    "Name '{name}' defined twice",
    "No options defined but a name was passed ({name}). Did you mean to declare an argument instead? Did you"
    " mean to pass '--{name}'?",
    "Unknown color {colour!r}",
    "Unknown standard stream '{name}'",
    "Value must be an iterable.",
}
NOT_HERE = {
    # Kinds of parameters, commands and prompts that this console does not have.
    "Choose from:\n\t{choices}",
    "Confirm the action without prompting.",
    "Could not open file {filename!r}: {message}",
    "DeprecationWarning: The command {name!r} is deprecated.{extra_message}",
    "DeprecationWarning: The {param_type} {name!r} is deprecated.{extra_message}",
    "Do you want to continue?",
    "Error: The two entered values do not match.",
    "Error: invalid input",
    "Error: {message}",
    "Missing parameter",
    "Missing parameter: {param_name}",
    "Missing {param_type}",
    "Press any key to continue...",
    "Repeat for confirmation",
    "Show the version and exit.",
    ("Takes {nargs} values but 1 was given.", "Takes {nargs} values but {len} were given."),
    "deprecated",
    "directory",
    "env var: {var}",
    "file",
    "path",
    "unknown error",
    "{name} {filename!r} does not exist.",
    "{name} {filename!r} is a directory.",
    "{name} {filename!r} is a file.",
    "{name} {filename!r} is not executable.",
    "{name} {filename!r} is not readable.",
    "{name} {filename!r} is not writable.",
    (
        "{len_type} values are required, but {len_value} was given.",
        "{len_type} values are required, but {len_value} were given.",
    ),
    ("{value!r} does not match the format {format}.", "{value!r} does not match the formats {formats}."),
    "{value!r} is not a valid UUID.",
    "{value!r} is not a valid boolean. Recognized values: {states}",
    # Printed by Click's standalone mode, in which the console does not run.
    "Aborted!",
    "Try '{command} {option}' for help.",
}
ELSEWHERE = ("_termui_impl.py", "_winconsole.py", "shell_completion.py")
"""Files of Click for editors, Windows and the set-up of a shell."""


def test_every_text_of_click_that_is_shown_is_translated() -> None:
    keywords = {"_": None, "ngettext": (1, 2)}
    folder = str(Path(click.__file__).parent)
    marked = {
        text
        for file, _, text, _, _ in extract_from_dir(folder, [("**.py", "python")], keywords=keywords)
        if file not in ELSEWHERE
    }
    known = CLICK_TEXTS | CLICK_PLURALS | FOR_PROGRAMMERS | NOT_HERE
    assert marked - known == set(), (
        "name them in importer/cli/click_texts.py, or here if no command shows them"
    )
    assert marked >= CLICK_TEXTS | CLICK_PLURALS


MISTAKES: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "command": (("lst",), {}),
    "option": (("list", "--ownr", "x"), {}),
    "missing option": (("copy",), {}),
    "missing argument": (("show",), {}),
    "further argument": (("drain", "now"), {}),
    "choice": (("list", "--state", "odd"), {}),
    "language": (("list", "--language", "xx"), {}),
    "number": (("list", "--limit", "many"), {}),
    "range": (("list", "--limit", "0"), {}),
    "value for a flag": (("list", "--json=yes"), {}),
    "option without its value": (("list", "--state"), {}),
    "import option": (("copy", "--from", "a@old.example", "--to", "b@new.example", "--since", "x"), {}),
    "settings": (("doctor",), {"LANES": "99", "WEB_LISTEN": "x", "KEEP_PASSWORDS_DAYS": "99"}),
    "hidden setting": (("doctor",), {"OPENID_CLIENT_SECRET": "hunter2"}),
    "option's setting": (("list",), {"SINCE": "x", "FOLDERS": "!", "SYNC_FLAGS": "perhaps"}),
    "provider's setting": (("list",), {"MICROSOFT_TENANT": "a b", "GOOGLE_CLIENT_ID": "x"}),
    "secret files": (("list",), {"SECRETS_DIR": "/nonexistent"}),
    "key": (("list",), {"SECRET_KEY": "hunter2"}),
    "key file": (("list",), {"SECRET_KEY_FILE": "/nonexistent"}),
    "data folder": (("list",), {"DATA": "/proc/mailhaul"}),
    "page address": (("web",), {"WEB_LISTEN": "192.0.2.1:8025", "DESTINATION_SERVER": "imaps://a.example"}),
    "database": (("list",), {"DATABASE_URL": "postgresql://127.0.0.1:1/x"}),
}


def said(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    mistake: str,
    language: str,
) -> list[str]:
    """The lines on stderr after a mistake; its values are left out."""
    arguments, variables = MISTAKES[mistake]
    monkeypatch.setattr("sys.argv", ["mailhaul", *arguments])
    monkeypatch.setenv("MAILHAUL_LANGUAGE", language)
    for name, value in variables.items():
        monkeypatch.setenv(f"MAILHAUL_{name}", value)
    assert run(console) == 2
    return capsys.readouterr().err.splitlines()


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_at_the_console_is_explained_in_the_language_of_the_reader(
    mistake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MAILHAUL_DATA", str(tmp_path))
    english = said(monkeypatch, capsys, mistake, "en")
    assert english
    for language in sorted({*LANGUAGES, "de-CH"} - {"en"}):
        translated = said(monkeypatch, capsys, mistake, language)
        assert len(translated) == len(english)
        same = [line for line in translated if line in english]
        assert same == [], language
        assert "hunter2" not in " ".join(translated)


@pytest.mark.parametrize("language", sorted(set(LANGUAGES) - {"en"}))
def test_the_headings_of_help_are_translated(
    language: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MAILHAUL_LANGUAGE", language)
    monkeypatch.setattr("sys.argv", ["mailhaul", "evidence", "--help"])
    assert run(console) == 0
    shown = capsys.readouterr().out
    assert not re.search(r"^(?:Usage|Commands):|Show this message and exit", shown, re.MULTILINE)


def test_the_language_on_the_command_line_counts_behind_a_mistake_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in (
        ["--nope", "--language", "de"],
        ["--nope", "--language=de"],
        ["--language", "de", "--nope"],
    ):
        monkeypatch.setattr("sys.argv", ["mailhaul", "list", *arguments])
        assert run(console) == 2
        assert "gibt es nicht" in capsys.readouterr().err
