"""Pages, workers and the console under a role that owns nothing, and how many connections a worker opens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any, Final

import httpx
import psycopg
import pytest
from sqlalchemy import make_url

from importer.adapters.store.schema import migrate
from tests.conftest import MakeUser
from tests.integration.test_frozen import messages
from tests.rehearsal.checker import compare
from tests.rehearsal.dovecot import Dovecot
from tests.rehearsal.installation import Installation
from tests.rehearsal.ports import free_ports, wait_until
from tests.rehearsal.postgres import connect, fresh_database
from tests.rehearsal.processes import start_group, stop_group

SCRIPT: Final = Path(__file__).parents[2] / "deploy/postgresql/run-role.sql"
OWNER, RUN = "mailhaul", "mailhaul_run"
POOL: Final = 32
"""pool_size and max_overflow of a process: importer/adapters/store/sql_engine.py."""


def ask(url: str, statement: str) -> list[tuple[Any, ...]]:
    with connect(url) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


@pytest.fixture
def roles(postgres_url: str) -> Iterator[dict[str, str]]:
    """The URLs of a migrated database for its superuser, its owner and the role of pages and workers.

    They belong to the whole server, and another test creates one of the same name: so both are dropped.
    """
    admin = fresh_database(postgres_url)
    parts = make_url(admin)
    for role in (OWNER, RUN):
        ask(admin, f"CREATE ROLE {role} LOGIN")
    ask(admin, f'ALTER DATABASE "{parts.database}" OWNER TO {OWNER}')
    ask(admin, f'REVOKE ALL ON DATABASE "{parts.database}" FROM PUBLIC')
    urls = {role: str(parts.set(username=role)) for role in (OWNER, RUN)} | {"admin": admin}
    migrate(urls[OWNER])
    ask(urls[OWNER], SCRIPT.read_text(encoding="utf-8"))
    yield urls
    ask(postgres_url, f'DROP DATABASE "{parts.database}" WITH (FORCE)')
    for role in (RUN, OWNER):
        ask(postgres_url, f"DROP ROLE {role}")


@pytest.fixture
def installation(tmp_path: Path, new_host: Dovecot, valkey_url: str, roles: dict[str, str]) -> Installation:
    settings = {
        "CA_FILE": str(new_host.ca_file),
        "REDIS_URL": valkey_url,
        "DATABASE_URL": roles[RUN],
        "TICK_SECONDS": "1",
        "WORKER_THREADS": "8",
        "LANES": "3",
        "BATCH_MESSAGES": "5",
    }
    return Installation(tmp_path, settings)


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE audit_events DISABLE TRIGGER ALL",
        "DROP TRIGGER audit_events_no_update ON audit_events",
        "DROP TABLE imports",
        "TRUNCATE audit_events",
        "CREATE TABLE mine (a int)",
        "CREATE TEMPORARY TABLE mine (a int)",
        "UPDATE alembic_version SET version_num = '0001'",
        "ALTER TABLE imports ADD COLUMN mine int",
    ],
)
def test_the_role_of_pages_and_workers_changes_rows_only(roles: dict[str, str], statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        ask(roles[RUN], statement)


def test_a_later_migration_of_the_owner_grants_it_what_it_adds(roles: dict[str, str]) -> None:
    ask(roles[OWNER], "CREATE TABLE later (seq bigserial PRIMARY KEY, a int)")
    ask(roles[RUN], "INSERT INTO later (a) VALUES (1)")
    assert ask(roles[RUN], "SELECT a FROM later") == [(1,)]


class Watched:
    """The most connections of that role at a time, while the block runs."""

    def __init__(self, url: str) -> None:
        self.most, self._url, self._ended = 0, url, Event()
        self._thread = Thread(target=self._watch)

    def _watch(self) -> None:
        with connect(self._url) as connection:
            while not self._ended.wait(0.02):
                [(number,)] = connection.execute(
                    "SELECT count(*) FROM pg_stat_activity WHERE usename = %s", (RUN,)
                ).fetchall()
                self.most = max(self.most, number)

    def __enter__(self) -> Watched:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()


@pytest.fixture
def limited(roles: dict[str, str]) -> Iterator[int]:
    """The server refuses the role more connections than a worker may open, and some for the console."""
    limit = POOL + 6
    ask(roles["admin"], f"ALTER ROLE {RUN} CONNECTION LIMIT {limit}")
    yield limit
    ask(roles["admin"], f"ALTER ROLE {RUN} CONNECTION LIMIT -1")


def test_everything_works_under_it_and_connections_are_bounded(
    installation: Installation,
    roles: dict[str, str],
    limited: int,
    old_host: Dovecot,
    new_host: Dovecot,
    make_user: MakeUser,
    record_property: Any,
) -> None:
    pairs = [(make_user(old_host), make_user(new_host)) for _ in range(10)]
    for old, _ in pairs:
        old.fill(messages(40, 3_000))
    run = installation.run
    with Watched(roles["admin"]) as watched:
        [submitted] = installation.json("batch", str(installation.csv("people.csv", pairs)))
        batch, first = submitted["batch_id"], submitted["rows"][0]["id"]
        run("pause", first)
        run("resume", first)
        with installation.worker():
            run("watch", batch)
    for old, new in pairs:
        assert compare(old.read(), new.read()) == []
    record_property("connections of one worker and its console", watched.most)
    assert 1 < watched.most <= limited
    assert {report["state"] for report in installation.json("report", batch)["imports"]} == {"complete"}
    passwords = installation.copy_words(*pairs[0])
    findings = {finding["part"]: finding for finding in installation.json("doctor", ends=None)}
    assert findings["database"]["health"] == "well"
    for words in (
        ("list",),
        ("explain", first),
        ("verify", first, *passwords[3:5], *passwords[7:9]),
        ("session", "list"),
        ("keys", "rotate"),
        ("maintenance", "on"),
        ("maintenance", "off"),
        ("audit",),
        ("budgets",),
        ("undo", first, "--yes", *passwords[7:9]),
        ("data", "erase", pairs[0][0].account.address, "--yes"),
        ("migrate",),  # there is nothing to do
    ):
        run(*words)


def test_pages_and_api_answer_under_it(installation: Installation) -> None:
    [port] = free_ports(1)
    installation.settings["WEB_LISTEN"] = f"127.0.0.1:{port}"
    installation.settings["DESTINATION_SERVER"] = "imaps://mail.new.example"
    token = installation.json("token", "create", "panel")["token"]

    def answers() -> bool:
        try:
            answer = httpx.get(
                f"http://127.0.0.1:{port}/api/v1/imports", headers={"Authorization": f"Bearer {token}"}
            )
        except httpx.TransportError:
            return False
        return answer.is_success and answer.json()["items"] == []

    words = [*installation.command, "web"]
    process = start_group(words, installation.log_file, environment=installation.environment())
    try:
        assert wait_until(answers, every_s=0.5), installation.log()
    finally:
        stop_group(process, patience_s=30)
