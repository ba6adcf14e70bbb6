"""What else a process has: time, a queue, a budget, somebody who watches, a disk."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

from importer.domain.model import FolderTally, ImportId, Progress
from providers.errors import Side


class Clock(Protocol):
    """The time, so that tests can turn it."""

    def now(self) -> datetime:
        """The instant, aware, UTC."""
        ...

    def sleep(self, seconds: float) -> None: ...


class Queue(Protocol):
    """The doorbell. Losing a ring, or hearing it twice, changes nothing."""

    def ring(self, import_id: ImportId, delay: timedelta = timedelta(0)) -> None: ...

    def ring_mail(self) -> None:
        """There may be notices to send."""
        ...


class InstallationFault(Exception):
    """A part of the installation that its operator has to mend; the text says which, why and how."""


class OwnDiskFull(InstallationFault):
    """The disk that Mailhaul keeps its own files or its database on takes nothing more. No host's fault and
    no owner's: what was not written is done again when there is room."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"Mailhaul's own disk takes nothing more ({reason}). Nothing is lost: it goes on by itself as"
            " soon as its operator has made room."
        )
        self.reason = reason


class Budget(Protocol):
    """How much one leg may still do; the engine looks at it between batches. For any thread."""

    def count(self, side: Side, size_bytes: int) -> None:
        """So many bytes of messages were read from the source, or sent to the destination."""
        ...

    def spent(self) -> bool:
        """True when the leg has to end: time, bytes, or the worker wants to stop. Raises LeaseLost."""
        ...


class Observer(Protocol):
    """Told as it happens; for progress."""

    def progressed(self, progress: Progress) -> None: ...

    def tally_changed(self, tally: FolderTally) -> None: ...
