"""Reports of an import and of a batch. Mail, web page, console and API all use the same object.

`found = copied + already there + gone + duplicate + skipped + failed`, per folder and in total. Messages that
were in the new mailbox before and that the recount listed there are "already there"; those that it no longer
lists are "gone" and stay away. Neither is a warning.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from enum import IntEnum
from typing import Final, assert_never

from importer.codes.code_lookup import public_row
from importer.domain.model import Batch, Import, State
from importer.domain.receipts.folder_tally import FolderTally, Refusal, RefusalCode
from importer.domain.receipts.undo_report import UndoReport
from importer.domain.reporting.outcome import ImportOutcome
from importer.domain.reporting.totals import Totals
from providers.frozen import frozen

# --- Exit codes ---------------------------------------------------------------------------------


class ExitCode(IntEnum):
    """The exit code of the console."""

    COMPLETE = 0
    REFUSALS = 1  # finished, but something could not be copied or confirmed
    USAGE = 2
    LOGIN = 3  # a host rejects the login
    DESTINATION_FULL = 4
    WAITING = 5  # not done: waiting, stopped for another reason, or not finished yet
    INTERNAL = 6  # an internal error of Mailhaul


_WORST_FIRST: Final = (
    ExitCode.INTERNAL,
    ExitCode.LOGIN,
    ExitCode.DESTINATION_FULL,
    ExitCode.WAITING,
    ExitCode.REFUSALS,
    ExitCode.COMPLETE,
)


def exit_code(import_: Import) -> ExitCode:
    """Determined by the state, and for WAITING and STOPPED by the problem."""
    match import_.state:
        case State.COMPLETE:
            return ExitCode.COMPLETE
        case State.INCOMPLETE:
            return ExitCode.REFUSALS
        case State.FAILED:
            return ExitCode.INTERNAL
        case State.QUEUED | State.RUNNING | State.PAUSED | State.CANCELLED | State.UNDONE:
            return ExitCode.WAITING
        case State.WAITING | State.STOPPED:
            return exit_code_of(import_.problem.code if import_.problem else "")
    assert_never(import_.state)


def exit_code_of(problem_code: str) -> ExitCode:
    """The exit code of an import that waits or stopped with that problem."""
    return ExitCode(public_row(problem_code).exit_code) if problem_code else ExitCode.WAITING


# --- One import -----------------------------------------------------------------------------------


@frozen
class Report:
    """The current or final result of one import."""

    import_: Import
    tallies: tuple[FolderTally, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    undone: UndoReport | None = None
    evidence: str = ""  # SHA-256 of the evidence file as of the end, in hexadecimal digits; "" without one
    renumbered: tuple[str, ...] = ()  # folders at which a retry looked as a whole (`renumbered_folders`)

    @property
    def totals(self) -> Totals:
        return Totals.of(self.tallies)

    @property
    def adds_up(self) -> bool:
        """Whether the counts of every folder add up, and therefore the totals."""
        return all(tally.adds_up for tally in self.tallies)

    @property
    def source_grew_by(self) -> int:
        """By how many messages the old mailbox grew (if negative, shrank) between the survey and the
        recount."""
        return sum(
            tally.source_recount - tally.found for tally in self.tallies if tally.source_recount is not None
        )

    @property
    def duration(self) -> timedelta | None:
        """The time from the start of the first leg to the end, waiting included; None before the end."""
        started, finished = self.import_.started_at, self.import_.finished_at
        return None if started is None or finished is None else finished - started

    @property
    def exit_code(self) -> ExitCode:
        return exit_code(self.import_)

    @property
    def outcome(self) -> ImportOutcome:
        """The outcome of the import, for the sentences about it."""
        folders = [refusal for refusal in self.refusals if refusal.uid is None and not refusal.count]
        partly = sum(refusal.partly for refusal in folders)
        surplus = sum(r.count for r in self.refusals if r.code is RefusalCode.SURPLUS)
        unread = len(folders) - partly
        return ImportOutcome(
            self.import_,
            self.totals,
            unread,
            partly,
            surplus,
            self.never_seen,
            self.undone,
            len(self.renumbered),
        )

    @property
    def never_seen(self) -> int:
        """How many of the failed messages an earlier import copied, although no recount has seen them."""
        named = sum(refusal.code is RefusalCode.NEVER_SEEN for refusal in self.refusals)
        return min(named, self.totals.failed)


# --- A batch --------------------------------------------------------------------------------------


@frozen
class BatchReport:
    """The current or final result of a batch. `reports` are in the order of its rows; `evidence` is the
    SHA-256 of the evidence file of all of them, "" if none is stated."""

    batch: Batch
    reports: tuple[Report, ...] = ()
    evidence: str = ""

    @property
    def totals(self) -> Totals:
        return Totals.of(tally for report in self.reports for tally in report.tallies)

    @property
    def adds_up(self) -> bool:
        return all(report.adds_up for report in self.reports)

    @property
    def never_seen(self) -> int:
        """How many messages earlier imports copied, although no recount has seen them."""
        return sum(report.never_seen for report in self.reports)

    @property
    def states(self) -> Mapping[State, int]:
        """The number of imports per state; states without imports are omitted."""
        return Counter(report.import_.state for report in self.reports)

    @property
    def exit_code(self) -> ExitCode:
        """The worst exit code of its imports. Worst first: 6, 3, 4, 5, 1, 0."""
        return min((report.exit_code for report in self.reports), key=_WORST_FIRST.index, default=ExitCode(0))
