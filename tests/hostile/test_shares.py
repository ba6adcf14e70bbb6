"""Two people with many imports advance side by side in a real worker, with every store and queue."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from importer.bootstrap import queued
from importer.domain.csv_import.import_rows import Row
from importer.domain.import_filter import ImportFilter
from importer.domain.import_state import ENDED
from importer.domain.model import Import, State
from importer.domain.people.actor import Actor
from importer.ports.store import Store
from importer.service.imports.submit import submit
from importer.settings import Settings
from providers.endpoint import Secret
from tests.conftest import MakeUser
from tests.rehearsal.dovecot import Dovecot
from tests.rehearsal.installation import Installation
from tests.rehearsal.ports import wait_until
from tests.rehearsal.postgres import fresh_database
from tests.rehearsal.sample import sample_mailbox

IMPORTS = 6
"""Of each person. tests/contract/test_fair_legs.py has a hundred of each, without a mail host."""


@pytest.fixture(params=["sqlite and embedded queue", "postgresql and redis"])
def installation(request: pytest.FixtureRequest, tmp_path: Path, new_host: Dovecot) -> Installation:
    settings = {"CA_FILE": str(new_host.ca_file), "TICK_SECONDS": "1", "WORKER_THREADS": "2"}
    if request.param.startswith("postgresql"):
        settings["DATABASE_URL"] = fresh_database(request.getfixturevalue("postgres_url"))
        settings["REDIS_URL"] = request.getfixturevalue("valkey_url")
    installed = Installation(tmp_path, settings)
    installed.run("migrate")
    return installed


def rows(make_user: MakeUser, old: Dovecot, new: Dovecot) -> list[Row]:
    """Imports of a mailbox with a message into new mailboxes."""
    source = make_user(old)
    source.fill(list(sample_mailbox())[:1])
    found = []
    for line in range(IMPORTS):
        target = make_user(new)
        found.append(
            Row(line, source.account, Secret(source.password), target.account, Secret(target.password))
        )
    return found


def imports_of(store: Store, owner: str) -> list[Import]:
    return list(store.imports(ImportFilter(owner=owner)))


def test_a_person_who_submits_second_is_not_served_last(
    installation: Installation,
    monkeypatch: pytest.MonkeyPatch,
    old_host: Dovecot,
    new_host: Dovecot,
    make_user: MakeUser,
) -> None:
    for name, value in installation.environment().items():
        if name.startswith("MAILHAUL_"):
            monkeypatch.setenv(name, value)
    with queued(Settings.load()) as deps:
        for owner in ("mallory", "grace"):
            submit(deps, Actor(owner=owner), rows(make_user, old_host, new_host))
        with installation.worker():
            assert wait_until(lambda: _all_ended(deps.store)), installation.log()
        ended = [
            (import_.finished_at, owner)
            for owner in ("mallory", "grace")
            for import_ in imports_of(deps.store, owner)
            if import_.state is State.COMPLETE
        ]
    assert len(ended) == 2 * IMPORTS
    order = [owner for _, owner in sorted(ended, key=lambda entry: str(entry[0]))]
    half = Counter(order[:IMPORTS])
    print("ended:", " ".join(owner[0] for owner in order))
    assert abs(half["mallory"] - half["grace"]) <= 2, order


def _all_ended(store: Store) -> bool:
    return all(import_.state in ENDED for import_ in store.imports())
