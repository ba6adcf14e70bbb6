"""The time left: what came before the copy does not count, and a short period shows nothing."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from importer.domain.model import Account, Import, ImportId, Phase, Progress, State
from importer.domain.planning.pace import STANDING, Samples, average_rate, current_rate
from providers.endpoint import Endpoint

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ACCOUNT = Account("ada@old.example", "ada", Endpoint("imap.old.example", 993))
RUNNING = Import(ImportId("one"), ACCOUNT, ACCOUNT, NOW, state=State.RUNNING, started_at=NOW)


def copying(done: int, copying_s: float, *, before: int = 0) -> Import:
    progress = Progress(
        messages_done=done,
        messages_total=800,
        bytes_done=done * 1000,
        phase=Phase.COPYING,
        copying_s=copying_s,
        messages_before=before,
        bytes_before=before * 1000,
    )
    return replace(RUNNING, progress=progress)


def test_the_first_estimate_leaves_out_the_time_in_which_folders_were_made() -> None:
    """80 of 800 in a second of copying, after seven seconds of reading and making folders."""
    samples: Samples = deque()
    reading = replace(RUNNING, progress=Progress(phase=Phase.READING_FOLDERS, messages_total=800))
    for second in range(7):
        assert current_rate(samples, reading, NOW + timedelta(seconds=second)) == STANDING
    rate = current_rate(samples, copying(80, 1.0), NOW + timedelta(seconds=8))
    assert rate.left == timedelta(seconds=9)
    assert average_rate(copying(80, 1.0)) == rate


def test_the_rate_is_that_of_the_current_leg() -> None:
    rate = average_rate(copying(500, 10.0, before=400))
    assert (rate.messages_per_s, rate.bytes_per_s, rate.left) == (10, 10_000, timedelta(seconds=30))


def test_a_moment_shows_no_rate() -> None:
    assert average_rate(copying(1, 0.1)) == STANDING


def test_the_current_rate_is_that_of_the_last_seconds() -> None:
    samples: Samples = deque()
    current_rate(samples, copying(100, 1.0), NOW)
    rate = current_rate(samples, copying(140, 11.0), NOW + timedelta(seconds=10))
    assert rate.messages_per_s == 4
