"""Upgrading an installation of 0.1.0 keeps all of its data, and the first migration stays frozen.

`tests/data/v0.1.0` holds dumps of a database that version 0.1.0 wrote, on SQLite and on PostgreSQL: one batch
with an import in each state, with its grants, receipts, refusals, tallies, checkpoints and an undo, an
API token, and the key that sealed the passwords.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, make_url

from importer.adapters.store import open_engine
from importer.adapters.store.schema import migrate, schema_state
from importer.adapters.store.tables import metadata
from importer.bootstrap import standalone
from importer.domain.import_state import ALIVE
from importer.domain.model import State
from importer.domain.people.api_tokens import TokenScope
from importer.domain.receipts.receipt import Outcome
from importer.i18n.explanation_texts import explanation_json
from importer.i18n.report_json import report_json
from importer.i18n.translations import LANGUAGES, texts
from importer.ports.schema import SchemaState
from importer.service.access.api_clients import authenticate
from importer.service.access.sealed_grants import open_grants
from importer.service.deps import Deps
from importer.service.imports.finish import batch_report, report_of
from importer.service.queries import explain, list_batches, undo_report
from importer.settings import Settings
from providers.grants import PasswordGrant
from tests.rehearsal.postgres import fresh_database

DUMPS: Final = Path(__file__).parents[1] / "data" / "v0.1.0"
TOKENS: Final = {
    "sqlite": "OBdJ59zZBKTPo3isZ-CLMTPhE523vs_FK0hLgiupQSQ",
    "postgresql": "WdM0PyPisr1UBmUGoIYC2EhrRAn8uK1jAiWfIF2cadU",
}


def restored(kind: str, request: pytest.FixtureRequest, folder: Path) -> str:
    """The URL of a database with the dump in it."""
    dump = (DUMPS / f"{kind}.sql").read_text(encoding="utf-8")
    if kind == "sqlite":
        with sqlite3.connect(folder / "old.db") as connection:
            connection.executescript(dump)
        return f"sqlite:///{folder / 'old.db'}"
    url = fresh_database(request.getfixturevalue("postgres_url"))
    parts = make_url(url)
    with psycopg.connect(
        dbname=parts.database, user=parts.username, host=str(parts.query["host"]), autocommit=True
    ) as server:
        server.execute(dump.encode())
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def old_database(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return restored(kind, request, tmp_path)


@pytest.fixture
def upgraded(old_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deps]:
    """The installation after `mailhaul migrate`."""
    shutil.copy(DUMPS / "secret.key", tmp_path / "secret.key")
    (tmp_path / "secret.key").chmod(0o600)
    monkeypatch.setenv("MAILHAUL_DATABASE_URL", old_database)
    migrate(old_database)
    with standalone(Settings.load(data=tmp_path)) as deps:
        yield deps


def by_state(deps: Deps) -> dict[State, Any]:
    [(_, imports)] = list_batches(deps, limit=10)
    return {import_.state: import_ for import_ in imports}


def test_migrating_an_old_database_gives_the_current_schema(old_database: str) -> None:
    migrate(old_database)
    assert schema_state(old_database) is SchemaState.CURRENT
    engine = open_engine(old_database)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def shape(connection: Connection) -> dict[str, Any]:
    """Every table with its columns, keys and indexes."""
    inspector = inspect(connection)
    return {
        table: (
            sorted((c["name"], str(c["type"]), c["nullable"]) for c in inspector.get_columns(table)),
            inspector.get_pk_constraint(table)["constrained_columns"],
            sorted((i["name"] or "", i["column_names"], i["unique"]) for i in inspector.get_indexes(table)),
            sorted(
                (f["constrained_columns"], f["referred_table"]) for f in inspector.get_foreign_keys(table)
            ),
        )
        for table in inspector.get_table_names()
    }


def test_the_first_migration_still_creates_the_schema_of_0_1_0(
    kind: str, old_database: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """A released migration is never edited: a schema change is a new migration."""
    new = f"sqlite:///{tmp_path / 'new.db'}"
    if kind == "postgresql":
        new = fresh_database(request.getfixturevalue("postgres_url"))
    made = open_engine(new)
    with made.begin() as connection:
        config = Config()
        config.set_main_option("script_location", "importer.adapters.store:migrations")
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    old = open_engine(old_database)
    with made.connect() as actual, old.connect() as expected:
        assert shape(actual) == shape(expected)
    made.dispose()
    old.dispose()


def test_there_is_an_import_in_every_state_and_each_result_adds_up(upgraded: Deps) -> None:
    imports = by_state(upgraded)
    assert set(imports) == set(State) - {State.COMPLETE}  # that one was undone
    for state, import_ in imports.items():
        report = report_of(upgraded, import_)
        before = State.COMPLETE if state is State.UNDONE else state
        assert import_.source.address == f"{before}@old.example"
        assert report_json(texts("en"), report)["state"] == state.value
        assert explanation_json(texts("en"), explain(upgraded, import_))["sentence"]
        if state is not State.QUEUED:
            assert report.totals.adds_up
            assert (report.totals.found, report.totals.copied, report.totals.failed) == (8, 5, 1)
            [refusal] = report.refusals
            assert (refusal.uid, refusal.subject) == (6, "Grüße ✓")
    [(batch, _)] = list_batches(upgraded, limit=10)
    summary = batch_report(upgraded, batch.id)
    assert summary is not None
    assert summary.totals.copied == 5 * (len(imports) - 1)
    assert (batch.name, batch.submitter, batch.language) == ("people.csv", "ada@new.example", "de")


@pytest.mark.parametrize("language", LANGUAGES)
def test_its_problems_read_well_in_every_language(upgraded: Deps, language: str) -> None:
    say = texts(language)
    for state, import_ in by_state(upgraded).items():
        problem = report_json(say, report_of(upgraded, import_))["problem"]
        if import_.problem is not None:
            assert isinstance(problem, dict), state
            assert "imap.old.example" in problem["message"] or import_.problem.code == "internal"
            assert "…" not in problem["message"]


def test_passwords_open_while_an_import_is_under_way_and_are_erased_after_it(upgraded: Deps) -> None:
    for state, import_ in by_state(upgraded).items():
        sealed = upgraded.store.grants(import_.id)
        assert (sealed is not None) == (state in ALIVE), state
        if sealed is not None:
            opened = open_grants(upgraded, import_.id, sealed)
            for grant, side in ((opened.source, "old"), (opened.destination, "new")):
                assert isinstance(grant, PasswordGrant)
                assert grant.password.reveal() == f"{side} {state}"


def test_copied_mail_is_still_recorded(upgraded: Deps) -> None:
    running = by_state(upgraded)[State.RUNNING]
    store = upgraded.store
    assert store.folder_map(running.route) == {"INBOX": "INBOX", "Entwürfe": "Drafts"}
    receipts = list(store.receipts(running.route, "INBOX"))
    assert [r.outcome for r in receipts] == [Outcome.COPIED, Outcome.PRESENT, Outcome.DUPLICATE]
    assert receipts[0].destination_uids == (1001, 1002, 1003)
    [intent] = store.intents(running.route, "INBOX")
    assert intent.source_uids == (7, 8)
    assert store.checkpoints(running.route)["Entwürfe"].tally.copied == 2
    undone = undo_report(upgraded, by_state(upgraded)[State.UNDONE].id)
    assert undone is not None
    assert undone.totals.removed == 4


def test_an_api_token_is_still_accepted(upgraded: Deps, kind: str) -> None:
    """The prefix of a token tells secret scanners its issuer; only the rest identifies the token."""
    token = authenticate(upgraded, f"mail{'fer'}{'ry'}_{TOKENS[kind]}")
    assert token is not None
    assert token.name == "panel"
    assert token.scopes == {TokenScope.READ, TokenScope.WRITE}
