"""Reports of an import and of a batch. Mail, web page, console and `--json` all use the same object.

`found = copied + already there + gone + duplicate + skipped + failed`, per folder and in total. Messages that
were in the new mailbox before and that the recount listed there are "already there"; those that it no longer
lists are "gone" and stay away. Neither is a warning.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Final, assert_never

from importer.domain.folder_mapping.label_rules import SENTENCES
from importer.domain.model import Account, Batch, FolderTally, Import, Problem, Refusal, RefusalCode, State
from importer.domain.people.consent_schedule import CONSENT_EXPIRED
from importer.domain.reporting.formatting import English, Translator
from importer.domain.reporting.outcome import batch_verdict, verdict
from importer.domain.reporting.totals import Totals
from providers.errors import GrantExpired, LoginRejected, MasterRefused, QuotaExceeded

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
        case State.QUEUED | State.RUNNING | State.PAUSED | State.CANCELLED:
            return ExitCode.WAITING
        case State.WAITING | State.STOPPED:
            return exit_code_of(import_.problem.code if import_.problem else "")
    assert_never(import_.state)


def exit_code_of(problem_code: str) -> ExitCode:
    """The exit code of an import that waits or stopped with that problem."""
    codes = {
        LoginRejected.code: ExitCode.LOGIN,
        MasterRefused.code: ExitCode.LOGIN,
        CONSENT_EXPIRED: ExitCode.LOGIN,
        GrantExpired.code: ExitCode.LOGIN,
        QuotaExceeded.code: ExitCode.DESTINATION_FULL,
    }
    return codes.get(problem_code, ExitCode.WAITING)


# --- One import -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Report:
    """The current or final result of one import."""

    import_: Import
    tallies: tuple[FolderTally, ...] = ()
    refusals: tuple[Refusal, ...] = ()

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
    def verdict(self) -> str:
        """The outcome in one to four plain English sentences. May quote foreign text."""
        return self.translated_verdict()

    def translated_verdict(
        self,
        say: Translator | None = None,
        problem: str | None = None,
        reason: Callable[[str], str] = str,
    ) -> str:
        """The verdict in the language of `say`, with the translated `problem` and reasons translated by
        `reason`."""
        folders = [refusal for refusal in self.refusals if refusal.uid is None and not refusal.count]
        partly = sum(refusal.partly for refusal in folders)
        surplus = sum(r.count for r in self.refusals if r.code is RefusalCode.SURPLUS)
        return verdict(
            self.import_,
            self.totals,
            len(folders) - partly,
            partly,
            say or English(),
            problem,
            reason,
            surplus=surplus,
        )

    def as_json(self) -> dict[str, object]:
        """The report as JSON. Keys are stable; new ones may be added.

        Times are ISO 8601 in UTC or null, durations are seconds, sizes are bytes. Addresses are complete;
        there are no secrets. `folders` is in the order of the tallies, `refusals` in the order of recording.

            id, batch_id, row, submitter, state, exit_code, verdict,
            source, destination: {address, server}
            created_at, started_at, finished_at, not_before, duration_s
            labels: null if no labels were seen at the source, else {rule, sentence}
            sync_flags, options: {name: its text, or a boolean}
            problem: null or {code, message, side, server_text}
            totals: {found, copied, already_there, gone, duplicate, skipped,
                     skipped_reasons: {reason: n}, failed, copied_bytes, keywords_dropped,
                     flags_updated, recognised, changes: {kind: n}, confirmed, unchecked, still_to_do,
                     adds_up}
            folders: [{source_folder, destination_folder, source_recount, elsewhere,
                       ... as totals}]
            refusals: [{folder, uid, date, subject, size_bytes, code, reason, messages}]
        """
        import_, options = self.import_, self.import_.options
        return {
            "id": import_.id,
            "batch_id": import_.batch_id,
            "row": import_.row,
            "submitter": import_.submitter,
            "state": import_.state.value,
            "exit_code": int(self.exit_code),
            "verdict": self.verdict,
            "source": _account_json(import_.source),
            "destination": _account_json(import_.destination),
            "created_at": _iso(import_.created_at),
            "started_at": _iso(import_.started_at),
            "finished_at": _iso(import_.finished_at),
            "not_before": _iso(import_.not_before),
            "duration_s": None if self.duration is None else self.duration.total_seconds(),
            "labels": {"rule": options.labels.value, "sentence": SENTENCES[options.labels]}
            if import_.has_labels
            else None,
            "sync_flags": options.sync_flags,
            "options": options.as_json(),
            "problem": _problem_json(import_.problem),
            "totals": {**self.totals.as_json(), "adds_up": self.adds_up},
            "folders": [
                {
                    "source_folder": tally.source_folder,
                    "destination_folder": tally.destination_folder,
                    "source_recount": tally.source_recount,
                    "elsewhere": tally.elsewhere,
                    **Totals.of([tally]).as_json(),
                }
                for tally in self.tallies
            ],
            "refusals": [_refusal_json(refusal) for refusal in self.refusals],
        }


# --- A batch --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BatchReport:
    """The current or final result of a batch. `reports` are in the order of its rows."""

    batch: Batch
    reports: tuple[Report, ...] = ()

    @property
    def totals(self) -> Totals:
        return Totals.of(tally for report in self.reports for tally in report.tallies)

    @property
    def adds_up(self) -> bool:
        return all(report.adds_up for report in self.reports)

    @property
    def states(self) -> Mapping[State, int]:
        """The number of imports per state; states without imports are omitted."""
        return Counter(report.import_.state for report in self.reports)

    @property
    def exit_code(self) -> ExitCode:
        """The worst exit code of its imports. Worst first: 6, 3, 4, 5, 1, 0."""
        return min((report.exit_code for report in self.reports), key=_WORST_FIRST.index, default=ExitCode(0))

    @property
    def verdict(self) -> str:
        """The outcome in one or two plain English sentences."""
        return batch_verdict(self.states, self.totals)

    def as_json(self) -> dict[str, object]:
        """`{batch_id, name, submitter, created_at, exit_code, verdict, states, totals, imports}`;
        `imports` holds each `Report.as_json`, in the order of the rows."""
        return {
            "batch_id": self.batch.id,
            "name": self.batch.name,
            "submitter": self.batch.submitter,
            "created_at": _iso(self.batch.created_at),
            "exit_code": int(self.exit_code),
            "verdict": self.verdict,
            "states": {state.value: number for state, number in self.states.items()},
            "totals": {**self.totals.as_json(), "adds_up": self.adds_up},
            "imports": [report.as_json() for report in self.reports],
        }


# --- Pieces of JSON -------------------------------------------------------------------------------


def _iso(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()


def _account_json(account: Account) -> dict[str, object]:
    return {"address": account.address, "server": str(account.endpoint)}


def _problem_json(problem: Problem | None) -> dict[str, object] | None:
    if problem is None:
        return None
    return {
        "code": problem.code,
        "message": problem.message,
        "side": problem.side.value if problem.side else None,
        "server_text": problem.server_text,
    }


def _refusal_json(refusal: Refusal) -> dict[str, object]:
    return {
        "folder": refusal.folder,
        "uid": refusal.uid,
        "date": refusal.date,
        "subject": refusal.subject,
        "size_bytes": refusal.size_bytes,
        "code": refusal.code.value,
        "reason": refusal.reason,
        "messages": refusal.count,
    }
