"""A pause in the midst of an append over a slow line: obeyed at once, nothing lost, nothing doubled."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from tests.conftest import MakeUser
from tests.hostile.test_endless_listing import CANCEL_S, SLACK_S, rows, submitted, wait_for
from tests.rehearsal.checker import compare
from tests.rehearsal.dovecot import Dovecot
from tests.rehearsal.fill import Stored
from tests.rehearsal.installation import Installation
from tests.rehearsal.proxy import cutting_proxy

DATE = datetime(2020, 1, 1, tzinfo=UTC)
MESSAGES = 60
BATCH = 100
SLOW_BYTES_PER_S = 30_000
"""The first append takes more than a minute."""


def test_a_pause_in_the_midst_of_an_append_loses_and_doubles_nothing(
    queued_installation: Installation, old_host: Dovecot, new_host: Dovecot, make_user: MakeUser
) -> None:
    installation = queued_installation
    old, new = make_user(old_host), make_user(new_host)
    old.fill(
        Stored(("INBOX",), (), DATE, b"Subject: %d\r\n\r\n" % n + b"text %d\r\n" % n * 4000)
        for n in range(MESSAGES)
    )
    with cutting_proxy(new_host.imaps) as proxy, installation.worker():
        proxy.narrow(SLOW_BYTES_PER_S)
        through = replace(new, account=replace(new.account, endpoint=proxy.endpoint))
        ids = submitted(installation, "one.csv", [(old, through)])

        def state() -> str:
            return str(rows(installation, ids)[0]["state"])

        wait_for(lambda: state() == "running" and proxy.connections, "the leg begins")
        time.sleep(2)  # into the append, mostly
        installation.run("pause", ids[0])
        assert wait_for(lambda: state() == "paused", "it is paused") < CANCEL_S + SLACK_S
        proxy.narrow(50_000_000)
        installation.run("resume", ids[0])
        wait_for(lambda: state() == "complete", "it is complete")
        [row] = rows(installation, ids)
    assert row["totals"]["adds_up"]
    assert row["totals"]["copied"] == row["totals"]["confirmed"] == MESSAGES
    assert compare(old.read(), new.read()) == []


def test_a_pause_over_a_slow_source_leaves_no_append_in_doubt_and_can_be_taken_back(
    queued_installation: Installation, old_host: Dovecot, new_host: Dovecot, make_user: MakeUser
) -> None:
    """A batch takes a quarter of a minute to read. The one before it is stored by then, and recorded."""
    installation = queued_installation
    installation.settings["LANES"] = "1"
    old, new = make_user(old_host), make_user(new_host)
    old.fill(
        Stored(("INBOX",), (), DATE, b"Subject: %d\r\n\r\n" % n + b"text %d\r\n" % n * 2500)
        for n in range(4 * BATCH)
    )
    with cutting_proxy(old_host.imaps) as proxy, installation.worker():
        through = replace(old, account=replace(old.account, endpoint=proxy.endpoint))
        proxy.narrow(400_000)
        ids = submitted(installation, "one.csv", [(through, new)])

        def import_() -> dict[str, Any]:
            return dict(rows(installation, ids)[0])

        wait_for(lambda: intents(installation), "a batch is on its way")
        proxy.narrow(SLOW_BYTES_PER_S)
        installation.run("pause", ids[0])
        assert wait_for(lambda: import_()["state"] == "paused", "it is paused") < CANCEL_S + SLACK_S
        assert intents(installation) == 0
        copied = import_()["totals"]["copied"]
        assert 0 < copied < 4 * BATCH
        installation.run("resume", ids[0])
        for _ in range(5):  # on a busy machine, the pause may come first
            wait_for(lambda: proxy.open_connections and import_()["state"] == "running", "it goes on")
            installation.run("pause", ids[0])
            answer = installation.run("resume", ids[0]).stdout
            if "taken back" in answer:
                break
        assert "taken back" in answer
        proxy.narrow(50_000_000)
        wait_for(lambda: import_()["state"] == "complete", "it is complete")
    assert compare(old.read(), new.read()) == []


def intents(installation: Installation) -> int:
    """The number of appends whose outcome is not recorded."""
    with closing(sqlite3.connect(installation.data / "mailhaul.db")) as store:
        return int(store.execute("SELECT count(*) FROM intents").fetchone()[0])
