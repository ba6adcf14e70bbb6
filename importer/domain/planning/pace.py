"""The speed of an import and its remaining time, from the amount copied in the last seconds."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from typing import Final

from importer.domain.model import Import, Phase, State
from providers.frozen import frozen

WINDOW: Final = timedelta(seconds=15)
"""The period that the current rate is measured over."""

LEAST_S: Final = 3.0
LEAST_COPYING_S: Final = 1.0
"""Shorter periods than these, of the last seconds and of the leg, show no rate."""

Samples = deque[tuple[datetime, int, int]]
"""A sample of the progress: time, messages, bytes."""


@frozen
class Rate:
    """The speed of an import; `left` is None while the remaining time is unknown."""

    bytes_per_s: float = 0.0
    messages_per_s: float = 0.0
    left: timedelta | None = None


STANDING: Final = Rate()


def current_rate(samples: Samples, import_: Import, now: datetime) -> Rate:
    """The rate over the last WINDOW. Adds a sample of `import_` to `samples` and drops those that are too
    old."""
    progress = import_.progress
    if not _is_copying(import_) or (samples and progress.messages_done < samples[-1][1]):
        samples.clear()
    samples.append((now, progress.messages_done, progress.bytes_done))
    while len(samples) > 2 and now - samples[0][0] > WINDOW:
        samples.popleft()
    first_at, first_messages, first_bytes = samples[0]
    seconds = (now - first_at).total_seconds()
    if seconds < LEAST_S:
        return average_rate(import_)
    messages_per_s = (progress.messages_done - first_messages) / seconds
    return _rate(import_, (progress.bytes_done - first_bytes) / seconds, messages_per_s)


def average_rate(import_: Import) -> Rate:
    """The rate since its current leg began to copy; zero unless it copies. The time before, in which folders
    were read and made, says nothing about the time that is left."""
    progress = import_.progress
    if not _is_copying(import_) or progress.copying_s < LEAST_COPYING_S:
        return STANDING
    messages, size_bytes = (
        progress.messages_done - progress.messages_before,
        progress.bytes_done - progress.bytes_before,
    )
    return _rate(import_, size_bytes / progress.copying_s, messages / progress.copying_s)


def _is_copying(import_: Import) -> bool:
    return import_.state is State.RUNNING and import_.progress.phase in (Phase.COPYING, Phase.RECOUNTING)


def _rate(import_: Import, bytes_per_s: float, messages_per_s: float) -> Rate:
    missing = import_.progress.messages_total - import_.progress.messages_done
    known = messages_per_s > 0 and import_.progress.messages_total > 0
    left = timedelta(seconds=missing / messages_per_s) if known else None
    return Rate(max(0.0, bytes_per_s), max(0.0, messages_per_s), left)
