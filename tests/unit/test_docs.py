"""The documentation matches the code, and vice versa, as far as it can be checked automatically."""

from __future__ import annotations

import ast
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from docs.generate import errors, events, mail_hosts
from docs.generate.pages import PAGES
from importer.adapters.queue.redis_queue import LONGEST_DELAY
from importer.adapters.store.removal import STEP_ROWS
from importer.adapters.store.tables import metadata
from importer.cli.command_table import COMMAND_NAMES, load_command
from importer.cli.service_commands import MOST_WORKERS
from importer.codes.code_table import ROWS, all_rows
from importer.doctor import PARTS
from importer.domain.csv_import.column_names import KNOWN_COLUMNS
from importer.domain.import_options import OPTIONS
from importer.domain.import_state import ENDED
from importer.domain.model import State
from importer.domain.people.api_tokens import TokenScope
from importer.domain.planning.retry_limits import (
    MAIL_RETRY_WAITS_S,
    MAX_MAIL_ATTEMPTS,
    PATIENCE,
    PATIENCE_UNPROVEN,
    REFUSED_WAITS_S,
    SLOT_WAITS,
)
from importer.domain.receipts.folder_tally import RefusalCode
from importer.domain.reporting.report import ExitCode
from importer.domain.reporting.webhook_events import SIGNATURE, EventType
from importer.engine.prepare_folder import LOOKED_AT_ONCE
from importer.i18n.translations import texts
from importer.oauth_setup import SIGN_IN_PATH
from importer.ports.notices import MailState
from importer.service.access.concurrency_limit import (
    MAX_CHECKS_PER_KEY,
    MAX_STREAMS_PER_SESSION,
    MAX_WAITING_PER_KEY,
)
from importer.service.imports.foreground_copy import MAX_WAIT
from importer.settings import Settings
from importer.web.request_shares import MAX_PER_CLIENT
from importer.web.slow_clients import MAX_CONNECTIONS_PER_CLIENT
from providers.catalog import Catalog
from providers.sign_in_provider import variable
from providers.sign_in_providers import SIGN_IN_PROVIDERS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
README, ARCHITECTURE, RUNBOOK = (
    ROOT / name for name in ("README.md", "ARCHITECTURE.md", "deploy/RUNBOOK.md")
)
DOCUMENTS = sorted(
    path
    for folder in (ROOT, DOCS, ROOT / "deploy", ROOT / "benchmarks")
    for path in (folder.glob("*.md") if folder == ROOT else folder.rglob("*.md"))
)
LONGEST = {README: 130, ARCHITECTURE: 150}


def name_of(document: Path) -> str:
    return str(document.relative_to(ROOT))


def tables(document: Path) -> Iterator[tuple[tuple[str, ...], list[tuple[str, ...]]]]:
    """(headings, rows of cells) of every Markdown table."""
    rows: list[tuple[str, ...]] = []
    for line in [*document.read_text(encoding="utf-8").splitlines(), ""]:
        if line.startswith("|"):
            rows.append(tuple(cell.strip() for cell in line.strip("|").split("|")))
        elif rows:
            yield rows[0], rows[2:]
            rows = []


def table(document: Path, *heads: str) -> list[tuple[str, ...]]:
    """The rows of the only table with those headings."""
    [matching] = [rows for headings, rows in tables(document) if headings == heads]
    for row in matching:
        assert len(row) == len(heads), row
    return matching


def codes(cell: str) -> list[str]:
    """The texts between backticks."""
    return re.findall(r"`([^`]+)`", cell)


# --- Generated pages ------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_generated_page_is_up_to_date(page: Path) -> None:
    assert page.read_text(encoding="utf-8") == PAGES[page](), "run: make document"


def test_every_picture_is_on_a_page() -> None:
    pages = "".join(document.read_text() for document in DOCUMENTS)
    assert [path.name for path in DOCS.rglob("*.png") if path.name not in pages] == []


def test_every_log_event_is_explained_and_emitted_in_one_place() -> None:
    names = [event.name for event in events.logged()]
    assert sorted(names) == sorted(events.MEANINGS)


def test_every_code_is_explained() -> None:
    assert set(errors.errors()) <= set(errors.reasons())
    assert all(row.operator_advice for row in errors.reasons().values())
    assert all(ROWS[code].as_refusal for code in RefusalCode)


def test_the_page_of_mail_hosts_matches_the_catalog() -> None:
    page = mail_hosts.PAGE.read_text(encoding="utf-8")
    catalog = Catalog.load()
    for provider in catalog:
        assert f"\n### {provider.name}\n" in page
        steps = [texts("en").typeset(step.texts.en) for step in provider.steps]
        assert all(step in page for step in steps), provider.id
        assert all(source.page in page for source in provider.sources), provider.id
    fewer = Catalog(list(catalog)[1:])
    assert mail_hosts.written(page, fewer) != page  # a change of the catalog changes the page


def test_the_page_of_mail_hosts_needs_its_markers() -> None:
    page = mail_hosts.PAGE.read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="<!-- hosts -->"):
        mail_hosts.written(page.replace("<!-- hosts -->", ""), Catalog.load())


def test_the_sign_in_page_quotes_the_exact_scopes_and_paths() -> None:
    page = mail_hosts.PAGE.read_text(encoding="utf-8")
    for provider in SIGN_IN_PROVIDERS.values():
        guide = "\n".join(text for _, text in provider.guides)
        assert all(text.strip() in page for _, text in provider.guides)
        [mail_scope] = [s for s in provider.scope.split() if s.endswith(provider.mail_scope)]
        scopes = [mail_scope, *([provider.organisation.scope] if provider.organisation else [])]
        assert all(f"`{scope}`" in guide for scope in scopes)
        assert f"`https://mailhaul.example.org{SIGN_IN_PATH.format(provider=provider.id)}`" in guide
        for setting in provider.settings:
            assert setting.name == "authority" or f"`{variable(provider.id, setting.name)}`" in guide


# --- Usage ----------------------------------------------------------------------------------------


def commands_shown(document: Path) -> Iterator[list[str]]:
    """Every `mailhaul …` in a shell block, and every one with arguments in running text."""
    text = document.read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    for line in [*lines, *codes(re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))]:
        command = re.sub(r"^(?:[A-Z_]+=\S+ )+", "", line)
        words = shlex.split(command, comments=True) if re.match(r"\S*\bmailhaul [a-z]", command) else []
        if len(words) > 1 and "ID" not in words:
            yield words[1:]


def check_command_line(command: click.Command, words: list[str]) -> None:
    context = command.make_context(command.name, list(words))
    if isinstance(command, click.Group):
        name, sub_command, rest = command.resolve_command(context, words)
        assert sub_command is not None, name
        check_command_line(sub_command, rest)


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_command_line_in_the_documents_is_valid(document: Path) -> None:
    for name, *words in commands_shown(document):
        command = load_command(name)
        assert command is not None or name == "--help", name
        if command is not None and words:
            check_command_line(command, words)


def test_the_help_of_every_command_has_an_example() -> None:
    examples = {words[0] for words in commands_shown(DOCS / "cli.md")}
    assert examples >= set(COMMAND_NAMES)


def test_the_documented_exit_codes_match_the_console() -> None:
    documented = [
        (int(code), name) for code, name, _ in table(DOCS / "usage/copy.md", "code", "name", "meaning")
    ]
    assert documented == [(int(code), code.name.lower().replace("_", " ")) for code in ExitCode]


def test_the_documented_columns_match_the_csv_reader() -> None:
    documented = [codes(column) for column, _ in table(DOCS / "usage/csv.md", "column", "meaning")]
    assert documented == [[column] for column in KNOWN_COLUMNS if column not in OPTIONS]


def test_the_api_scopes_are_explained() -> None:
    rows = table(DOCS / "usage/api.md", "scope", "good for")
    assert [codes(scope) for scope, _ in rows] == [[scope] for scope in TokenScope]


def test_every_api_event_is_explained() -> None:
    page = (DOCS / "usage/api.md").read_text(encoding="utf-8")
    assert all(f"`{type_}`" in page for type_ in EventType)
    assert f"`{SIGNATURE}: t=" in page


def test_every_doctor_check_is_in_the_runbook() -> None:
    rows = table(RUNBOOK, "part", "what it may say", "what to do")
    assert {codes(part)[0] for part, _, _ in rows if part} == set(PARTS)


def test_the_runbook_names_codes_and_states_that_exist() -> None:
    """Words in code marks that look like codes are codes; words in italics are states of an import."""
    text = RUNBOOK.read_text(encoding="utf-8")
    known = {row.code for row in all_rows()} | {"redirect_uri"}  # RFC 6749 section 4.1.1
    known |= {column.name for of in metadata.tables.values() for column in of.columns}
    for code in re.findall(r"`([a-z]+(?:_[a-z]+)+)`", text):
        assert code in known, f"RUNBOOK.md: there is no {code}"
    for word in re.findall(r"(?<![*`\w])\*([a-z]+)\*(?!\*)", text):
        assert word in set(State), f"RUNBOOK.md: there is no state {word}"
    of_mails = table(RUNBOOK, "state", "meaning", "what to do")
    assert {codes(state)[0] for state, _, _ in of_mails} == set(MailState)


def test_the_runbook_has_the_numbers_of_the_retry_limits() -> None:
    text = " ".join(RUNBOOK.read_text(encoding="utf-8").split())
    minutes = [seconds // 60 for seconds in REFUSED_WAITS_S]
    assert f"after {minutes[0]}, {minutes[1]} and {minutes[2]} minutes" in text
    assert f"after {PATIENCE} attempts without progress" in text
    assert f"or after {PATIENCE_UNPROVEN} (" in text
    mails = [seconds // 60 for seconds in MAIL_RETRY_WAITS_S[:4]]
    assert f"after {mails[0]}, {mails[1]}, {mails[2]} and {mails[3]} minutes, then every" in text
    assert f"or {MAX_MAIL_ATTEMPTS} attempts failed" in text


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        ("usage/copy.md", f"wait for more than {MAX_WAIT.seconds} seconds without progress"),
        ("usage/csv.md", f"one worker for each processor, at most {MOST_WORKERS}"),
        ("design/operations.md", f"an import waits up to {SLOT_WAITS[1].seconds} seconds"),
        ("design/operations.md", f"Delays of up to {LONGEST_DELAY.seconds // 60} minutes ride in the queue"),
        ("design/transfer.md", f"Up to {LOOKED_AT_ONCE} small pairs are looked at together"),
        ("design/access.md", f"{MAX_WAITING_PER_KEY} waits for mail hosts, {MAX_CHECKS_PER_KEY} checks"),
        ("design/access.md", f"{MAX_STREAMS_PER_SESSION} event streams of a session"),
        ("design/access.md", f"One address occupies {MAX_PER_CLIENT} of the 40 threads"),
        ("design/access.md", f"an address may hold {MAX_CONNECTIONS_PER_CLIENT} connections"),
        ("trust.md", f"in steps of at most {STEP_ROWS} rows"),
    ],
)
def test_a_page_has_the_numbers_of_the_code(page: str, sentence: str) -> None:
    assert sentence in " ".join((DOCS / page).read_text(encoding="utf-8").split())


def test_every_reason_that_an_operator_reads_of_says_what_to_do() -> None:
    """RUNBOOK.md sends its readers to errors.md for the reasons, which is made from the catalog."""
    assert "../docs/errors.md#why-an-import-waits-or-stopped" in RUNBOOK.read_text(encoding="utf-8")
    assert [code for code, row in ROWS.items() if row.cause and not row.operator_advice] == []


def texts_of_the_product() -> Iterator[str]:
    """Every string in the code, with "{}" for each inserted value, and every template."""
    for package in ("importer", "providers"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                match node:
                    case ast.Constant(str(text)):
                        yield text
                    case ast.JoinedStr(parts):
                        yield "".join(str(p.value) if isinstance(p, ast.Constant) else "{}" for p in parts)
        for path in sorted((ROOT / package).rglob("templates/*.*")):
            yield path.read_text(encoding="utf-8")


def test_the_runbook_quotes_what_the_product_says() -> None:
    text = " ".join(RUNBOOK.read_text(encoding="utf-8").split())
    quotes = re.findall(r"“([^”]+)”", text)
    assert len(quotes) >= 5
    product = [" ".join(text.split()) for text in texts_of_the_product()]
    for quote in quotes:
        assert any(quote in text for text in product), f"nothing says “{quote}”"


# --- Architecture ---------------------------------------------------------------------------------


def tree() -> dict[Path, str]:
    """The folders of the tree in ARCHITECTURE.md, with their descriptions."""
    text = ARCHITECTURE.read_text(encoding="utf-8")
    [drawn] = re.findall(r"```text\n(providers/ .*?)```", text, flags=re.DOTALL)
    folders: dict[Path, str] = {}
    above: list[str] = []
    for line in drawn.splitlines():
        name, _, description = line.strip().partition(" ")
        depth = (len(line) - len(line.lstrip())) // 2
        above[depth:] = [name.rstrip("/")]
        path = Path(*above)
        assert path not in folders, path
        assert (ROOT / path).is_dir(), f"{path} is not a folder"
        folders[path] = description.strip()
    return folders


def test_every_package_is_in_the_architecture_tree() -> None:
    drawn = tree()
    for package in ("importer", "providers"):
        for path in sorted((ROOT / package).rglob("__init__.py")):
            folder = path.parent.relative_to(ROOT)
            if folder.name != "versions":
                assert folder in drawn, f"{folder} is missing in the tree of ARCHITECTURE.md"
    assert all(drawn.values()), "each line of the tree describes its folder"


def test_the_documented_layers_match_the_import_contracts() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    [floors] = [c["layers"] for c in settings["tool"]["importlinter"]["contracts"] if c["type"] == "layers"]
    text = ARCHITECTURE.read_text(encoding="utf-8")
    [drawn] = re.findall(r"```text\n(cli\n.*?)```", text, flags=re.DOTALL)
    assert [re.split(r"\s{2,}", line)[0] for line in drawn.splitlines()] == floors


def test_the_state_diagram_has_all_states_and_final_states() -> None:
    rows = table(DOCS / "design/operations.md", "state", "meaning", "goes to")
    assert [state for state, _, _ in rows] == [state.value for state in State]
    for state, meaning, goes_to in rows:
        assert (State(state) in ENDED) == meaning.startswith("End:") == (not goes_to)


def test_invariants_name_the_file_that_enforces_them() -> None:
    rows = table(ARCHITECTURE, "invariant", "kept by")
    assert len(rows) >= 10
    for _, enforced_by in rows:
        assert (ROOT / codes(enforced_by)[0]).is_file(), enforced_by


def test_every_dependency_has_a_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    blocks = re.findall(r"^(?:dependencies|dev) = \[\n(.*?)^\]", text, flags=re.DOTALL | re.MULTILINE)
    assert len(blocks) == 2
    for line in "".join(blocks).splitlines():
        assert re.search(r'^    "[^"]+", +# \w.{8,}', line), f"no reason: {line.strip()}"


# --- All documents --------------------------------------------------------------------------------


@pytest.mark.parametrize("document", LONGEST, ids=name_of)
def test_the_first_pages_stay_short(document: Path) -> None:
    assert len(document.read_text(encoding="utf-8").splitlines()) <= LONGEST[document]


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_path_in_a_document_exists(document: Path) -> None:
    roots = ("importer", "providers", "tests", "deploy", "docs", "benchmarks", "templates")
    for code in codes(
        re.sub(r"^```.*?^```", "", document.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    ):
        if re.fullmatch(rf"(?:{'|'.join(roots)})(?:/[\w.-]+)+/?", code):
            assert (ROOT / code).exists(), f"{code} does not exist"


def test_documents_mention_only_existing_settings() -> None:
    tests = {"MAILHAUL_TEST_ROUNDS", "MAILHAUL_TEST_OFFSETS", "MAILHAUL_TEST_SEED"}
    existing = {variable for variable, _, _ in Settings.table()} | tests
    for document in DOCUMENTS:
        mentioned = set(re.findall(r"(?<!_)MAILHAUL_[A-Z_]+\b(?!\*)", document.read_text(encoding="utf-8")))
        assert mentioned - {"MAILHAUL_"} <= existing, document.name


def anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, as generated by GitHub."""
    heads = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_links_between_the_documents_are_valid(document: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8"))
    for link in links:
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_the_first_screen_of_the_readme_says_what_one_needs_first() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    screen = "\n".join(README.read_text(encoding="utf-8").splitlines()[:20])
    assert f"Version {project['version']}" in screen
    assert project["license"] in screen
    assert "![" in screen, "a picture"
    for way in ("#one-mailbox", "#up-to-25-mailboxes", "deploy/INSTALL.md", "docs/usage/api.md"):
        assert f"({way})" in screen


def test_the_changelog_has_this_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## \[{re.escape(project['version'])}\] - \d{{4}}-\d\d-\d\d$", text, re.MULTILINE)
