"""Who is cut for answering too slowly, and who is not."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from importer.adapters.imap.stall_watchdog import LEAST_BYTES_PER_S, StallWatchdog

STRETCH_S = 0.5


@dataclass(eq=False)
class Talk:
    """A connection that counts how often it is cut."""

    waiting: bool = True
    received_bytes: int = 0
    completed_commands: int = 0
    cuts: int = 0

    def cut(self) -> None:
        self.cuts += 1


def drip(talk: Talk) -> None:
    talk.received_bytes += 1


def honest(talk: Talk) -> None:
    talk.received_bytes += 2 * LEAST_BYTES_PER_S  # far more often than once a second


def answering(talk: Talk) -> None:
    talk.completed_commands += 1


def elsewhere(talk: Talk) -> None:
    talk.waiting = not talk.waiting


@pytest.mark.parametrize(
    ("happens", "cut"), [(drip, True), (lambda _talk: None, True), (honest, False), (answering, False)]
)
def test_only_who_gets_next_to_nothing_for_a_whole_stretch_is_cut(
    happens: Callable[[Talk], None], cut: bool
) -> None:
    watch, talk = StallWatchdog(STRETCH_S), Talk()
    watch.add(talk)
    ends = time.monotonic() + 3 * STRETCH_S
    began = time.monotonic()
    while time.monotonic() < ends and not talk.cuts:
        happens(talk)
        time.sleep(0.04)  # a drip is 25 bytes a second, then
    assert talk.cuts == cut
    assert not cut or time.monotonic() - began >= 0.9 * STRETCH_S
    watch.remove(talk)


def test_who_is_busy_elsewhere_is_left_alone_and_nobody_watches_for_nothing() -> None:
    watch, talk = StallWatchdog(STRETCH_S), Talk(waiting=False)
    watch.add(talk)
    time.sleep(2 * STRETCH_S)
    assert talk.cuts == 0
    watch.remove(talk)
    thread = watch._thread
    if thread is not None:
        thread.join(STRETCH_S)
        assert not thread.is_alive()
    talk.waiting = True
    watch.add(talk)  # and it begins anew
    time.sleep(2 * STRETCH_S)
    assert talk.cuts == 1
