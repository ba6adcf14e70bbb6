"""The places that CONTRIBUTING.md lists for a new CSV column and a new front end are all of them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from importer.domain.csv_import.column_names import (
    ADDRESS_COLUMNS,
    KNOWN_COLUMNS,
    PASSWORD_COLUMNS,
    PROBLEM_COLUMN,
    column_of,
    name_in,
)
from importer.domain.csv_import.hidden_cells import may_be_shown
from importer.domain.import_options import OPTIONS
from importer.i18n.csv_template import csv_template
from importer.i18n.translations import LANGUAGES, texts
from importer.web.api.request_schemas import RowIn

ROOT = Path(__file__).parents[2]
COLUMNS = [column for column in KNOWN_COLUMNS if column != PROBLEM_COLUMN]
MAILBOX_COLUMNS = [column for column in COLUMNS if column not in OPTIONS]


def test_the_api_has_each_column_as_a_field() -> None:
    assert set(RowIn.model_fields) == set(COLUMNS)


@pytest.mark.parametrize("column", MAILBOX_COLUMNS)
def test_a_column_of_a_mailbox_is_read_and_documented(column: str) -> None:
    reader = (ROOT / "importer/domain/csv_import/row_parser.py").read_text(encoding="utf-8")
    assert f'"{column}"' in reader or re.search(rf"\b{column.upper()}\b", reader)
    assert f"\n| `{column}` |" in (ROOT / "docs/usage/csv.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("column", MAILBOX_COLUMNS)
def test_it_is_known_whether_a_cell_may_be_shown(column: str) -> None:
    """A column without a parser would be emptied in annotated files, as if it held a password."""
    cells = dict.fromkeys(ADDRESS_COLUMNS, "ada@old.example")
    assert may_be_shown(column, cells, faulty=False) is (column not in PASSWORD_COLUMNS)


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_a_template_names_each_column_of_a_mailbox(language: str) -> None:
    template = csv_template(texts(language)).decode("utf-8-sig")
    for column in MAILBOX_COLUMNS:
        name = name_in(language, column)
        assert column_of(name) == column
        assert name in template


def contracts() -> list[dict[str, Any]]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = settings["tool"]["importlinter"]["contracts"]
    return found


def test_no_front_end_imports_adapters() -> None:
    """Every package above bootstrap in the floors is also in the contract about adapters."""
    [floors] = [contract["layers"] for contract in contracts() if contract["type"] == "layers"]
    above = [name for floor in floors[: floors.index("inspection")] for name in floor.split(" | ")]
    [adapters] = [contract for contract in contracts() if contract["name"].startswith("only bootstrap")]
    assert set(adapters["source_modules"]) == {f"importer.{name}" for name in above}
