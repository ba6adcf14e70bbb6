"""Workers that are frozen or cut off in the middle of an append, for longer than a lease: nothing twice.

Each test waits until another worker has finished the import, and then lets the first one go on.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import make_url

from importer.adapters.store.schema import migrate
from tests.conftest import MakeUser
from tests.rehearsal.checker import compare
from tests.rehearsal.dovecot import Dovecot
from tests.rehearsal.fill import INBOX, Stored
from tests.rehearsal.hosts import User
from tests.rehearsal.installation import Installation
from tests.rehearsal.ports import wait_until
from tests.rehearsal.postgres import fresh_database
from tests.rehearsal.processes import kill_group, stop_group
from tests.rehearsal.proxy import CuttingProxy, cutting_proxy

SHORT = {
    "TICK_SECONDS": "1",
    "LEASE_SECONDS": "5",
    "SETTLE_QUIET_SECONDS": "3",
    "LANES": "1",
    "WORKER_THREADS": "1",
    "COMPRESS": "off",
}
LINE_BYTES_PER_S = 100_000


def messages(number: int, size_bytes: int) -> Iterator[Stored]:
    chance = random.Random(number)
    for n in range(number):
        text = "\r\n".join(f"{chance.getrandbits(280):070x}" for _ in range(size_bytes // 72))
        head = f"Message-ID: <{n}@old.example>\r\nFrom: ada@old.example\r\nSubject: {n}\r\n\r\n"
        yield Stored(INBOX, (), datetime(2020, 1, 1, 12, n, tzinfo=UTC), (head + text + "\r\n").encode())


@pytest.fixture
def database_url(postgres_url: str) -> str:
    """On SQLite a worker that is frozen in the middle of a transaction stops all others of the machine."""
    url = fresh_database(postgres_url)
    migrate(url)
    return url


@pytest.fixture
def installation(tmp_path: Path, new_host: Dovecot, valkey_url: str, database_url: str) -> Installation:
    settings = {"CA_FILE": str(new_host.ca_file), "REDIS_URL": valkey_url, "DATABASE_URL": database_url}
    return Installation(tmp_path, SHORT | settings)


@contextmanager
def running(installation: Installation) -> Iterator[subprocess.Popen[bytes]]:
    """A worker that may be frozen at the end."""
    worker = installation.start_worker()
    try:
        yield worker
    finally:
        with suppress(ProcessLookupError):
            os.killpg(worker.pid, signal.SIGCONT)
        kill_group(worker)


def begin(installation: Installation, old: User, new: User, proxy: CuttingProxy) -> str:
    """Submits the import of `old`, with a slow line to `new`; its batch."""
    through = replace(new, account=replace(new.account, endpoint=proxy.endpoint))
    batch = installation.json("batch", str(installation.csv("people.csv", [(old, through)])))
    return str(batch[0]["batch_id"])


def wait_for(condition: Callable[[], bool]) -> None:
    assert wait_until(condition)


def lost_leases(installation: Installation) -> int:
    return installation.log().count("leg.lost_lease")


def check_all_there_once(installation: Installation, batch: str, old: User, new: User) -> None:
    assert compare(old.read(), new.read()) == []
    [report] = installation.json("report", batch)["imports"]
    assert report["state"] == "complete"
    assert report["totals"]["adds_up"]
    assert report["refusals"] == []


@pytest.mark.parametrize(
    ("number", "size_bytes"),
    [
        pytest.param(40, 150_000, id="the rest was with the worker"),
        pytest.param(50, 40_000, id="the rest was with its operating system"),
    ],
)
def test_a_worker_that_thaws_in_the_middle_of_an_append_sends_no_more(
    installation: Installation,
    old_host: Dovecot,
    new_host: Dovecot,
    make_user: MakeUser,
    number: int,
    size_bytes: int,
) -> None:
    old, new = make_user(old_host), make_user(new_host)
    old.fill(messages(number, size_bytes))
    with cutting_proxy(new_host.imaps) as proxy, running(installation) as first:
        proxy.bytes_per_s = LINE_BYTES_PER_S
        batch = begin(installation, old, new, proxy)
        wait_for(lambda: proxy.passed["server"] > 400_000)
        os.killpg(first.pid, signal.SIGSTOP)
        proxy.fast_from = proxy.connections + 1  # the other worker's line is fast
        with running(installation) as second:
            installation.run("watch", batch)
            lost = lost_leases(installation)  # a busy machine may have let one expire
            os.killpg(first.pid, signal.SIGCONT)
            wait_for(lambda: lost_leases(installation) > lost)
            wait_for(lambda: proxy.open_connections == 0)
            stop_group(second, patience_s=30)
        check_all_there_once(installation, batch, old, new)


def test_a_worker_that_is_cut_off_from_the_database_alone_stops_sending(
    installation: Installation,
    old_host: Dovecot,
    new_host: Dovecot,
    make_user: MakeUser,
    database_url: str,
) -> None:
    parts = make_url(database_url)
    socket_file = Path(str(parts.query["host"])) / ".s.PGSQL.5432"
    old, new = make_user(old_host), make_user(new_host)
    old.fill(messages(30, 100_000))
    with cutting_proxy(new_host.imaps) as line, cutting_proxy(new_host.imaps, socket_file) as database:
        through = parts.set(host="127.0.0.1", port=database.endpoint.port, query={})
        far = through.render_as_string(hide_password=False)
        cut_off = replace(installation, settings=installation.settings | {"DATABASE_URL": far})
        with running(cut_off):
            line.bytes_per_s = LINE_BYTES_PER_S
            batch = begin(installation, old, new, line)
            wait_for(lambda: line.passed["server"] > 400_000)
            database.freeze()
            line.fast_from = line.connections + 1
            with running(installation) as second:
                installation.run("watch", batch)
                wait_for(lambda: line.open_connections == 0)
                stop_group(second, patience_s=30)
        check_all_there_once(installation, batch, old, new)
