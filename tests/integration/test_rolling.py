"""An upgrade without a pause: workers of the version before and of this one side by side, and the migration
beside them. Imports under way go on, and none fails."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography.fernet import Fernet

from importer.adapters.store.revision import HEAD
from importer.adapters.store.schema import missing_columns, schema_state
from importer.ports.schema import SchemaState
from tests.conftest import MakeUser
from tests.integration.test_frozen import messages, running, wait_for
from tests.rehearsal.checker import compare
from tests.rehearsal.dovecot import Dovecot
from tests.rehearsal.installation import Installation
from tests.rehearsal.postgres import fresh_database
from tests.rehearsal.processes import stop_group
from tests.rehearsal.proxy import cutting_proxy
from tests.rehearsal.version_before import MIGRATIONS, console_of, unpack_version_before

MESSAGES, SIZE_BYTES = 30, 20_000


class Versions(NamedTuple):
    """Two installations, each with its own directory and log, of one database, queue and key."""

    before: Installation
    now: Installation
    database_url: str


@pytest.fixture(params=["postgresql", "sqlite"])
def versions(request: pytest.FixtureRequest, tmp_path: Path, new_host: Dovecot, valkey_url: str) -> Versions:
    packages = tmp_path / "packages"
    if lacks := unpack_version_before(packages):
        pytest.skip(lacks)
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'mailhaul.db'}"
    else:
        url = fresh_database(request.getfixturevalue("postgres_url"))
    settings = {
        "CA_FILE": str(new_host.ca_file),
        "REDIS_URL": valkey_url,
        "DATABASE_URL": url,
        "SECRET_KEY": Fernet.generate_key().decode(),
        "TICK_SECONDS": "1",
        "LEG_SECONDS": "2",
        "SETTLE_QUIET_SECONDS": "1",
        "WORKER_THREADS": "1",
        "LANES": "1",
        "BATCH_MESSAGES": "4",
        "COMPRESS": "off",
    }
    for name in ("before", "now"):
        (tmp_path / name).mkdir()
    before = Installation(tmp_path / "before", settings, command=console_of(packages))
    return Versions(before, Installation(tmp_path / "now", settings), url)


def legs(installation: Installation) -> int:
    """How many its worker has finished."""
    return installation.log().count("leg.finished")


def test_imports_go_on_through_a_migration_beside_workers_of_both_versions(
    versions: Versions, old_host: Dovecot, new_host: Dovecot, make_user: MakeUser
) -> None:
    before, now, url = versions
    before.run("migrate")
    assert schema_state(url) is SchemaState.BEHIND
    pairs = [(make_user(old_host), make_user(new_host)) for _ in range(2)]
    for old, _ in pairs:
        old.fill(messages(MESSAGES, SIZE_BYTES))
    with cutting_proxy(new_host.imaps) as line:
        line.bytes_per_s = 60_000
        slow = [
            (old, replace(new, account=replace(new.account, endpoint=line.endpoint))) for old, new in pairs
        ]
        with running(before) as earlier:
            [submitted] = before.json("batch", str(before.csv("people.csv", slow)))
            wait_for(lambda: line.passed["server"] > 3 * SIZE_BYTES)
            now.run("migrate")
            assert (schema_state(url), missing_columns(url)) == (SchemaState.CURRENT, [])
            finished = legs(before)
            with running(now) as later:
                wait_for(lambda: legs(now) > 0)
                wait_for(lambda: legs(before) > finished)
                assert sum(new.read().count() for _, new in pairs) < 2 * MESSAGES, "they are under way"
                stop_group(earlier, patience_s=30)
                line.fast_from = line.connections + 1
                now.run("watch", submitted["batch_id"])
                stop_group(later, patience_s=30)
    for log in (before.log(), now.log()):
        assert not [line for line in log.splitlines() if "leg.failed" in line or "Traceback" in line]
    for (old, new), report in zip(pairs, now.json("report", submitted["batch_id"])["imports"], strict=True):
        assert (report["state"], report["totals"]["copied"]) == ("complete", MESSAGES)
        assert compare(old.read(), new.read()) == []


def test_later_migrations_take_nothing_away_from_workers_of_the_version_before() -> None:
    """What is no longer used can go with the version after next. Those up to 0018 came before this rule."""
    takes = re.compile(r"op\.(?:drop_(?!index)|rename_|alter_column)|\b(?:DROP|RENAME)\b")
    files = {path.name[1:5]: path.read_text(encoding="utf-8") for path in MIGRATIONS.glob("v*.py")}
    assert max(files) == HEAD
    assert [number for number, text in files.items() if number > "0018" and takes.search(text)] == []
    assert takes.search(files["0009"]), "this one removes columns"
