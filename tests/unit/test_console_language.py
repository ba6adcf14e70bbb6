"""The console speaks the reader's language: what it shows passes through gettext or has a code."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from babel.messages.extract import extract_from_dir

from importer.cli import argument_texts
from importer.cli.click_texts import CLICK_PLURALS, CLICK_TEXTS
from importer.cli.command_table import console
from importer.cli.console_actor import console_actor
from importer.cli.console_language import language_of
from importer.cli.exit_codes import EXIT_CODES, run
from importer.cli.help_texts import help_texts
from importer.domain.reporting.report import ExitCode
from importer.i18n.translations import LANGUAGES
from importer.settings import Settings
from tests.texts import catalog_of

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
NOT_SHOWN = {"metavar", "style"}
"""Names in capitals, the same in every language; styles."""
MEND = (
    'These literals reach a German reader in English. Wrap each in words.gettext("…") (words.ngettext for a'
    " number, N_ in a table of heads), with `words = console_texts(settings)`; then run"
    " `python -m tests.texts` and fill in the four catalogs. What is decided below the console is a Text with"
    " a row in importer/codes, which importer.i18n.code_texts.render says. Help (`help=`, the docstring of a"
    " command) needs no mark: `python -m tests.texts` finds it. A value in it stands in a bracket at its end."
)
TRANSLATIONS = sorted(set(LANGUAGES) - {"en"})
CATALOGS = [catalog_of(language) for language in TRANSLATIONS]
IN_CATALOGS = {m.id for m in CATALOGS[0] if m.id and all(catalog[m.id].string for catalog in CATALOGS)}
"""The texts that every catalog translates."""

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
    """Documentation, NOT_SHOWN, texts that are translated, and everything inside of these; codes of texts."""
    has_codes = any(isinstance(n, ast.ImportFrom) and n.module == "providers.text" for n in ast.walk(module))
    english = {
        id(docstring)
        for docstring in _docstrings_of_commands(module)
        if not _in_catalogs(docstring, docstring=True)
    }
    for node in ast.walk(module):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            if id(node.value) not in english:
                yield node.value
        elif isinstance(node, ast.Call):
            if _name(node) in TRANSLATED:
                yield from (part for argument in node.args for part in ast.walk(argument))
            yield from (part for k in node.keywords if _not_shown(k) for part in ast.walk(k.value))
            if has_codes and _name(node) == "Text":
                yield from node.args[:1]


def _not_shown(argument: ast.keyword) -> bool:
    return argument.arg in NOT_SHOWN or (argument.arg == "help" and _in_catalogs(argument.value))


def _docstrings_of_commands(module: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(module):
        match node:
            case ast.FunctionDef(body=[ast.Expr(ast.Constant(str()) as docstring), *_]):
                decorators = (d.func if isinstance(d, ast.Call) else d for d in node.decorator_list)
                if any(isinstance(d, ast.Attribute) and d.attr in ("command", "group") for d in decorators):
                    yield docstring


def _in_catalogs(node: ast.AST, *, docstring: bool = False) -> bool:
    """Whether each text of a help is translated; a formatted value may stand in the bracket at its end."""
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    text = "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in parts)
    option = click.Option(["--any"], help=text)
    command = click.Command("any", help=text) if docstring else click.Command("any", params=[option])
    return IN_CATALOGS.issuperset(help_texts(command))


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
        ('click.option("--all", help="End all sessions.")', 1),
        ('click.option("--all", help="End the sessions of all people.")', 0),
        ('click.option("--day", help=f"The last day of {month}.")', 1),
        ("""click.option("--state", help=f"Only the imports of this batch. [{', '.join(State)}]")""", 0),
        ('click.argument("file", help="Evidence file. [env: FILE]")', 0),
        ('@click.command\ndef go() -> None:\n    """Copy everything now."""', 1),
        ('@token.command("list")\ndef go() -> None:\n    """Create a token.\n\n    And another one."""', 1),
        ('@click.group(cls=Any)\ndef go() -> None:\n    """Create a token."""', 0),
        ('def go() -> None:\n    """Copy everything now."""', 0),
        ('stdout.print(f"    mailhaul {command} {id_}", style="cyan")', 0),
        ('log.info("leg.failed", code="host_unknown")', 0),
        ('from providers.text import Text\nnote = Text("no_token")', 0),
        ('from rich.text import Text\nnote = Text("failed")', 1),
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


@pytest.mark.parametrize("language", TRANSLATIONS)
def test_the_headings_of_help_are_translated(
    language: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MAILHAUL_LANGUAGE", language)
    monkeypatch.setattr("sys.argv", ["mailhaul", "evidence", "--help"])
    assert run(console) == 0
    shown = capsys.readouterr().out
    assert not re.search(r"^(?:Usage|Commands):|Show this message and exit", shown, re.MULTILINE)


def commands(command: click.Command, *path: str) -> Iterator[tuple[str, ...]]:
    """The words of each command, with those of the groups above it."""
    yield path
    if isinstance(command, click.Group):
        ctx = click.Context(command)
        for name in command.list_commands(ctx):
            below = command.get_command(ctx, name)
            assert below is not None
            yield from commands(below, *path, name)


def help_of(
    path: tuple[str, ...], language: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> str:
    """Its help without line breaks."""
    monkeypatch.setenv("MAILHAUL_LANGUAGE", language)
    monkeypatch.setattr("sys.argv", ["mailhaul", *path, "--help"])
    assert run(console) == 0
    return " ".join(capsys.readouterr().out.split())


def named(path: tuple[str, ...]) -> click.Command:
    command: click.Command = console
    for name in path:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), name)
        assert found is not None
        command = found
    return command


@pytest.mark.parametrize("path", list(commands(console)), ids=" ".join)
def test_the_help_of_a_command_is_in_the_language_of_the_reader(
    path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = help_of(path, "en", monkeypatch, capsys)
    english = [text for text in help_texts(named(path)) if text in shown]
    assert len(english) > 1
    for language in TRANSLATIONS:
        shown = help_of(path, language, monkeypatch, capsys)
        assert [text for text in english if text in shown] == [], language


def test_the_help_says_what_each_exit_code_means(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert list(EXIT_CODES) == list(ExitCode)
    assert "4 the destination is full" in help_of((), "en", monkeypatch, capsys)
    assert "4 das neue Postfach ist voll" in help_of((), "de", monkeypatch, capsys)


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


# --- The language of the shell ---


@pytest.mark.parametrize(
    ("environment", "tag"),
    [
        ({}, ""),
        ({"LANG": "de_DE.UTF-8"}, "de"),
        ({"LANG": "de_CH.UTF-8"}, "de-CH"),
        ({"LANG": "fr_FR@euro"}, "fr"),
        ({"LANG": "en_GB"}, "en-GB"),
        ({"LANG": "C.UTF-8"}, ""),
        ({"LANG": "POSIX", "LANGUAGE": "de"}, ""),
        ({"LANGUAGE": "de"}, ""),
        ({"LANG": "de_DE", "LC_MESSAGES": "it_IT"}, "it"),
        ({"LANG": "de_DE", "LC_MESSAGES": "it_IT", "LC_ALL": "es_MX.utf8"}, "es-MX"),
        ({"LANG": "de_DE", "LC_ALL": "C"}, ""),
        ({"LANG": "de_DE", "LC_ALL": ""}, "de"),
        ({"LANG": "de_DE", "LC_TIME": "fr_FR"}, "de"),
        ({"LANG": "pt_BR.UTF-8"}, ""),
        ({"LANG": "de_DE", "LANGUAGE": "pt_BR:pt:fr_CA:en"}, "fr-CA"),
        ({"LANG": "de_CH", "LANGUAGE": "de:fr"}, "de-CH"),
        ({"LANG": "de_DE", "LANGUAGE": "C:fr"}, ""),
        ({"LANG": "de_DE", "LANGUAGE": "pt:nl"}, ""),
        ({"LANG": ":/;%s__.@"}, ""),
    ],
)
def test_the_language_of_a_shell_is_that_of_gettext(environment: dict[str, str], tag: str) -> None:
    assert language_of(environment) == tag


Said = Callable[..., str]


@pytest.fixture
def said_in_german(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Said:
    """Runs a command in a German shell; returns its output."""
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("MAILHAUL_DATA", str(tmp_path))

    def say(*words: str, **settings: str) -> str:
        for name, value in settings.items():
            monkeypatch.setenv(f"MAILHAUL_{name}", value)
        monkeypatch.setattr("sys.argv", ["mailhaul", *words])
        run(console)
        shown = capsys.readouterr()
        return shown.out + shown.err

    return say


def test_a_command_speaks_the_language_of_the_shell(said_in_german: Said) -> None:
    assert "Keine Importe." in said_in_german("list")
    assert "gibt es nicht" in said_in_german("list", "--nope")
    assert "Aufruf:" in said_in_german("list", "--help")
    assert "Datenbank" in said_in_german("doctor", "--only", "database")
    assert said_in_german("template").startswith("Alte Adresse;")


def test_what_was_chosen_precedes_the_language_of_the_shell(
    said_in_german: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "No imports." in said_in_german("list", "--language", "en")
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "mailhaul_language").write_text("fr")
    assert "Aucune importation" in said_in_german("list", SECRETS_DIR=str(secrets))
    monkeypatch.delenv("MAILHAUL_SECRETS_DIR")
    assert "No imports." in said_in_german("list", LANGUAGE="en")
    assert "No such option" in said_in_german("list", "--nope")


@pytest.mark.parametrize("words", [("doctor", "--only", "database", "--json"), ("web", "--nope")])
def test_json_and_services_do_not_speak_the_language_of_the_shell(
    said_in_german: Said, words: tuple[str, ...]
) -> None:
    shown = said_in_german(*words)
    assert shown == said_in_german(*words, LANGUAGE="en")
    assert shown != said_in_german(*words, LANGUAGE="de")


def test_a_service_at_a_terminal_speaks_the_language_of_the_shell(
    said_in_german: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert "gibt es nicht" in said_in_german("web", "--nope")


def test_mails_are_not_in_the_language_of_the_shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    assert console_actor(Settings.load(data=tmp_path)).language == "en"
