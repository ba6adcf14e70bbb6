"""The documentation says what the code does: whatever can be checked is checked, both ways."""

from __future__ import annotations

import ast
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from importer.cli.command_table import COMMAND_NAMES, load_command
from importer.domain.csv_import.csv_reader import KNOWN_COLUMNS
from importer.domain.import_state import ENDED
from importer.domain.model import RefusalCode, State
from importer.domain.people.api_tokens import TokenScope
from importer.domain.reporting.report import ExitCode
from importer.domain.reporting.webhook_events import SIGNATURE, EventType
from importer.oauth_setup import SIGN_IN_PATH
from importer.settings import Settings
from importer.web.api.problem_details import TITLES
from providers import google, microsoft
from providers.catalog import Catalog
from providers.document import written
from providers.errors import MailError

ROOT = Path(__file__).parents[2]
README, ARCHITECTURE, RUNBOOK = (
    ROOT / name for name in ("README.md", "ARCHITECTURE.md", "deploy/RUNBOOK.md")
)
PROVIDERS = ROOT / "docs" / "providers.md"
API = ROOT / "docs" / "api.md"
DOCUMENTS = (
    README,
    ARCHITECTURE,
    PROVIDERS,
    API,
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "deploy").glob("**/*.md")),
)
COMMANDS = {name: command for name in COMMAND_NAMES if (command := load_command(name)) is not None}
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}


def tables(document: Path) -> Iterator[tuple[tuple[str, ...], list[tuple[str, ...]]]]:
    """(heads, rows of cells) of every Markdown table."""
    rows: list[tuple[str, ...]] = []
    for line in [*document.read_text(encoding="utf-8").splitlines(), ""]:
        if line.startswith("|"):
            rows.append(tuple(cell.strip() for cell in line.strip("|").split("|")))
        elif rows:
            yield rows[0], rows[2:]
            rows = []


def table(document: Path, *heads: str) -> list[tuple[str, ...]]:
    """The rows of the one table with those heads."""
    [found] = [rows for shown, rows in tables(document) if shown == heads]
    for row in found:
        assert len(row) == len(heads), row
    return found


def codes(cell: str) -> list[str]:
    """What stands between backticks."""
    return re.findall(r"`([^`]+)`", cell)


def modules() -> Iterator[tuple[Path, ast.Module]]:
    for package in ("importer", "providers"):
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def calls() -> Iterator[ast.Call]:
    for _, module in modules():
        yield from (node for node in ast.walk(module) if isinstance(node, ast.Call))


def first_text(call: ast.Call) -> str | None:
    match call.args:
        case [ast.Constant(str(text)), *_]:
            return text
    return None


# --- README ---------------------------------------------------------------------------------------


def test_the_configuration_table_is_the_one_of_the_settings() -> None:
    shown = table(README, "variable", "default", "meaning")
    assert shown == [(f"`{variable}`", default, meaning) for variable, default, meaning in Settings.table()]


def test_every_command_is_explained_and_every_explained_command_exists() -> None:
    shown = [codes(command) for command, _, _ in table(README, "command", "what it does", "example")]
    assert shown == [[f"mailhaul {name}"] for name in COMMANDS]


def commands_shown(document: Path) -> Iterator[list[str]]:
    """Every `mailhaul …` in a shell block, and every one with arguments in a line of text."""
    text = document.read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    for line in [*lines, *codes(re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))]:
        words = shlex.split(line) if re.match(r"\S*\bmailhaul [a-z]", line) else []
        if len(words) > 1 and "ID" not in words:
            yield words[1:]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_line_in_the_documents_can_be_typed_as_it_is(document: Path) -> None:
    for name, *words in commands_shown(document):
        if words and name in COMMANDS:
            COMMANDS[name].make_context(name, words)
        else:
            assert name in (*COMMANDS, "--help"), name


def test_each_command_is_shown_with_an_example_of_itself() -> None:
    shown = list(commands_shown(README))
    for command, _, example in table(README, "command", "what it does", "example"):
        assert shlex.split(codes(example)[0])[1:] in shown
        assert codes(example)[0].startswith(codes(command)[0])


def test_the_exit_codes_are_those_of_the_console() -> None:
    shown = [(int(code), name) for code, name, _ in table(README, "code", "name", "meaning")]
    assert shown == [(int(code), code.name.lower().replace("_", " ")) for code in ExitCode]


def test_the_columns_of_the_file_are_those_that_are_read() -> None:
    assert [codes(column) for column, _ in table(README, "column", "meaning")] == [[c] for c in KNOWN_COLUMNS]


# --- ARCHITECTURE ---------------------------------------------------------------------------------


def tree() -> dict[Path, str]:
    """Path -> what the tree of ARCHITECTURE.md says of it."""
    text = ARCHITECTURE.read_text(encoding="utf-8")
    [drawn] = re.findall(r"```text\n(providers/ .*?)```", text, flags=re.DOTALL)
    found: dict[Path, str] = {}
    above: list[str] = []
    for line in drawn.splitlines():
        name, _, said = line.strip().partition(" ")
        depth = (len(line) - len(line.lstrip())) // 2
        above[depth:] = [name.rstrip("/")]
        path = Path(*above)
        assert path not in found, path
        assert name.endswith("/") == (ROOT / path).is_dir(), (
            f"{path} is not there, or not what it is drawn as"
        )
        found[path] = said.strip()
    return found


def test_every_package_stands_in_the_tree() -> None:
    drawn = tree()
    for path, _ in modules():
        own = path.relative_to(ROOT)
        parts = (
            own.parts[: own.parts.index("migrations") + 1] if "migrations" in own.parts else own.parts[:-1]
        )
        assert Path(*parts) in drawn, f"{own} is missing in the tree of ARCHITECTURE.md"
    assert all(drawn.values()), "each line of the tree says what stands there"


def test_the_floors_are_those_that_are_checked() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    [floors] = [c["layers"] for c in settings["tool"]["importlinter"]["contracts"] if c["type"] == "layers"]
    text = ARCHITECTURE.read_text(encoding="utf-8")
    [drawn] = re.findall(r"```text\n(cli\n.*?)```", text, flags=re.DOTALL)
    shown = [re.split(r"\s{2,}", line)[0] for line in drawn.splitlines()]
    assert shown == [floor.replace("importer.", "") for floor in floors]


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = [re.split(r"[\[<>=~! ]", one)[0] for one in needed]
    rows = table(ARCHITECTURE, "package", "used for", "why this one")
    assert [name for name, _, _ in rows] == names
    assert all(used_for for _, used_for, _ in rows)


def test_the_states_of_an_import_are_all_there_and_the_ends_are_ends() -> None:
    rows = table(ARCHITECTURE, "state", "meaning", "goes to")
    assert [state for state, _, _ in rows] == [state.value for state in State]
    for state, meaning, goes_to in rows:
        assert (State(state) in ENDED) == meaning.startswith("End:") == (not goes_to)


def test_the_files_that_keep_an_invariant_exist() -> None:
    for _, kept_by in table(ARCHITECTURE, "invariant", "kept by"):
        assert (ROOT / codes(kept_by)[0]).is_file(), kept_by


# --- RUNBOOK --------------------------------------------------------------------------------------


def logged() -> dict[str, tuple[str, set[str]]]:
    """Event -> (level, fields) of every `log.<level>("event", field=…)`."""
    found = {}
    for call in calls():
        match call.func:
            case ast.Attribute(ast.Name("log"), level) if level in LEVELS:
                pass
            case ast.Attribute(ast.Call(ast.Name("get_logger") | ast.Attribute(attr="get_logger")), level):
                pass
            case _:
                continue
        event = first_text(call)
        assert event, f"line {call.lineno}: an event is a text that can be searched for"
        assert event not in found, f"{event} is logged in two places"
        found[event] = (level, {word.arg or "**" for word in call.keywords} - {"exc_info"})
    return found


def test_every_log_event_is_in_the_runbook_with_its_level_and_fields() -> None:
    shown = {
        codes(event)[0]: (level, set(codes(fields)))
        for event, level, fields, _ in table(RUNBOOK, "event", "level", "fields", "meaning")
    }
    assert shown == logged()


def error_codes() -> set[str]:
    def tree_of(error: type[MailError]) -> Iterator[type[MailError]]:
        yield error
        for branch in error.__subclasses__():
            yield from tree_of(branch)

    ours = {
        text for call in calls() if isinstance(call.func, ast.Name) and call.func.id == "Problem"
        if (text := first_text(call)) is not None
    }  # fmt: skip
    return {error.code for error in tree_of(MailError) if error.__module__.startswith("providers.")} | ours


def test_every_reason_to_wait_or_stop_is_in_the_runbook() -> None:
    shown = [codes(code)[0] for code, _, _ in table(RUNBOOK, "code", "what happened", "what to do")]
    assert len(shown) == len(set(shown))
    assert set(shown) == error_codes()


def test_every_part_that_the_doctor_looks_at_is_in_the_runbook() -> None:
    named = {first_text(c) for c in calls() if isinstance(c.func, ast.Name) and c.func.id == "Finding"}
    rows = table(RUNBOOK, "part", "what it may say", "what to do")
    assert {codes(part)[0] for part, _, _ in rows if part} == named


def test_the_runbook_names_only_settings_that_exist() -> None:
    tests = {"MAILHAUL_TEST_ROUNDS", "MAILHAUL_TEST_OFFSETS", "MAILHAUL_TEST_SEED"}
    known = {variable for variable, _, _ in Settings.table()} | tests
    for document in DOCUMENTS:
        named = set(re.findall(r"MAILHAUL_[A-Z_]+", document.read_text(encoding="utf-8")))
        assert named <= known, document.name


# --- Mail hosts -----------------------------------------------------------------------------------


def test_the_page_of_mail_hosts_is_the_catalog() -> None:
    page = PROVIDERS.read_text(encoding="utf-8")
    catalog = Catalog.load()
    assert page == written(page, catalog), "run: make document"
    for provider in catalog:
        assert f"\n### {provider.name}\n" in page
        assert all(step.texts.en in page for step in provider.steps), provider.id
        assert all(source.page in page for source in provider.sources), provider.id
    fewer = Catalog(list(catalog)[1:])
    assert written(page, fewer) != page  # a change in the catalog is a change of the page


def test_the_page_of_mail_hosts_needs_its_marks() -> None:
    page = PROVIDERS.read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="<!-- hosts -->"):
        written(page.replace("<!-- hosts -->", ""), Catalog.load())


def test_signing_in_is_explained_with_the_very_words_that_are_needed() -> None:
    page = PROVIDERS.read_text(encoding="utf-8")
    scopes = [
        google.MAIL_SCOPE,
        google.ORGANISATION_SCOPE,
        microsoft.MAIL_SCOPE,
        microsoft.ORGANISATION_SCOPE,
    ]
    assert all(f"`{scope}`" in page for scope in scopes)
    for provider in (google.ID, microsoft.ID):
        assert f"`https://mailhaul.example.org{SIGN_IN_PATH.format(provider=provider)}`" in page
    for variable, _, _ in Settings.table():
        if re.match("MAILHAUL_(GOOGLE|MICROSOFT)_", variable) and not variable.endswith("_AUTHORITY"):
            assert f"`{variable}`" in page


# --- The API --------------------------------------------------------------------------------------


def test_the_problems_of_the_api_are_those_that_it_tells() -> None:
    shown = {
        codes(code)[0]: (int(status), said) for code, status, said in table(API, "code", "status", "meaning")
    }
    assert shown == {code: (status, f"{title}.") for code, (status, title) in TITLES.items()}


def test_every_code_of_what_was_not_copied_is_in_the_page_of_the_api() -> None:
    shown = [codes(code)[0] for code, _ in table(API, "code", "meaning")]
    assert shown == [code.value for code in RefusalCode]


def test_the_scopes_of_the_api_are_explained() -> None:
    assert [codes(scope) for scope, _ in table(API, "scope", "good for")] == [[scope] for scope in TokenScope]


def test_every_event_of_the_api_is_explained() -> None:
    page = API.read_text(encoding="utf-8")
    assert all(f"`{type_}`" in page for type_ in EventType)
    assert f"`{SIGNATURE}: t=" in page


# --- All of them ----------------------------------------------------------------------------------


def anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_the_documents_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8"))
    for link in links:
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_the_changelog_has_this_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## \[{re.escape(project['version'])}\] - \d{{4}}-\d\d-\d\d$", text, re.MULTILINE)
