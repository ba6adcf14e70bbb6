"""A leg over a slow line ends when its time is over, and has copied something."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from importer.domain.model import State
from tests.conftest import MakeUser
from tests.rehearsal.dovecot import Dovecot
from tests.rehearsal.fill import INBOX, Stored
from tests.rehearsal.installation import Installation
from tests.rehearsal.ports import wait_until
from tests.rehearsal.proxy import CuttingProxy, cutting_proxy
from tests.rehearsal.waits import at_rest

LEG_S = 10
BYTES_PER_S = 8_000
MESSAGES = 200
SIZE_BYTES = 5_000
"""All messages are one batch. Over the slow line it takes two minutes."""


@pytest.fixture
def line(old_host: Dovecot) -> Iterator[CuttingProxy]:
    with cutting_proxy(old_host.imaps) as proxy:
        proxy.narrow(BYTES_PER_S)
        yield proxy


@pytest.fixture
def installation(tmp_path: Path, new_host: Dovecot, valkey_url: str) -> Installation:
    settings = {
        "CA_FILE": str(new_host.ca_file),
        "REDIS_URL": valkey_url,
        "TICK_SECONDS": "1",
        "LEG_SECONDS": str(LEG_S),
    }
    return Installation(tmp_path, settings)


def mail(number: int) -> Stored:
    head = f"Message-ID: <{number}@friend.example>\r\nSubject: number {number}\r\n\r\n".encode()
    return Stored(INBOX, (), datetime(2020, 1, 1, tzinfo=UTC), head + b"x" * SIZE_BYTES + b"\r\n")


def finished_legs(installation: Installation) -> list[tuple[int, float]]:
    """Messages and seconds of each leg."""
    ends = re.findall(r"leg\.finished .* messages=(\d+) .*seconds=([\d.]+)", installation.log())
    return [(int(messages), float(seconds)) for messages, seconds in ends]


def test_a_leg_over_a_slow_line_keeps_its_time(
    installation: Installation, line: CuttingProxy, old_host: Dovecot, new_host: Dovecot, make_user: MakeUser
) -> None:
    old, new = make_user(old_host), make_user(new_host)
    old.fill(mail(number) for number in range(MESSAGES))
    far = replace(old, account=replace(old.account, endpoint=line.endpoint))
    [batch] = installation.json("batch", str(installation.csv("people.csv", [(far, new)])))
    with installation.worker():
        assert wait_until(lambda: len(finished_legs(installation)) >= 2, timeout_s=200), installation.log()
        legs = finished_legs(installation)[:2]
        assert all(messages > 0 for messages, _ in legs), legs
        assert all(seconds < 6 * LEG_S for _, seconds in legs), legs
        assert new.read().count() < MESSAGES
        line.bytes_per_s = None
        assert at_rest(installation, batch["rows"][0]["id"]).state is State.COMPLETE
    assert new.read().count() == MESSAGES
