"""Workers killed at random moments, queues flushed in the middle: nothing lost, nothing twice.

MAILHAUL_TEST_ROUNDS sets how many rounds (default 3); a round's random numbers come from its number.
"""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from tests.conftest import MakeUser
from tests.rehearsal.checker import compare
from tests.rehearsal.corpus import LANDS_IN, corpus
from tests.rehearsal.dovecot import Dovecot
from tests.rehearsal.hosts import User
from tests.rehearsal.installation import Installation
from tests.rehearsal.processes import kill_group, start_group, stop_group
from tests.rehearsal.valkey import Valkey

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
    """A Mailhaul whose workers are quick to notice that another one died."""
    return Installation(tmp_path, QUICK | {"CA_FILE": str(new_host.ca_file), "REDIS_URL": valkey_url})


def filled(make_user: MakeUser, host: Dovecot, seed: int) -> User:
    user = make_user(host)
    user.fill(corpus(messages=600, folders=5, seed=seed, median_bytes=3000))
    return user


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_a_killed_worker_loses_nothing_and_doubles_nothing(
    installation: Installation, old_host: Dovecot, new_host: Dovecot, make_user: MakeUser, round_: int
) -> None:
    chance = random.Random(round_)
    routes = [(filled(make_user, old_host, round_ * 2 + i), make_user(new_host)) for i in range(2)]
    batch = installation.json("batch", str(installation.csv("people.csv", routes)))
    for _ in range(3):
        worker = installation.start_worker()
        time.sleep(0.9 + chance.random() * 1.6)  # the first second is Python's start
        kill_group(worker)
    with installation.worker():
        installation.run("watch", batch[0]["batch_id"])
    report = installation.json("report", batch[0]["batch_id"])
    for (old, new), row in zip(routes, report["imports"], strict=True):
        assert compare(old.read(), new.read(), folder_map=LANDS_IN) == []
        assert row["state"] == "complete"
        assert row["totals"]["adds_up"]
        assert row["totals"]["found"] == 600


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_a_killed_foreground_copy_goes_on_where_it_was(
    installation: Installation, old_host: Dovecot, new_host: Dovecot, make_user: MakeUser, round_: int
) -> None:
    chance = random.Random(1000 + round_)
    old, new = filled(make_user, old_host, round_), make_user(new_host)
    words = installation.copy_words(old, new)
    for _ in range(3):
        command = [*installation.command, *words]
        process = start_group(command, installation.log_file, environment=installation.environment())
        time.sleep(0.7 + chance.random() * 1.2)
        kill_group(process)
        time.sleep(5.5)  # until its lease of the mailbox has run out
    report = installation.json(*words)
    assert compare(old.read(), new.read(), folder_map=LANDS_IN) == []
    assert report["totals"]["adds_up"]
    assert report["totals"]["found"] == 600


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


def test_two_workers_at_once_share_the_work_and_double_nothing(
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
