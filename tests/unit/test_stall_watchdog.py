"""The stall watchdog: which connections it closes for a slow server."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from importer.adapters.imap.stall_watchdog import LEAST_BYTES_PER_S, StallWatchdog
from importer.ports.work_limit import WorkLimit
from tests.rehearsal.ports import PATIENCE_S, wait_until

PERIOD_S = 1.5


@dataclass(eq=False)
class WatchedConnection:
    """A watched connection. It counts how often it is cut."""

    waiting: bool = True
    sending: bool = False
    received_bytes: int = 0
    sent_bytes: int = 0
    limit: WorkLimit = field(default_factory=WorkLimit)
    completed_commands: int = 0
    cuts: int = 0

    def cut(self) -> None:
        self.cuts += 1


def drip(connection: WatchedConnection) -> None:
    connection.received_bytes += 1


def steady(connection: WatchedConnection) -> None:
    connection.received_bytes += 2 * LEAST_BYTES_PER_S  # called far more often than once a second


def answering(connection: WatchedConnection) -> None:
    connection.completed_commands += 1


def not_reading(connection: WatchedConnection) -> None:
    connection.waiting = not connection.waiting


@pytest.mark.parametrize(
    ("happens", "cut"), [(drip, True), (lambda _connection: None, True), (steady, False), (answering, False)]
)
def test_a_connection_with_almost_no_data_for_a_whole_period_is_cut(
    happens: Callable[[WatchedConnection], None], cut: bool
) -> None:
    watch, connection = StallWatchdog(PERIOD_S), WatchedConnection()
    watch.add(connection)
    ends = time.monotonic() + (PATIENCE_S if cut else 3 * PERIOD_S)
    began = time.monotonic()
    while time.monotonic() < ends and not connection.cuts:
        happens(connection)
        time.sleep(0.04)  # so `drip` is 25 bytes per second
    assert connection.cuts == cut
    assert not cut or time.monotonic() - began >= 0.9 * PERIOD_S
    watch.remove(connection)


def test_an_idle_client_is_not_cut_and_the_thread_ends_with_its_work() -> None:
    watch, connection = StallWatchdog(PERIOD_S), WatchedConnection(waiting=False)
    watch.add(connection)
    time.sleep(2 * PERIOD_S)
    assert connection.cuts == 0
    watch.remove(connection)
    thread = watch._thread
    if thread is not None:
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
    connection.waiting = True
    watch.add(connection)  # starts a new thread
    assert wait_until(lambda: connection.cuts == 1)
