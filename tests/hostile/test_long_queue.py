"""A visitor with 20 messages does not wait behind the mailboxes that 200 others have queued.

`make soak` queues 10,000 imports of 200 owners, `make test` 2,000 of 100.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from benchmarks.stored_imports import add_in_bulk
from importer.adapters.store import SqlStore
from importer.bootstrap import queued
from importer.domain.csv_import.import_rows import Row
from importer.domain.model import Account, Batch, BatchId, Import, ImportId, State
from importer.domain.people.actor import Actor
from importer.ports.store import SealedGrants
from importer.service.access.sealed_grants import OpenedGrants, seal_grants
from importer.service.imports.submit import submit
from importer.settings import Settings
from providers.endpoint import Secret
from providers.grants import PasswordGrant
from tests.conftest import MakeUser
from tests.rehearsal.dovecot import Dovecot
from tests.rehearsal.hosts import User
from tests.rehearsal.installation import Installation
from tests.rehearsal.ports import wait_until
from tests.rehearsal.proxy import cutting_proxy
from tests.rehearsal.sample import sample_mailbox
from tests.sampling import fewer

OWNERS: Final = fewer("owners in a long queue", test=100, soak=200)
IMPORTS_EACH: Final = fewer("imports of each in a long queue", test=20, soak=50)
THREADS: Final = 4
BYTES_PER_S: Final = 4_000
"""Of each connection of the queued imports: their legs last until they are called off."""

DONE_WITHIN_S: Final = 60
"""On a machine with a core for each process; the test allows more."""
PASSWORD: Final = "long-queue"


def accounts(host: Dovecot, name: str, number: int) -> list[Account]:
    """Mailboxes at the host, all with the same password."""
    for n in range(number):
        host.add_user(f"{name}{n}", PASSWORD)
    return [host.account(f"{name}{n}") for n in range(number)]


def submissions(sources: list[Account], targets: list[Account]) -> Iterator[tuple[Batch, list[Import]]]:
    """A batch of each owner; no two imports of an owner share a mailbox."""
    now = datetime.now(UTC)
    for owner in range(OWNERS):
        batch_id = BatchId(f"batch{owner}")
        imports = [
            Import(
                ImportId(f"queued{owner}x{row}"),
                sources[row],
                targets[(owner + row) % len(targets)],
                now,
                batch_id,
                row,
            )
            for row in range(IMPORTS_EACH)
        ]
        yield Batch(batch_id, now, "", "", tuple(i.id for i in imports), f"client:{owner}"), imports


def visitor(make_user: MakeUser, old: Dovecot, new: Dovecot) -> tuple[Row, User]:
    """A row of 20 messages, and its destination."""
    source, target = make_user(old), make_user(new)
    source.fill(list(sample_mailbox())[:20])
    row = Row(1, source.account, Secret(source.password), target.account, Secret(target.password))
    return row, target


def test_a_visitor_is_done_within_a_minute_although_thousands_are_queued(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    old_host: Dovecot,
    new_host: Dovecot,
    make_user: MakeUser,
) -> None:
    installation = Installation(
        tmp_path, {"CA_FILE": str(new_host.ca_file), "TICK_SECONDS": "1", "WORKER_THREADS": str(THREADS)}
    )
    installation.run("migrate")
    for name, value in installation.environment().items():
        if name.startswith("MAILHAUL_"):
            monkeypatch.setenv(name, value)
    with cutting_proxy(old_host.imaps) as line, queued(Settings.load()) as deps:
        line.narrow(BYTES_PER_S)
        sources = [
            replace(account, endpoint=line.endpoint)
            for account in accounts(old_host, "queued-source", IMPORTS_EACH)
        ]
        for account in sources:
            direct = User(replace(account, endpoint=old_host.imaps), PASSWORD, old_host.ca_file)
            direct.fill(list(sample_mailbox()))
        targets = accounts(new_host, "queued-target", OWNERS)
        opened = OpenedGrants(PasswordGrant(Secret(PASSWORD)), PasswordGrant(Secret(PASSWORD)))

        def sealed(import_: Import) -> SealedGrants:
            return seal_grants(deps, import_.id, opened)

        assert isinstance(deps.store, SqlStore)
        add_in_bulk(deps.store, submissions(sources, targets), sealed)
        row, target = visitor(make_user, old_host, new_host)
        with installation.worker():
            assert wait_until(lambda: deps.store.running_legs() >= THREADS, timeout_s=120), installation.log()
            began = time.monotonic()
            [submitted] = submit(deps, Actor(owner="mailbox:visitor"), [row]).rows

            def is_done() -> bool:
                import_ = deps.store.import_(submitted.import_.id)
                return import_ is not None and import_.state is State.COMPLETE

            assert wait_until(is_done, timeout_s=3 * DONE_WITHIN_S), installation.log()
            print(f"{OWNERS * IMPORTS_EACH} queued, done after {time.monotonic() - began:.1f} s")
            queued_still = deps.store.queue_depth(deps.clock.now()).due
        assert target.read().count() == 20
        assert queued_still > OWNERS * IMPORTS_EACH // 2, "the others were not served first"
