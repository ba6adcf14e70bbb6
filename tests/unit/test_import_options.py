"""The table of options: each row has all of its forms, and each form gives the same value."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click
import pytest
from click.testing import CliRunner

from importer.cli import options as cli_options
from importer.domain.csv_import.column_names import KNOWN_COLUMNS
from importer.domain.csv_import.csv_cells import Refused
from importer.domain.folder_mapping.label_rules import LabelRule
from importer.domain.import_options import OPTIONS, ImportOptions, choices_from_json, json_of, text_of
from importer.i18n.code_texts import advice
from importer.i18n.translations import texts
from importer.settings import Settings
from importer.web.api.request_schemas import FileIn, PasswordsIn, RowIn
from importer.web.api.response_schemas import ImportOut

FREE_VALUES: dict[str, tuple[str, ...]] = {
    "folders": ("INBOX, Work/*, !Work/Old", '"a, ""b""", !Spam'),
    "since": ("2024-02-29",),
    "follow_until": ("2026-12-31",),
    "cutover_mx": ("mx1.example.net, mail.example.com",),
}
"""Texts of values that are not the default, of options that accept more than some words."""


def values_of(name: str) -> tuple[str, ...]:
    """The texts of all values; of free ones the default and some others."""
    option = OPTIONS[name]
    if option.words:
        return tuple(word.value for word in option.words)
    if isinstance(option.default, bool):
        return "no", "yes"
    return text_of(option.default), *FREE_VALUES[name]


CASES = [(name, text) for name in OPTIONS for text in values_of(name)]


def test_every_option_has_its_column_fields_and_setting() -> None:
    for name in OPTIONS:
        assert name in KNOWN_COLUMNS
        for model in (RowIn, FileIn, PasswordsIn, ImportOut):
            assert name in model.model_fields
        assert f"MAILHAUL_{name.upper()}" in {variable for variable, _, _ in Settings.table()}


@pytest.mark.parametrize(("name", "text"), CASES)
def test_each_form_of_a_value_gives_the_value(name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    option = OPTIONS[name]
    value = option.parse(f" {text} ")
    assert text_of(value) == text
    assert option.parse("  ") is None
    chosen = ImportOptions().choose({name: value})
    assert ImportOptions.from_json(chosen.as_json()) == chosen
    assert ImportOptions.from_json(chosen.as_json()) is ImportOptions.from_json(chosen.as_json())  # once
    assert choices_from_json({name: json_of(value), "of another version": "x"}) == {name: value}
    assert chosen.chosen == ({} if value == option.default else {name: value})
    assert console({name: value}) == {name: value}
    monkeypatch.setenv(f"MAILHAUL_{name.upper()}", text)
    assert Settings.load().import_options == chosen
    row = RowIn.model_validate(
        {"source_address": "a@old.example", "destination_address": "a@new.example", name: json_of(value)}
    )
    assert option.parse(row.cells()[name]) == value


def console(values: dict[str, Any]) -> dict[str, Any]:
    """The options as the console parses them."""
    seen: dict[str, Any] = {}

    @click.command
    @cli_options.import_options
    def command(choices: dict[str, Any]) -> None:
        seen.update(choices)

    words = []
    for name, value in values.items():
        flag = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            words.append(flag if value else f"--no-{flag[2:]}")
        else:
            words += [flag, text_of(value)]
    assert CliRunner().invoke(command, words).exit_code == 0
    return seen


def test_a_value_that_is_none_of_an_option_is_refused() -> None:
    for name in OPTIONS:
        with pytest.raises(Refused) as refused:
            OPTIONS[name].parse("!")
        assert advice(refused.value.text, texts("en"))


def test_only_a_choice_that_copies_more_starts_a_complete_import_again() -> None:
    usual = ImportOptions()
    each = replace(usual, labels=LabelRule.EACH)
    assert each.starts_again(usual, has_labels=True)
    assert not each.starts_again(usual, has_labels=False)
    assert not replace(usual, sync_flags=True).starts_again(usual, has_labels=True)
