"""A new option is one row: settings, console, file, template, API, form and documents show it as it is.

The tables of the front ends are made when they are imported, so the options are added in a process of their
own, before anything else is imported.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
NAMES = ["pigeon_post", "wax_seal"]

SCRIPT = '''
from dataclasses import dataclass
from functools import partial

from importer.domain import import_options as table
from importer.domain.csv_import.csv_cells import yes_or_no


def row(default, read, **further):
    texts = {text: f"The {text} of it" for text in ("rule", "help", "setting", "title", "meaning")}
    return table._row(default, read, **texts, **further)


@dataclass(frozen=True, slots=True, kw_only=True)
class More(table.ImportOptions):
    """With two invented rows."""

    pigeon_post: bool = row(
        False, yes_or_no, column_names={"en": ("Pigeons",), "de": ("Brieftaube", "Taube")}
    )
    wax_seal: table.SpamAndTrash = row(
        table.SpamAndTrash.COPY,
        partial(table._word, table.SpamAndTrash, "copy or skip", "spam_and_trash_invalid"),
        words=tuple(table.Word(word, f"Name of {word}", f"Meaning of {word}") for word in table.SpamAndTrash),
    )


for field in table.fields(More)[-2:]:
    table.OPTIONS[field.name] = field.metadata["option"](name=field.name)
table.ImportOptions = More
table.DEFAULTS = More()

import json

import click
from click.testing import CliRunner

from docs.generate import import_options as page
from importer.cli import options as console
from importer.domain.csv_import.row_parser import parse
from importer.i18n.csv_template import csv_template, workbook_template
from importer.i18n.option_texts import form_options
from importer.i18n.translations import LANGUAGES, texts
from importer.settings import Settings
from importer.web.api.request_schemas import FileIn, PasswordsIn, RowIn
from importer.web.api.response_schemas import ImportOut
from providers.endpoint import Endpoint
from tests.lookups import UsualNames

NAMES = ["pigeon_post", "wax_seal"]
CHOSEN = {"pigeon_post": True, "wax_seal": "skip"}


def read(content):
    return parse(content, catalog=UsualNames(), destination=Endpoint("imap.new.example"), max_rows=None)


def template(write, language):
    parsed = read(write(texts(language)))
    return [parsed.sheet.columns, [p.rule for p in parsed.problems], [n.rule for n in parsed.notes]]


def typed():
    seen = {}

    @click.command
    @console.import_options
    def command(choices):
        seen.update(choices)

    CliRunner().invoke(command, ["--pigeon-post", "--wax-seal", "skip"], catch_exceptions=False)
    return seen


def column_read_as(name):
    [parsed] = read(f"{header},{name}\\n{row.removesuffix(',skip')}\\n".encode()).rows
    return parsed.choices


row = "ada@old.example,one,,ada@new.example,two,yes,skip"
header = "source_address,source_password,source_server,destination_address,destination_password"
[parsed] = read(f"{header},{','.join(NAMES)}\\n{row}\\n".encode()).rows
print(json.dumps({
    "settings": [name for name, _, _ in Settings.table() if name.endswith(("PIGEON_POST", "WAX_SEAL"))],
    "console": typed(),
    "file": {name: value for name, value in parsed.choices.items() if name in NAMES},
    "own names": [column_read_as(name) for name in ("Pigeons", "Brieftaube", "taube")],
    "hint in German": "Brieftaube, wax_seal" in csv_template(texts("de")).decode(),
    "templates": [template(write, tag) for write in (csv_template, workbook_template) for tag in LANGUAGES],
    "hints": [b"wax_seal" in csv_template(texts(tag)) for tag in LANGUAGES],
    "API": [sorted(set(NAMES) & set(m.model_fields)) for m in (RowIn, FileIn, PasswordsIn, ImportOut)],
    "form": [option.name for option in form_options(texts("de")) if option.name in NAMES],
    "page": [name in page.render() for name in NAMES],
    "stored": More.from_json(More().choose(parsed.choices).as_json()).as_json(),
}))
'''


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    variables = {"PYTHONPATH": str(ROOT), "MAILHAUL_DATA": str(tmp_path_factory.mktemp("data"))}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    shown: dict[str, Any] = json.loads(done.stdout)
    return shown


def test_it_has_its_setting(seen: dict[str, Any]) -> None:
    assert seen["settings"] == ["MAILHAUL_PIGEON_POST", "MAILHAUL_WAX_SEAL"]


def test_console_file_and_store_give_its_value(seen: dict[str, Any]) -> None:
    chosen = {"pigeon_post": True, "wax_seal": "skip"}
    assert seen["console"] == seen["file"] == chosen
    assert {name: seen["stored"][name] for name in NAMES} == chosen


def test_its_column_has_the_names_of_its_row_in_each_language(seen: dict[str, Any]) -> None:
    assert seen["own names"] == [{"pigeon_post": True}] * 3
    assert seen["hint in German"]


def test_templates_name_it_and_are_read_in_each_language(seen: dict[str, Any]) -> None:
    """However many options the hints list, the header is the line with the addresses."""
    assert seen["hints"] == [True] * 5
    assert len(seen["templates"]) == 10
    for columns, problems, notes in seen["templates"]:
        assert len(columns) == 5
        assert (problems, notes) == (["no_rows"], [])


def test_form_api_and_documents_have_it(seen: dict[str, Any]) -> None:
    assert seen["form"] == NAMES
    assert seen["API"] == [NAMES] * 4
    assert seen["page"] == [True, True]
