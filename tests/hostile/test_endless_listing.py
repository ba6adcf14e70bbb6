"""A worker process at servers that list folders for ever: memory, cancellation, the leg's end, and others."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MakeUser
from tests.rehearsal.dovecot import Dovecot
from tests.rehearsal.fill import Stored
from tests.rehearsal.hostile import hostile_server
from tests.rehearsal.hosts import User
from tests.rehearsal.installation import Installation
from tests.rehearsal.memory import MIB, watch_peak
from tests.rehearsal.ports import PATIENCE_S
from tests.rehearsal.scripted import ScriptedServer
from tests.rehearsal.valkey import Valkey
from tests.sampling import SOAK

DATE = datetime(2020, 1, 1, tzinfo=UTC)
MOST_BYTES = 100 * MIB
CANCEL_S = 5.0
STOP_S = 30.0
SLACK_S = 40.0
"""For processes on a busy machine."""


@pytest.fixture
def installation(tmp_path: Path, new_host: Dovecot, valkey_server: Valkey) -> Installation:
    valkey_server.flush()
    return Installation(
        tmp_path,
        {
            "CA_FILE": str(new_host.ca_file),
            "ALLOW_PLAINTEXT": "true",
            "REDIS_URL": valkey_server.url,
            "TICK_SECONDS": "1",
            "WORKER_THREADS": "4",
        },
    )


def wait_for(condition: Callable[[], object], what: str) -> float:
    """Wait until `condition` is true; the seconds that it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < PATIENCE_S, what
        time.sleep(0.2)
    return time.monotonic() - began


def submitted(installation: Installation, name: str, routes: list[tuple[User, User]]) -> list[str]:
    """Submit the routes as a batch; the ids of its imports."""
    [submission] = installation.json("batch", str(installation.csv(name, routes)))
    return [row["id"] for row in submission["rows"]]


def rows(installation: Installation, ids: list[str]) -> list[dict[str, Any]]:
    return [row for id_ in ids for row in installation.json("show", id_)]


class Attacked:
    """A worker that runs two imports from a hostile server; `ids` are theirs."""

    def __init__(
        self,
        installation: Installation,
        server: ScriptedServer,
        worker: subprocess.Popen[bytes],
        ids: list[str],
    ):
        self.installation = installation
        self.server = server
        self.worker = worker
        self.ids = ids

    def copy(self, route: tuple[User, User]) -> None:
        """Another person's import, from its submission to its end."""
        report = self.installation.json(
            "batch", str(self.installation.csv("good.csv", [route])), "--wait", ends=0
        )
        assert report["imports"][0]["totals"]["copied"] == 20

    def wait_for_states(self, *names: str) -> float:
        return wait_for(
            lambda: all(row["state"] in names for row in rows(self.installation, self.ids)),
            f"the imports are {names}",
        )


@contextmanager
def attacked(
    attack: str, installation: Installation, make_user: MakeUser, old_host: Dovecot, new_host: Dovecot
) -> Iterator[Attacked]:
    with hostile_server(attack) as server, installation.worker() as worker:
        wait_for(lambda: "worker.started" in installation.log(), "the worker starts")
        users = [make_user(old_host) for _ in range(2)]
        bad = [
            (replace(user, account=replace(user.account, endpoint=server.endpoint)), make_user(new_host))
            for user in users
        ]
        ids = submitted(installation, "bad.csv", bad)
        wait_for(lambda: sum(c.startswith("LIST") for c in server.commands) >= len(ids), "LIST is sent")
        yield Attacked(installation, server, worker, ids)


@pytest.fixture
def route(make_user: MakeUser, old_host: Dovecot, new_host: Dovecot) -> tuple[User, User]:
    source = make_user(old_host)
    source.fill(Stored(("INBOX",), (), DATE, b"Subject: %d\r\n\r\ntext\r\n" % n) for n in range(20))
    return source, make_user(new_host)


def test_a_listing_without_end_is_refused_and_harms_nobody_else(
    installation: Installation,
    old_host: Dovecot,
    new_host: Dovecot,
    make_user: MakeUser,
    route: tuple[User, User],
) -> None:
    with attacked("endless-list", installation, make_user, old_host, new_host) as attack:
        growth = watch_peak(attack.worker.pid)
        attack.copy(route)
        attack.wait_for_states("stopped")
        for row in rows(installation, attack.ids):
            assert row["problem"]["code"] == "beyond_limit"
            assert "the limit is" in row["problem"]["message"]
        assert growth() < MOST_BYTES, f"{growth() / MIB:.0f} MiB"


def test_a_cancellation_is_obeyed_in_the_midst_of_a_listing(
    installation: Installation,
    old_host: Dovecot,
    new_host: Dovecot,
    make_user: MakeUser,
    route: tuple[User, User],
) -> None:
    with attacked("list-drip", installation, make_user, old_host, new_host) as attack:
        attack.copy(route)
        for id_ in attack.ids:
            installation.run("cancel", id_)
        assert attack.wait_for_states("cancelled") < CANCEL_S + SLACK_S


@pytest.mark.skipif(not SOAK, reason="takes STOP_GRACE_S")
def test_a_worker_stops_in_the_midst_of_a_listing(
    installation: Installation,
    old_host: Dovecot,
    new_host: Dovecot,
    make_user: MakeUser,
) -> None:
    with attacked("list-drip", installation, make_user, old_host, new_host) as attack:
        began = time.monotonic()
        attack.worker.terminate()
        assert attack.worker.wait(PATIENCE_S) == 0
        assert time.monotonic() - began < STOP_S + SLACK_S
        assert all(row["state"] == "running" for row in rows(installation, attack.ids))


@pytest.mark.skipif(not SOAK, reason="takes OVERTIME_WINDOW_S; see tests/hostile/test_slow_answers.py")
def test_a_leg_ends_in_the_midst_of_a_listing(
    installation: Installation,
    old_host: Dovecot,
    new_host: Dovecot,
    make_user: MakeUser,
) -> None:
    installation.settings["LEG_SECONDS"] = "2"
    with attacked("list-drip", installation, make_user, old_host, new_host) as attack:
        attack.wait_for_states("waiting")
        for row in rows(installation, attack.ids):
            assert row["problem"]["code"] == "server_too_slow"
