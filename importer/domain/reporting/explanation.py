"""Explanation of an import's state for users: one sentence, the next step, advice, and the facts behind it.

It is shown at the console and by the API, in English only. Sentences may quote foreign text: pass them
through `formatting.printable` for display.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from importer.domain.folder_mapping.label_rules import SENTENCES
from importer.domain.import_options import OPTIONS, text_of
from importer.domain.import_state import ENDED
from importer.domain.model import ControlRequest, Import, Problem, Refusal, State
from importer.domain.planning.retry_policy import PATIENCE, PATIENCE_UNPROVEN
from importer.domain.receipts.undo_report import UndoReport
from importer.domain.reporting.formatting import counted, spoken_instant, spoken_span
from importer.domain.reporting.report import Report

_REASONS_NAMED: Final = 3
_EXAMPLES: Final = 5


class Action(StrEnum):
    """What a user can do with an import; front ends have a button or a command for each."""

    PAUSE = "pause"
    RESUME = "resume"
    RETRY = "retry"  # immediately, before the waiting time has passed
    CANCEL = "cancel"
    RUN_AGAIN = "run again"  # a new import on the same route; the passwords are required again
    UNDO = "undo"


@dataclass(frozen=True, slots=True)
class ExplanationContext:
    """Facts that are not part of the import. `worker` is the process that holds the lease of the import,
    `writer` the one that holds the lease of its destination mailbox; "" for none."""

    now: datetime
    worker: str = ""
    writer: str = ""
    has_passwords: bool = False
    undone: UndoReport | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """`since` and `until`: start and end of the wait or the pause, None if there is none. `facts` are (label,
    value) pairs in display order."""

    sentence: str
    next: str
    advice: str
    since: datetime | None
    until: datetime | None
    actions: tuple[Action, ...]
    facts: tuple[tuple[str, str], ...]

    def as_json(self) -> dict[str, object]:
        """Keys are stable; new ones may be added. `facts` is for display only."""
        return {
            "sentence": self.sentence,
            "next": self.next,
            "advice": self.advice,
            "since": None if self.since is None else self.since.isoformat(),
            "until": None if self.until is None else self.until.isoformat(),
            "actions": [action.value for action in self.actions],
            "facts": dict(self.facts),
        }


def explain(report: Report, context: ExplanationContext) -> Explanation:
    """Explain an import in any state."""
    import_ = report.import_
    held_up = import_.state in (State.WAITING, State.PAUSED)
    return Explanation(
        sentence=_sentence(report, context) + _undone(context),
        next=_next(import_, context),
        advice=_advice(report),
        since=import_.held_up_since if held_up else None,
        until=import_.not_before if held_up else None,
        actions=_actions(report, context),
        facts=tuple(_facts(report, context)),
    )


def _sentence(report: Report, context: ExplanationContext) -> str:
    import_ = report.import_
    problem = _without_full_stop(import_.problem)
    paused_since = f" since {spoken_instant(import_.held_up_since)}" if import_.held_up_since else ""
    refused = f"{_refused(report.refusals)}. " if report.refusals else ""
    age = spoken_span(context.now - import_.created_at)
    sentences: Mapping[State, str] = {
        State.QUEUED: f"It was submitted {age} ago, and no worker has started it yet.",
        State.RUNNING: (
            f"A worker is copying{_where(import_)}."
            if context.worker
            else f"It is waiting for a worker to continue it{_where(import_)}."
        ),
        State.WAITING: f"{_waits(import_, context.now)}: {problem}.",
        State.PAUSED: f"A user paused it; nothing has been copied{paused_since}.",
        State.COMPLETE: report.verdict,
        State.INCOMPLETE: f"{refused}{report.verdict}",
        State.STOPPED: f"It stopped: {problem}.",
        State.CANCELLED: f"It was cancelled: {problem}." if problem else "It was cancelled by a user.",
        State.FAILED: f"It failed because of an internal error: {problem}.",
    }
    return sentences[import_.state]


def _undone(context: ExplanationContext) -> str:
    if context.undone is None:
        return ""
    return f" It was undone on {spoken_instant(context.undone.at)}. {context.undone.verdict}"


def _waits(import_: Import, now: datetime) -> str:
    if import_.not_before is None or import_.not_before <= now:
        return (
            "Its waiting time is over, and it continues as soon as a worker is free; it was waiting because"
        )
    left = spoken_span(import_.not_before - now)
    return f"It waits until {spoken_instant(import_.not_before)}, {left} from now"


def _next(import_: Import, context: ExplanationContext) -> str:
    if import_.state in ENDED:
        return "Nothing: it has ended, and its passwords are erased."
    if import_.requested is ControlRequest.CANCEL or (
        import_.requested is ControlRequest.PAUSE and import_.state is not State.PAUSED
    ):
        becomes = "ends as cancelled" if import_.requested is ControlRequest.CANCEL else "pauses"
        return f"It {becomes} as soon as the messages being copied are stored."
    if import_.state is State.PAUSED:
        end = f"on {spoken_instant(import_.not_before)}" if import_.not_before else "after two weeks"
        return (
            f"Nothing until it is resumed; {end} it is cancelled, so that its passwords are not kept forever."
        )
    if not context.has_passwords:
        return "It is a foreground copy: it continues as long as its command runs."
    if import_.state is State.WAITING:
        return _after_waiting(import_)
    return "It continues automatically, and a mail is sent when it is done."


def _after_waiting(import_: Import) -> str:
    if import_.problem is not None and import_.problem.code in _NO_ATTEMPT:
        return "It continues automatically; this wait does not count as a failed attempt."
    left = max(1, _max_attempts(import_) - import_.attempts)
    attempts = counted(left, "more attempt", "more attempts")
    return f"It tries again automatically; after {attempts} without progress it stops and asks for help."


def _actions(report: Report, context: ExplanationContext) -> tuple[Action, ...]:
    state = report.import_.state
    if state in ENDED:
        left = context.undone is None or context.undone.totals.stays or context.undone.doubtful
        undo = (Action.UNDO,) if report.totals.copied and left else ()
        return (Action.RUN_AGAIN, *undo)
    if report.import_.requested is ControlRequest.CANCEL:
        return ()
    if not context.has_passwords:
        return (Action.CANCEL,)
    match state:
        case State.PAUSED:
            return (Action.RESUME, Action.CANCEL)
        case State.WAITING:
            return (Action.RETRY, Action.PAUSE, Action.CANCEL)
        case _:
            return (Action.PAUSE, Action.CANCEL)


def _advice(report: Report) -> str:
    import_ = report.import_
    if import_.problem is not None and import_.state in (State.WAITING, State.STOPPED, State.FAILED):
        return _ADVICE.get(import_.problem.code, _OTHER_ADVICE)
    if import_.state is State.INCOMPLETE and not report.refusals:
        return "Run it again: it checks everything once more and copies only what is missing."
    return _ADVICE_BY_STATE.get(import_.state, "Nothing.")


def _options(import_: Import) -> Iterable[tuple[str, str]]:
    """The options that differ from their defaults; the one about labels if there are any."""
    if import_.has_labels:
        yield "labels", f"{import_.options.labels}: {SENTENCES[import_.options.labels]}"
    for name, value in import_.options.chosen.items():
        if not OPTIONS[name].needs_labels:
            yield name, text_of(value)


def _facts(report: Report, context: ExplanationContext) -> Iterable[tuple[str, str]]:
    import_, totals = report.import_, report.totals
    instants = (
        ("submitted", import_.created_at),
        ("begun", import_.started_at),
        ("held up since", import_.held_up_since),
        ("goes on at" if import_.state is State.WAITING else "ends at", import_.not_before),
        ("ended", import_.finished_at),
    )
    yield from ((label, spoken_instant(at)) for label, at in instants if at is not None)
    if import_.progress.folders_total:
        yield "folder", import_.progress.folder
        yield "messages done", f"{import_.progress.messages_done:,} of {import_.progress.messages_total:,}"
    if import_.state not in ENDED:
        yield "fruitless tries", f"{import_.attempts} of {_max_attempts(import_)}"
        yield "worker", context.worker or "none"
        yield "writes into the new mailbox", context.writer or "none"
    yield from _options(import_)
    yield "passwords", "stored, sealed" if context.has_passwords else "not stored"
    if import_.problem is not None:
        yield "problem", import_.problem.code
        if import_.problem.side is not None:
            yield "side", import_.problem.side.value
        if import_.problem.server_text:
            yield "the server said", import_.problem.server_text
    for reason, number in totals.skipped.items():
        yield "left out", f"{counted(number, 'message')}: {reason}"
    for reason, number in _by_reason(report.refusals).most_common():
        yield "not copied", f"{counted(number, 'message') if number else 'a folder'}: {reason}"
    for refusal in report.refusals[-_EXAMPLES:]:
        if refusal.uid is not None:
            yield (
                "such as",
                f"{refusal.folder}, {refusal.date or 'no date'}: {refusal.subject or '(no subject)'}",
            )
    if totals.unconfirmed:
        yield "not seen again", counted(totals.unconfirmed, "copied message")


def _refused(refusals: Iterable[Refusal]) -> str:
    """`3 messages could not be copied: 2 because …; 1 because …`."""
    reasons = _by_reason(refusals).most_common()
    number = sum(messages for _, messages in reasons)
    named = "; ".join(
        f"{messages:,} because {reason.rstrip('.')}" if messages else reason.rstrip(".")
        for reason, messages in reasons[:_REASONS_NAMED]
    )
    more = (
        f"; and {counted(len(reasons) - _REASONS_NAMED, 'more reason')}"
        if len(reasons) > _REASONS_NAMED
        else ""
    )
    subject = counted(number, "message") if number else "The contents of some folders"
    return f"{subject} could not be copied: {named}{more}"


def _by_reason(refusals: Iterable[Refusal]) -> Counter[str]:
    reasons: Counter[str] = Counter()
    for refusal in refusals:
        reasons[refusal.reason] += refusal.count
    return reasons


def _where(import_: Import) -> str:
    progress = import_.progress
    if not progress.folders_total:
        return ""
    messages = counted(progress.messages_total, "message")
    return f", {progress.messages_done:,} of {messages} done, now in “{progress.folder}”"


def _max_attempts(import_: Import) -> int:
    return PATIENCE if import_.progress.folders_total else PATIENCE_UNPROVEN


def _without_full_stop(problem: Problem | None) -> str:
    """The problem's message without its full stop; "" without a problem."""
    return problem.message.strip().rstrip(".") if problem is not None else ""


_NO_ATTEMPT: Final = frozenset(
    {"destination_busy", "connections_in_use", "daily_limit", "consent_needed", "disk_full"}
)
"""Codes of waits that do not count as failed attempts."""

_ADVICE_BY_STATE: Final[Mapping[State, str]] = {
    State.QUEUED: "Nothing for a few minutes. After that, check that workers are running.",
    State.PAUSED: "Resume it, or cancel it: the copied messages stay.",
    State.INCOMPLETE: (
        "The messages are still in the old mailbox. Running it again retries them; messages that are refused"
        " every time can be saved there as files."
    ),
    State.CANCELLED: "If that was a mistake, run it again: it resumes where it was cancelled.",
}
_OTHER_ADVICE: Final = "Fix the problem described above, then run it again: it resumes where it stopped."
_AUTOMATIC: Final = "Nothing: it continues automatically."
_TEMPORARY: Final = "Nothing at first. If it persists, show the server's response to the host's support."
_ADVICE: Final[Mapping[str, str]] = {
    "connection_lost": _AUTOMATIC,
    "folder_changed": _AUTOMATIC,
    "destination_busy": "Nothing: imports into the same mailbox run one after the other.",
    "connections_in_use": "Nothing: imports at the same host share its connections.",
    "daily_limit": "Nothing: it continues automatically as soon as the host's daily limit permits.",
    "disk_full": "Nothing: it continues automatically once the service's operator has freed disk space.",
    "consent_needed": "Make sure that the mailbox's owner opens the link and signs in.",
    "consent_expired": "Run it again: the mailbox's owner gets a new link.",
    "protocol_violation": _TEMPORARY,
    "server_unavailable": "Nothing at first. If it persists, check the server's name and port.",
    "server_too_slow": "Nothing at first. If it persists, contact the host's support.",
    "beyond_limit": "Delete or merge what is too much in that mailbox, or contact the host's support.",
    "throttled": "Nothing: the host limits the transfer rate, and it continues when the host permits.",
    "host_unknown": "Correct the server's name, then run it again.",
    "host_forbidden": "Correct the server's name; if it is right, ask the service's operator to allow it.",
    "certificate_refused": "Check the server's name; if it is right, its operator must fix the certificate.",
    "not_an_imap_server": "Correct the port or the kind of encryption, then run it again.",
    "encryption_unavailable": "Use another port of that host, one with encryption, then run it again.",
    "endpoint_wrong": "Correct the server, then run it again.",
    "login_rejected": "Correct the password, or create an app password at that host, then run it again.",
    "master_refused": "Check that the mailbox exists and the master user's settings, or use its password.",
    "grant_expired": "Sign in at that provider once more, then run it again.",
    "destination_full": "Free space in the new mailbox or raise its quota, then run it again.",
    "passwords_missing": "Run it again with both passwords.",
    "interrupted": "Run it again: it resumes where it stopped.",
    "folder_unusable": _TEMPORARY,
    "folder_left_out": "Nothing: the report names the folder and what is missing.",
    "mail_hidden": "Change the setting that the sentence names, then run it again.",
    "pause_forgotten": "Run it again with both passwords.",
    "mail_error": _TEMPORARY,
    "internal": "Run it again. If it fails once more, report the import's id to the service's operator.",
}
