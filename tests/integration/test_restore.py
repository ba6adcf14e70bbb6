"""A backup from the middle of imports is restored after more was copied, with the commands of the runbook:
nothing is lost or doubled, and the reports agree with what is there."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import make_url

from importer.adapters.store.schema import migrate, schema_state
from importer.ports.schema import SchemaState
from tests.conftest import MakeUser
from tests.contract.test_upgrade import restored as earlier_database
from tests.integration.test_frozen import messages, running, wait_for
from tests.integration.test_kill import stored
from tests.rehearsal.checker import compare
from tests.rehearsal.dovecot import Dovecot
from tests.rehearsal.hosts import User
from tests.rehearsal.installation import Installation
from tests.rehearsal.postgres import fresh_database, programs
from tests.rehearsal.processes import kill_group, stop_group
from tests.rehearsal.proxy import CuttingProxy, cutting_proxy

RUNBOOK: Final = (Path(__file__).parents[2] / "deploy/RUNBOOK.md").read_text(encoding="utf-8")
BATCH: Final = 4
QUICK: Final = {
    "TICK_SECONDS": "1",
    "LEASE_SECONDS": "5",
    "SETTLE_QUIET_SECONDS": "1",
    "LANES": "1",
    "BATCH_MESSAGES": str(BATCH),
    "COMPRESS": "off",
}
MESSAGES, SIZE_BYTES = 30, 20_000
LINE_BYTES_PER_S: Final = 40_000


class PostgresBackup:
    def __init__(self, url: str, file: Path) -> None:
        self._parts, self._file = make_url(url), file

    def take(self) -> None:
        self._run("pg_dump --format=custom", self._database, stdout=self._file)

    def restore(self) -> None:
        self._run("dropdb --force", self._database)
        self._run("createdb", self._database)
        self._run("pg_restore --no-owner", f"--dbname={self._database}", str(self._file))

    @property
    def _database(self) -> str:
        return str(self._parts.database)

    def _run(self, command: str, *arguments: str, stdout: Path | None = None) -> None:
        """Run a command as the runbook has it, on the server of the test."""
        assert command in RUNBOOK
        program, *options = command.split()
        login = (f"--host={self._parts.query['host']}", f"--username={self._parts.username}")
        done = subprocess.run(
            [programs() / program, *options, *login, *arguments], capture_output=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, b"")
        if stdout is not None:
            stdout.write_bytes(done.stdout)


class SqliteBackup:
    def __init__(self, database: Path, file: Path) -> None:
        self._database, self._file = database, file

    def take(self) -> None:
        command = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('VACUUM INTO ?', (sys.argv[2],))"
        assert command in RUNBOOK
        subprocess.run([sys.executable, "-c", command, self._database, self._file], check=True)

    def restore(self) -> None:
        for suffix in ("-wal", "-shm"):
            assert f"mailhaul.db{suffix}" in RUNBOOK
            self._database.with_name(self._database.name + suffix).unlink(missing_ok=True)
        shutil.copy(self._file, self._database)


@pytest.fixture(params=["sqlite", "postgresql"])
def installation(
    request: pytest.FixtureRequest, tmp_path: Path, new_host: Dovecot, valkey_url: str
) -> Installation:
    made = Installation(tmp_path, QUICK | {"CA_FILE": str(new_host.ca_file), "REDIS_URL": valkey_url})
    if request.param == "postgresql":
        made.settings["DATABASE_URL"] = fresh_database(request.getfixturevalue("postgres_url"))
    made.run("migrate")
    return made


@pytest.fixture
def backup(installation: Installation, tmp_path: Path) -> PostgresBackup | SqliteBackup:
    url, file = installation.settings.get("DATABASE_URL"), tmp_path / "backup"
    return PostgresBackup(url, file) if url else SqliteBackup(installation.data / "mailhaul.db", file)


@pytest.fixture
def pair(old_host: Dovecot, new_host: Dovecot, make_user: MakeUser) -> Callable[[], tuple[User, User]]:
    def make() -> tuple[User, User]:
        old, new = make_user(old_host), make_user(new_host)
        old.fill(messages(MESSAGES, SIZE_BYTES))
        return old, new

    return make


def submit(installation: Installation, old: User, new: User, proxy: CuttingProxy | None = None) -> str:
    """The id of its batch. With a proxy, that is the way to the new mailbox."""
    through = new if proxy is None else replace(new, account=replace(new.account, endpoint=proxy.endpoint))
    [submitted] = installation.json("batch", str(installation.csv("people.csv", [(old, through)])))
    return str(submitted["batch_id"])


def report(installation: Installation, batch: str) -> dict[str, Any]:
    """The report of its only import, which has to agree with the new mailbox."""
    [found] = installation.json("report", batch)["imports"]
    assert (found["state"], found["refusals"], found["totals"]["adds_up"]) == ("complete", [], True)
    assert found["totals"]["copied"] == found["totals"]["confirmed"]
    assert found["totals"]["copied"] + found["totals"]["already_there"] == MESSAGES
    result: dict[str, Any] = found
    return result


def test_a_backup_from_the_middle_of_an_import_is_restored(
    installation: Installation,
    backup: PostgresBackup | SqliteBackup,
    new_host: Dovecot,
    pair: Callable[[], tuple[User, User]],
) -> None:
    done, under_way, later = pair(), pair(), pair()
    with cutting_proxy(new_host.imaps) as line:
        with running(installation) as worker:
            first = submit(installation, *done)
            installation.run("watch", first)
            kept = report(installation, first)
            line.bytes_per_s = LINE_BYTES_PER_S
            second = submit(installation, *under_way, line)
            wait_for(lambda: line.passed["server"] > 4 * SIZE_BYTES)
            backup.take()
            known = stored([under_way[1]]) + 2 * BATCH  # at most: one batch recorded meanwhile, and one sent
            third = submit(installation, *later)
            installation.run("watch", third)
            wait_for(lambda: stored([under_way[1]]) > known)
            kill_group(worker)
        there = under_way[1].read().count()
        assert known < there < MESSAGES, "the import was under way"
        backup.restore()
        line.fast_from = line.connections + 1
        installation.run("migrate")
        with running(installation) as worker:
            installation.run("watch", second)
            assert report(installation, first) == kept
            again = report(installation, second)
            assert 0 < again["totals"]["already_there"] <= there
            # Of this one the backup knows nothing: the mail is recognised by its bytes.
            assert installation.run("report", third, ends=2).stdout == ""
            third = submit(installation, *later)
            installation.run("watch", third)
            assert report(installation, third)["totals"]["already_there"] == MESSAGES
            stop_group(worker, patience_s=30)
    for old, new in (done, under_way, later):
        assert compare(old.read(), new.read()) == []
        assert new.read().count() == MESSAGES


def test_a_backup_of_an_earlier_version_can_be_upgraded_after_it_was_restored(
    request: pytest.FixtureRequest, postgres_url: str, tmp_path: Path
) -> None:
    """Tables that are newer than the backup must not stay: the upgrade creates them."""
    earlier, current = earlier_database("postgresql", request, tmp_path), fresh_database(postgres_url)
    migrate(current)
    PostgresBackup(earlier, tmp_path / "backup").take()
    PostgresBackup(current, tmp_path / "backup").restore()
    assert schema_state(current) is SchemaState.BEHIND
    migrate(current)
    assert schema_state(current) is SchemaState.CURRENT
