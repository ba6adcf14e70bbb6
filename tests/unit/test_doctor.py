"""`mailhaul doctor`: findings in an installation's database, without false alarms."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.fernet import Fernet
from sqlalchemy import text, update

from importer.adapters.fernet_vault import FernetVault
from importer.adapters.store import SqlStore, open_engine
from importer.adapters.store.schema import migrate
from importer.adapters.store.tables import workers
from importer.cli.command_table import console
from importer.doctor import PARTS, Finding, Health, examine
from importer.domain.model import Account, Batch, BatchId, Import, ImportId, State
from importer.i18n.doctor_parts import PART_NAMES, part_name
from importer.i18n.translations import LANGUAGES, texts
from importer.ports.notices import MailState, Notice
from importer.ports.store import SealedGrants
from importer.service.access.sealed_grants import grant_context
from importer.settings import Settings
from providers.endpoint import Endpoint, Secret
from providers.errors import Side
from tests.english import said

NOW = datetime.now(UTC)
KEY = Fernet.generate_key().decode()
OTHER_KEY = Fernet.generate_key().decode()


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for variable, _, _ in Settings.table():
        monkeypatch.delenv(variable, raising=False)
    settings_ = Settings.load(data=tmp_path, secret_key=Secret(KEY))
    migrate(settings_.database_url)
    return settings_


@pytest.fixture
def store(settings: Settings) -> Iterator[SqlStore]:
    with closing(SqlStore.open(settings.database_url)) as opened:
        yield opened


def findings(settings: Settings, part: str) -> list[Finding]:
    return [finding for finding in examine(settings) if finding.part == part]


def add(store: SqlStore, created_at: datetime, *, keys: tuple[str, str] = (KEY, KEY)) -> None:
    id_ = ImportId("one")
    import_ = Import(
        id_,
        Account("ada@old.example", "ada@old.example", Endpoint("imap.old.example")),
        Account("ada@new.example", "ada@new.example", Endpoint("imap.new.example")),
        created_at,
        state=State.QUEUED,
    )
    source, destination = (FernetVault([Secret(key)]) for key in keys)
    sealed = SealedGrants(
        source.seal(Secret("a"), grant_context(id_, Side.SOURCE)),
        destination.seal(Secret("b"), grant_context(id_, Side.DESTINATION)),
    )
    store.add_batch(Batch(BatchId("b"), created_at, imports=(id_,)), [(import_, sealed)])


def notice(state: MailState, created_at: datetime) -> Notice:
    return Notice(state, "ada@new.example", "s", "t", "h", f"<{state}@new.example>", created_at, state)


@pytest.mark.parametrize(
    ("age", "health"), [(timedelta(seconds=1), Health.OK), (timedelta(minutes=6), Health.ERROR)]
)
def test_an_import_that_is_due_for_long_means_that_the_workers_do_not_keep_up(
    settings: Settings, store: SqlStore, age: timedelta, health: Health
) -> None:
    store.report_worker("host:1:a", "1.0", NOW, datetime.now(UTC))
    add(store, datetime.now(UTC) - age)
    [finding] = findings(settings, "workers")
    assert finding.health is health


def test_a_missing_worker_is_noticed_before_anything_waits(settings: Settings, store: SqlStore) -> None:
    [finding] = findings(settings, "workers")
    assert (finding.health, said(finding.text)) == (
        Health.WARNING,
        "No worker is running; 0 imports are due. Start `mailhaul up`, or more workers (`mailhaul worker`).",
    )
    add(store, datetime.now(UTC))
    [finding] = findings(settings, "workers")
    assert finding.health is Health.ERROR


def test_a_worker_that_no_longer_reports_is_named(settings: Settings, store: SqlStore) -> None:
    store.report_worker("host:1:a", "1.0", NOW, datetime.now(UTC))
    store.report_worker("host:2:b", "1.0", NOW, datetime.now(UTC))
    silent = update(workers).where(workers.c.name == "host:1:a")
    with store.writing() as connection:
        connection.execute(silent.values(last_report_at=datetime.now(UTC) - timedelta(seconds=110)))
    [finding] = findings(settings, "workers")
    assert finding.health is Health.WARNING
    assert said(finding.text).startswith("Worker host:1:a has not reported for 2 minutes")


def test_a_worker_whose_clock_is_wrong_is_named(settings: Settings, store: SqlStore) -> None:
    store.report_worker("host:1:a", "1.0", NOW, datetime.now(UTC) + timedelta(seconds=180))
    [finding] = findings(settings, "workers")
    assert finding.health is Health.WARNING
    assert "host:1:a" in said(finding.text)
    assert "ahead of the database's" in said(finding.text)


def test_the_columns_count_and_not_the_revision_alone(settings: Settings, store: SqlStore) -> None:
    with store.writing() as connection:
        connection.execute(text("ALTER TABLE imports DROP COLUMN alerts"))
    [finding] = findings(settings, "database")
    assert finding.health is Health.ERROR
    assert "imports.alerts" in said(finding.text)


@pytest.mark.parametrize("keys", [(OTHER_KEY, KEY), (KEY, OTHER_KEY)])
def test_an_undecryptable_password_of_either_side_is_reported(
    settings: Settings, store: SqlStore, keys: tuple[str, str]
) -> None:
    add(store, NOW, keys=keys)
    [finding] = findings(settings, "key")
    assert finding.health is Health.ERROR
    assert said(finding.text).startswith("1 stored password")


def test_decryptable_passwords_are_ok(settings: Settings, store: SqlStore) -> None:
    add(store, NOW)
    [finding] = findings(settings, "key")
    assert finding.health is Health.OK


def test_recent_mails_are_no_finding(settings: Settings, store: SqlStore) -> None:
    assert [f.health for f in findings(settings, "outbox")] == [Health.OK]
    store.post([notice(MailState.SENDING, NOW), notice(MailState.PENDING, NOW)])
    assert [f.health for f in findings(settings, "outbox")] == [Health.OK]


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (MailState.SENDING, "1 mail was being sent"),
        (MailState.PENDING, "1 mail has been waiting"),
        (MailState.REFUSED, "1 mail was refused"),
    ],
)
def test_mails_stuck_for_hours_are_reported(
    settings: Settings, store: SqlStore, state: MailState, says: str
) -> None:
    store.post([notice(state, NOW - timedelta(hours=2))])
    [finding] = findings(settings, "outbox")
    assert finding.health is Health.WARNING
    assert says in said(finding.text)
    assert "deploy/RUNBOOK.md" in said(finding.text)


def test_a_database_of_a_newer_version_is_reported(settings: Settings) -> None:
    engine = open_engine(settings.database_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'from the future'"))
    engine.dispose()
    [finding] = findings(settings, "database")
    assert finding.health is Health.ERROR
    assert "newer version" in said(finding.text)


def test_only_the_requested_parts_are_checked(settings: Settings) -> None:
    assert {finding.part for finding in examine(settings)} == set(PARTS)
    assert [finding.part for finding in examine(settings, ["key", "database"])] == ["key", "database"]


def test_every_part_has_a_name() -> None:
    assert tuple(PART_NAMES) == PARTS


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_console_names_each_part_in_the_readers_language(tmp_path: Path, language: str) -> None:
    data = ["--data", str(tmp_path), "--language", language]
    words = texts(language)
    shown = CliRunner().invoke(console, ["doctor", *data]).stdout
    for part in PARTS:
        assert re.search(rf"^[✓!✗] {part_name(words, part)}{words.colon} \S", shown, re.MULTILINE)
