"""`data`: shows, exports and erases what is known of an address; asks before it destroys."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from importer.adapters.store import SqlStore
from importer.adapters.store.schema import migrate
from importer.cli.command_table import console
from importer.cli.exit_codes import Usage
from importer.domain.audit_event import AuditAction
from tests.contract.full_store import ADDRESS, OWN, fill


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    url = f"sqlite:///{tmp_path}/mailhaul.db"
    migrate(url)
    store = SqlStore.open(url)
    with store.writing() as connection:
        fill(connection, datetime.now(UTC))
    store.close()
    return tmp_path


def run(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(console, ["data", *words, "--data", str(folder)])


def test_the_export_is_one_private_file_with_every_table(folder: Path) -> None:
    output = folder / "ada.json"
    assert run(folder, "export", ADDRESS, "--output", str(output)).exit_code == 0
    assert output.stat().st_mode & 0o777 == 0o600
    exported = json.loads(output.read_text(encoding="utf-8"))
    assert exported["address"] == ADDRESS
    assert exported["tables"]["imports"][0]["id"] == OWN
    again = run(folder, "export", ADDRESS, "--output", str(output))
    assert isinstance(again.exception, Usage)  # nothing is overwritten


def test_erasing_asks_and_then_nothing_but_ledgers_of_others_is_left(folder: Path) -> None:
    assert isinstance(run(folder, "erase", ADDRESS).exception, Usage)  # no terminal, no --yes
    assert "receipts" in run(folder, "show", ADDRESS).output
    erased = run(folder, "erase", ADDRESS, "--yes")
    assert erased.exit_code == 0
    assert "folders in mailboxes of other people" in erased.output.replace("\n", " ")
    shown = run(folder, "show", ADDRESS, "--json").output
    left = json.loads(shown[shown.index("{") :])  # after log lines
    assert set(left) == {"created_folders", "folder_maps", "intents", "marks", "receipts"}
    store = SqlStore.open(f"sqlite:///{folder}/mailhaul.db")
    [event, *_] = store.audit_events(actions=[AuditAction.DATA_ERASE])
    store.close()
    assert event.target.startswith("erased:")
    assert ADDRESS not in str(event)
    assert "Nothing is known" in run(folder, "show", "nobody@old.example").output


def test_an_address_is_one_word(folder: Path) -> None:
    assert isinstance(run(folder, "show", " ").exception, Usage)
