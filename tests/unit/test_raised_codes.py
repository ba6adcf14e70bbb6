"""The catalog and the code agree: a code that is raised has a row with its parameters; each row is used."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import get_args

import pytest
from pydantic_core import core_schema

from importer.codes.code_lookup import lineage
from importer.codes.code_table import ROWS
from importer.i18n.code_texts import HOST_STEPS
from providers.sign_in_providers import SIGN_IN_PROVIDERS
from providers.text import TextRow

ROOT = Path(__file__).parents[2]
PLACEHOLDER = re.compile(r"%\((\w+)\)s")
CODES_OF_PROVIDERS = {code for provider in SIGN_IN_PROVIDERS.values() for code in provider.texts}


@cache
def trees() -> list[tuple[str, ast.Module]]:
    """Every module of the product, except the catalog itself."""
    paths = sorted(path for package in ("importer", "providers") for path in (ROOT / package).rglob("*.py"))
    return [
        (str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8")))
        for path in paths
        if path.parent.name != "codes"
    ]


def texts_made() -> Iterator[tuple[str, str, set[str]]]:
    """(place, code, names of the parameters) of every `Text("code", ...)`; Rich's Text has no code."""
    for path, tree in trees():
        for node in ast.walk(tree):
            match node:
                case ast.ImportFrom(module="rich.text"):
                    break
                case ast.Call(ast.Name("Text"), [ast.Constant(str(code))], keywords):
                    names = {keyword.arg for keyword in keywords if keyword.arg is not None} - {"steps"}
                    yield f"{path}:{node.lineno}", code, names


def names_in(row: TextRow) -> set[str]:
    forms = row.sentence if isinstance(row.sentence, tuple) else (row.sentence,)
    found = {name for form in (*forms, row.sentence_at_destination) for name in PLACEHOLDER.findall(form)}
    return {"number" if name == "num" else name for name in found - {"product"}}


def needed(code: str) -> set[str]:
    """The parameters of the sentence that a code is shown with."""
    return next((names_in(row) for row in lineage(code) if row.sentence), set())


def test_every_code_that_is_raised_has_a_row_with_its_parameters() -> None:
    made = list(texts_made())
    assert len(made) > 60
    unknown = {place: code for place, code, _ in made if code not in {*ROWS, *CODES_OF_PROVIDERS, HOST_STEPS}}
    assert unknown == {}
    lacking = {place: needed(code) - names for place, code, names in made if code != HOST_STEPS}
    assert {place: names for place, names in lacking.items() if names} == {}


@cache
def words() -> tuple[set[str], list[str]]:
    """All strings of the product, and the formatted ones as regular expressions."""
    constants, patterns = set(), []
    for _, tree in trees():
        for node in ast.walk(tree):
            match node:
                case ast.Constant(str(text)):
                    constants.add(text)
                case ast.JoinedStr(values):
                    pattern = "".join(
                        re.escape(str(part.value)) if isinstance(part, ast.Constant) else "(.*)"
                        for part in values
                    )
                    if "." in pattern:
                        patterns.append(pattern)
    return constants, patterns


@pytest.mark.parametrize("code", ROWS)
def test_every_row_is_used(code: str) -> None:
    """By its code, or by parts of it: `f"folder_unusable.{what}"` and "opened". Pydantic names what is wrong
    with a field."""
    constants, patterns = words()
    if code.startswith("api_field."):
        assert code.removeprefix("api_field.") in get_args(core_schema.ErrorType)
        return
    if code in constants or any(other.startswith(f"{code}.") for other in ROWS):
        return
    matches = (re.fullmatch(pattern, code) for pattern in patterns)
    assert any(match and set(match.groups()) <= {*constants, ""} for match in matches)


def test_behaviour_belongs_to_public_codes() -> None:
    plain = TextRow("any")
    for row in ROWS.values():
        if "." in row.code:
            assert (row.counts_as_failure, row.retry_now, row.exit_code) == (
                plain.counts_as_failure,
                plain.retry_now,
                plain.exit_code,
            ), row.code
            # Problems of the API are public without that prefix (`problem_details.py`); a finding of the
            # doctor has a part and a health.
            assert row.code.partition(".")[0] in {*ROWS, "api", "doctor"}, row.code
        else:
            assert row.sentence, row.code
