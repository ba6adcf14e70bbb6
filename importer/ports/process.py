"""Services of the running process: clock, queue, budget of a leg, progress observer, disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from importer.domain.model import ImportId, Progress
from importer.domain.receipts.folder_tally import FolderTally
from providers.errors import Side
from providers.text import Text


class Clock(Protocol):
    """The time; tests replace it."""

    def now(self) -> datetime:
        """The current time, timezone-aware, UTC."""
        ...

    def elapsed_s(self) -> float:
        """Seconds since some moment in the past, for deadlines. Never goes back, and counts the time during
        which the machine was suspended. Differences between two processes mean nothing."""
        ...

    def sleep(self, seconds: float) -> None: ...


class Queue(Protocol):
    """Wakes workers. It holds no state that matters: losing or repeating a message changes nothing."""

    def ring(self, import_id: ImportId, delay: timedelta = timedelta(0)) -> None: ...

    def ring_mail(self) -> None:
        """Wake a worker to send notices that are due."""
        ...


class InstallationFault(Exception):
    """A part of the installation that its operator has to fix. `text` names the part and the reason; its
    advice is the fix."""

    def __init__(self, text: Text) -> None:
        super().__init__(str(text))
        self.text = text


class OwnDiskFull(InstallationFault):
    """The disk with Mailhaul's own files or its database is full. Neither a host nor an owner is the cause.
    Failed writes are repeated once there is room."""

    code = "disk_full"

    def __init__(self, reason: str) -> None:
        super().__init__(Text("installation.disk_full", reason=reason))
        self.reason = reason


class DatabaseUnavailable(InstallationFault):
    """The database cannot be reached, or ended the connection. Whether a transaction that was being committed
    took effect is unknown; every other one did not."""

    code = "database_unavailable"

    def __init__(self, reason: str) -> None:
        super().__init__(Text("installation.database_unavailable", reason=reason))
        self.reason = reason


class Budget(Protocol):
    """The remaining time and bytes of one leg. The engine checks it between batches. Thread-safe."""

    def count(self, side: Side, size_bytes: int) -> None:
        """Count bytes of messages that were read from the source or sent to the destination."""
        ...

    def spent(self) -> bool:
        """True if the leg has to end: its bytes are used up, others wait, or the worker stops. Raises
        LeaseLost."""
        ...

    def is_over(self) -> bool:
        """True once the leg's time is over: nothing more is read for it, and what was read is stored. Only
        looks at the clock."""
        ...

    def is_called_off(self) -> bool:
        """True once a person has requested the leg's end, or the process stops: begin nothing more. Only
        reads a flag, so it may be called before each command."""
        ...


class Observer(Protocol):
    """Receives progress as it happens."""

    def planned(self, tallies: Sequence[FolderTally]) -> Mapping[str, FolderTally]:
        """The folders to work on, with the number of their messages, before the first batch. Return the
        tallies that the import has from earlier legs, by source folder."""
        ...

    def progressed(self, progress: Progress) -> None: ...

    def tally_changed(self, tally: FolderTally) -> None: ...
