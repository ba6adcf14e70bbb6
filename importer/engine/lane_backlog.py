"""The work of one lane: folder pairs as jobs, its tasks at them, and its backlog.

`Lanes` guards the jobs, and hands out the tasks; a backlog belongs to its lane alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from importer.engine.folder_copy import Counted, Finished, FolderPhase, Prepared, Unprepared
from importer.engine.folder_state import FolderState
from importer.engine.leg_context import Lane
from importer.engine.pipeline import Pipeline
from importer.engine.prepare_folder import may_look_first
from importer.engine.recount_folder import is_small
from providers.frozen import frozen

RECOUNTS_AT_ONCE: Final = 16
"""Most small pairs of a lane that wait for their recount, with their histories in memory."""


class Job:
    """One folder pair, guarded by `Lanes._changed`. `state` is for every lane that joins it.

    `phase`: `Unprepared`, no lane has begun; `Prepared`, lanes may join; `Counted`, it is done; None: one
    lane has it and works on the pair alone.
    """

    def __init__(self, phase: Unprepared) -> None:
        folder = phase.folder
        self.phase: FolderPhase | None = phase
        self.state: FolderState = folder.state
        self.destination = folder.destination
        self.is_postponed = False  # has messages in doubt, which are tried again after everything else
        self.lanes = 0  # number of lanes at work on it

    @property
    def may_be_looked_at(self) -> bool:
        return isinstance(self.phase, Unprepared) and may_look_first(self.phase)

    @property
    def is_looked_at(self) -> bool:
        look = self.phase.folder.look if isinstance(self.phase, Unprepared) else None
        return look is not None and look.suffices

    @property
    def is_joinable(self) -> bool:
        return isinstance(self.phase, Prepared)

    @property
    def is_done(self) -> bool:
        return isinstance(self.phase, Counted)


@frozen
class Task:
    """A pair that a lane is to work on. `phase` if the lane begins it or goes on with it, None if it joins;
    `pipeline` if it has begun to fetch."""

    job: Job
    phase: Unprepared | Prepared | None = None
    pipeline: Pipeline | None = None


@dataclass(slots=True)
class Backlog:
    """The pairs of one lane: the one that it has begun `ahead`, those that need a further pass, and those to
    recount. Only that lane uses it."""

    lane: Lane
    ahead: Task | None = None
    again: list[Task] = field(default_factory=list)
    finished: list[tuple[Job, Finished]] = field(default_factory=list)

    @property
    def may_wait(self) -> bool:
        """Whether the recounts can wait for those of further pairs."""
        return len(self.finished) < RECOUNTS_AT_ONCE and all(is_small(phase) for _, phase in self.finished)

    def await_source(self) -> None:
        if self.ahead is not None and self.ahead.pipeline is not None:
            self.ahead.pipeline.await_source()
