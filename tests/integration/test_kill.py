"""Workers are killed at random moments and queues flushed mid-run: nothing is lost or duplicated.

`make test` runs one of the rounds, `make soak` all of them. MAILHAUL_TEST_ROUNDS sets how many there are
(default 3). The number of a round seeds its random numbers.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import update

from importer.adapters.store import open_engine
from importer.adapters.store.tables import leases, slots
from tests.conftest import MakeUser
from tests.rehearsal.checker import compare
from tests.rehearsal.corpus import LANDS_IN, corpus
from tests.rehearsal.dovecot import Dovecot
from tests.rehearsal.fill import connect
from tests.rehearsal.hosts import User
from tests.rehearsal.installation import Installation
from tests.rehearsal.ports import wait_until
from tests.rehearsal.postgres import fresh_database
from tests.rehearsal.processes import kill_group, start_group, stop_group
from tests.rehearsal.valkey import Valkey, end_embedded

ROUNDS = int(os.environ.get("MAILHAUL_TEST_ROUNDS", "3"))
QUICK = {
    "TICK_SECONDS": "1",
    "LEASE_SECONDS": "5",
    "LEG_SECONDS": "2",
    "SETTLE_QUIET_SECONDS": "3",
    "BATCH_MESSAGES": "20",
}


@pytest.fixture
def installation(tmp_path: Path, new_host: Dovecot, valkey_url: str) -> Installation:
    """An installation whose workers quickly notice that another worker died."""
    return Installation(tmp_path, QUICK | {"CA_FILE": str(new_host.ca_file), "REDIS_URL": valkey_url})


def filled(make_user: MakeUser, host: Dovecot, seed: int) -> User:
    user = make_user(host)
    user.fill(corpus(messages=600, folders=5, seed=seed, median_bytes=3000))
    return user


def kill_at_work(process: subprocess.Popen[bytes], users: Sequence[User], chance: random.Random) -> None:
    """Kill the process at a random moment after it has stored a random number of messages."""
    try:
        goal = stored(users) + chance.randrange(len(users) * 120)
        wait_until(lambda: process.poll() is not None or stored(users) >= goal)
        time.sleep(chance.random() * 0.3)
    finally:
        kill_group(process)


def stored(users: Sequence[User]) -> int:
    """How many messages the users' mailboxes hold."""
    total = 0
    for user in users:
        client = connect(user.account.endpoint, user.account.login, user.password, user.ca_file)
        for line in client.list()[1]:
            assert isinstance(line, bytes)
            name = line.partition(b' "/" ')[2].decode("ascii")
            count = re.search(rb"\(MESSAGES ([0-9]+)\)", client.status(name, "(MESSAGES)")[1][0])
            total += int(count[1]) if count else 0  # a parent that holds no mail
        client.logout()
    return total


def expire_leases(installation: Installation) -> None:
    """Expire all leases and slots, so that the reservations of a killed process end."""
    engine = open_engine(f"sqlite:///{installation.data / 'mailhaul.db'}")
    with engine.begin() as connection:
        for table in (leases, slots):
            connection.execute(update(table).values(expires_at=datetime(2020, 1, 1, tzinfo=UTC)))
    engine.dispose()


@pytest.mark.sampled(1)
@pytest.mark.parametrize("round_", range(ROUNDS))
def test_a_killed_worker_loses_and_duplicates_nothing(
    installation: Installation, old_host: Dovecot, new_host: Dovecot, make_user: MakeUser, round_: int
) -> None:
    chance = random.Random(round_)
    routes = [(filled(make_user, old_host, round_ * 2 + i), make_user(new_host)) for i in range(2)]
    batch = installation.json("batch", str(installation.csv("people.csv", routes)))
    for last in (False, False, True):
        kill_at_work(installation.start_worker(), [new for _, new in routes], chance)
        if not last:  # the last worker waits until they expire
            expire_leases(installation)
    with installation.worker():
        installation.run("watch", batch[0]["batch_id"])
    report = installation.json("report", batch[0]["batch_id"])
    for (old, new), row in zip(routes, report["imports"], strict=True):
        assert compare(old.read(), new.read(), folder_map=LANDS_IN) == []
        assert row["state"] == "complete"
        assert row["totals"]["adds_up"]
        assert row["totals"]["found"] == 600


TAKE_OVER_S = 30.0
MANY = 1500
"""Messages, so that the copy has not ended when its worker is killed."""
TAKE_OVERS = 3
"""How many are measured at most: on a busy machine one may be late, three are not."""


@pytest.mark.parametrize("kept_in", ["sqlite and the embedded queue", "postgresql and valkey"])
def test_the_import_of_a_killed_worker_runs_again_within_half_a_minute(
    kept_in: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    old_host: Dovecot,
    new_host: Dovecot,
    make_user: MakeUser,
) -> None:
    """With the default settings, and another worker that has a free thread."""
    installation = Installation(
        tmp_path, {"CA_FILE": str(new_host.ca_file), "BATCH_MESSAGES": "1", "LANES": "1"}
    )
    if kept_in.startswith("postgresql"):
        installation.settings["DATABASE_URL"] = fresh_database(request.getfixturevalue("postgres_url"))
        installation.settings["REDIS_URL"] = request.getfixturevalue("valkey_url")
        installation.run("migrate")
    old, new = make_user(old_host), make_user(new_host)
    old.fill(corpus(messages=MANY, folders=5, seed=1, median_bytes=3000))
    took_s: list[float] = []
    with ExitStack() as stack:
        stack.callback(end_embedded, installation.data)  # once the workers are killed
        workers = [started_worker(installation, stack) for _ in range(2)]
        [batch] = installation.json("batch", str(installation.csv("people.csv", [(old, new)])))
        while not took_s or (took_s[-1] > TAKE_OVER_S and len(took_s) < TAKE_OVERS):
            if took_s:
                workers.append(started_worker(installation, stack))
            took_s.append(take_over_s(installation, batch["rows"][0]["id"], workers, new))
        installation.run("watch", batch["batch_id"])
    assert took_s[-1] <= TAKE_OVER_S, took_s
    assert compare(old.read(), new.read(), folder_map=LANDS_IN) == []


def started_worker(installation: Installation, stack: ExitStack) -> subprocess.Popen[bytes]:
    """A worker that takes work. It is killed when the stack ends."""
    before = installation.log().count("worker.started")
    worker = installation.start_worker()
    stack.callback(kill_group, worker)
    assert wait_until(lambda: installation.log().count("worker.started") > before, timeout_s=120)
    return worker


def take_over_s(
    installation: Installation, id_: str, workers: Sequence[subprocess.Popen[bytes]], new: User
) -> float:
    """Kill the worker that copies; the seconds until another one has stored a message."""

    began, worker = stored([new]), None

    def copies() -> bool:
        nonlocal worker
        [explained] = installation.json("explain", id_)
        pid = re.fullmatch(r".*:(\d+):[0-9a-f]+", explained["facts"].get("worker", ""))
        worker = next((w for w in workers if pid and w.poll() is None and w.pid == int(pid[1])), None)
        return worker is not None and stored([new]) > began + 5

    assert wait_until(copies, timeout_s=120)
    assert worker is not None
    kill_group(worker)
    killed_at, before = time.monotonic(), stored([new])
    assert before < MANY
    assert wait_until(lambda: stored([new]) > before, timeout_s=4 * TAKE_OVER_S, every_s=0.2)
    return time.monotonic() - killed_at


@pytest.mark.sampled(1)
@pytest.mark.parametrize("round_", range(ROUNDS))
def test_a_killed_foreground_copy_resumes(
    installation: Installation, old_host: Dovecot, new_host: Dovecot, make_user: MakeUser, round_: int
) -> None:
    chance = random.Random(1000 + round_)
    old, new = filled(make_user, old_host, round_), make_user(new_host)
    words = installation.copy_words(old, new)
    for _ in range(3):
        command = [*installation.command, *words]
        process = start_group(command, installation.log_file, environment=installation.environment())
        kill_at_work(process, [new], chance)
        expire_leases(installation)
    report = installation.json(*words)
    assert compare(old.read(), new.read(), folder_map=LANDS_IN) == []
    assert report["totals"]["adds_up"]
    assert report["totals"]["found"] == 600


@pytest.mark.sampled(1)
@pytest.mark.parametrize("round_", range(ROUNDS))
def test_a_flushed_queue_loses_nothing(
    installation: Installation,
    old_host: Dovecot,
    new_host: Dovecot,
    make_user: MakeUser,
    valkey_server: Valkey,
    round_: int,
) -> None:
    chance = random.Random(2000 + round_)
    routes = [(filled(make_user, old_host, round_ * 2 + i), make_user(new_host)) for i in range(2)]
    batch = installation.json("batch", str(installation.csv("people.csv", routes)))
    valkey_server.flush()  # not even the first ring arrives
    worker = installation.start_worker()
    try:
        for _ in range(4):
            time.sleep(0.3 + chance.random())
            valkey_server.flush()
        installation.run("watch", batch[0]["batch_id"])
    finally:
        stop_group(worker, patience_s=30)
    for old, new in routes:
        assert compare(old.read(), new.read(), folder_map=LANDS_IN) == []


def test_two_workers_share_the_work_and_duplicate_nothing(
    installation: Installation, old_host: Dovecot, new_host: Dovecot, make_user: MakeUser
) -> None:
    # Two old mailboxes go into one new one, and a third into another.
    shared = make_user(new_host)
    olds = [filled(make_user, old_host, 30 + i) for i in range(3)]
    routes = [(olds[0], shared), (olds[1], shared), (olds[2], make_user(new_host))]
    file = installation.csv("people.csv", routes)
    with installation.worker(), installation.worker():
        report = installation.json("batch", str(file), "--wait")
    assert [row["state"] for row in report["imports"]] == ["complete"] * 3
    assert compare(olds[2].read(), routes[2][1].read(), folder_map=LANDS_IN) == []
    held = {path: {m.digest for m in messages} for path, messages in shared.read().folders.items()}
    for old in olds[:2]:
        for path, messages in old.read().folders.items():
            assert {m.digest for m in messages} <= held[LANDS_IN.get(path, path)]
    for messages in shared.read().folders.values():
        digests = [m.digest for m in messages]
        assert len(digests) == len(set(digests))
