"""Why an import stands where it stands, for the person who asks: one sentence first, then what happens
next, what they can do, and the facts behind it.

Sentences may quote foreign text: show them through `wording.printable`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from importer.domain.folder_mapping.label_rules import SENTENCES
from importer.domain.import_state import ENDED
from importer.domain.model import ControlRequest, Import, Problem, Refusal, State
from importer.domain.planning.retry_policy import PATIENCE, PATIENCE_UNPROVEN
from importer.domain.receipts.undo_report import UndoReport
from importer.domain.reporting.formatting import counted, spoken_instant, spoken_span
from importer.domain.reporting.report import Report

_REASONS_NAMED: Final = 3
_EXAMPLES: Final = 5


class Action(StrEnum):
    """What a person can do with an import; front ends have a button or a command for each."""

    PAUSE = "pause"
    RESUME = "resume"
    RETRY = "retry"  # now, and not when its time has come
    CANCEL = "cancel"
    RUN_AGAIN = "run again"  # a new import on the same route, with passwords anew
    UNDO = "undo"


@dataclass(frozen=True, slots=True)
class ExplanationContext:
    """What an import cannot know by itself. `worker` and `writer` name the processes that work on it and
    that write into its destination mailbox, "" for nobody."""

    now: datetime
    worker: str = ""
    writer: str = ""
    has_passwords: bool = False
    undone: UndoReport | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """`since` and `until`: of the waiting or the pause, None where there is none. `facts` are
    (what, value) in the order to be shown."""

    sentence: str
    next: str
    advice: str
    since: datetime | None
    until: datetime | None
    actions: tuple[Action, ...]
    facts: tuple[tuple[str, str], ...]

    def as_json(self) -> dict[str, object]:
        """Keys are stable; new ones may be added. `facts` are for people."""
        return {
            "sentence": self.sentence,
            "next": self.next,
            "advice": self.advice,
            "since": None if self.since is None else self.since.isoformat(),
            "until": None if self.until is None else self.until.isoformat(),
            "actions": [action.value for action in self.actions],
            "facts": dict(self.facts),
        }


def explain(report: Report, around: ExplanationContext) -> Explanation:
    """Works for every state, ends included."""
    import_ = report.import_
    held_up = import_.state in (State.WAITING, State.PAUSED)
    return Explanation(
        sentence=_sentence(report, around) + _undone(around),
        next=_next(import_, around),
        advice=_advice(report),
        since=import_.held_up_since if held_up else None,
        until=import_.not_before if held_up else None,
        actions=_actions(report, around),
        facts=tuple(_facts(report, around)),
    )


def _sentence(report: Report, around: ExplanationContext) -> str:
    import_ = report.import_
    said = _stripped(import_.problem)
    paused_since = f" since {spoken_instant(import_.held_up_since)}" if import_.held_up_since else ""
    refused = f"{_refused(report.refusals)}. " if report.refusals else ""
    age = spoken_span(around.now - import_.created_at)
    sentences: Mapping[State, str] = {
        State.QUEUED: f"It was submitted {age} ago and no worker has begun with it yet.",
        State.RUNNING: (
            f"A worker is copying{_where(import_)}."
            if around.worker
            else f"It is between two stretches of work{_where(import_)}; the next is due."
        ),
        State.WAITING: f"{_waits(import_, around.now)}: {said}.",
        State.PAUSED: f"Somebody paused it; nothing has been copied{paused_since}.",
        State.COMPLETE: report.verdict,
        State.INCOMPLETE: f"{refused}{report.verdict}",
        State.STOPPED: f"It stopped, because: {said}.",
        State.CANCELLED: f"It was cancelled: {said}." if said else "It was cancelled by a person.",
        State.FAILED: f"It failed, by a fault of our own: {said}.",
    }
    return sentences[import_.state]


def _undone(around: ExplanationContext) -> str:
    if around.undone is None:
        return ""
    return f" It was undone on {spoken_instant(around.undone.at)}. {around.undone.verdict}"


def _waits(import_: Import, now: datetime) -> str:
    if import_.not_before is None or import_.not_before <= now:
        return "It has waited and goes on as soon as a worker is free; it waited because"
    left = spoken_span(import_.not_before - now)
    return f"It waits until {spoken_instant(import_.not_before)}, {left} from now"


def _next(import_: Import, around: ExplanationContext) -> str:
    if import_.state in ENDED:
        return "Nothing: it has ended, and its passwords are erased."
    if import_.requested is ControlRequest.CANCEL or (
        import_.requested is ControlRequest.PAUSE and import_.state is not State.PAUSED
    ):
        becomes = "ends as cancelled" if import_.requested is ControlRequest.CANCEL else "pauses"
        return f"It {becomes} as soon as the messages in hand are stored."
    if import_.state is State.PAUSED:
        end = f"on {spoken_instant(import_.not_before)}" if import_.not_before else "after two weeks"
        return f"Nothing, until it is resumed; {end} it ends, so that its passwords are not kept for ever."
    if not around.has_passwords:
        return "It is a copy in the foreground: it goes on as long as its command runs."
    if import_.state is State.WAITING:
        return _after_waiting(import_)
    return "It goes on by itself, and a mail tells when it is done."


def _after_waiting(import_: Import) -> str:
    if import_.problem is not None and import_.problem.code in _NO_TRY:
        return "It goes on by itself; nothing is counted against it."
    left = max(1, _patience(import_) - import_.attempts)
    tries = counted(left, "more fruitless try", "more fruitless tries")
    return f"It tries again by itself; after {tries} it stops and asks for help."


def _actions(report: Report, around: ExplanationContext) -> tuple[Action, ...]:
    state = report.import_.state
    if state in ENDED:
        left = around.undone is None or around.undone.totals.stays or around.undone.doubtful
        undo = (Action.UNDO,) if report.totals.copied and left else ()
        return (Action.RUN_AGAIN, *undo)
    if report.import_.requested is ControlRequest.CANCEL:
        return ()
    if not around.has_passwords:
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
        return _ADVICE.get(import_.problem.code, _ADVICE_ELSE)
    if import_.state is State.INCOMPLETE and not report.refusals:
        return "Run it again: it looks at everything once more and copies only what is missing."
    return _ADVICE_BY_STATE.get(import_.state, "Nothing.")


def _facts(report: Report, around: ExplanationContext) -> Iterable[tuple[str, str]]:
    import_, totals = report.import_, report.totals
    instants = (
        ("submitted", import_.created_at),
        ("begun", import_.started_at),
        ("held up since", import_.held_up_since),
        ("goes on at" if import_.state is State.WAITING else "ends at", import_.not_before),
        ("ended", import_.finished_at),
    )
    yield from ((what, spoken_instant(at)) for what, at in instants if at is not None)
    if import_.progress.folders_total:
        yield "folder", import_.progress.folder
        yield "messages done", f"{import_.progress.messages_done:,} of {import_.progress.messages_total:,}"
    if import_.state not in ENDED:
        yield "fruitless tries", f"{import_.attempts} of {_patience(import_)}"
        yield "worker", around.worker or "none"
        yield "writes into the new mailbox", around.writer or "nobody"
    if import_.has_labels:
        yield "labels", f"{import_.labels.value}: {SENTENCES[import_.labels]}"
    if import_.sync_flags:
        yield "flags", "Those that changed at the old mailbox since the copy are brought over."
    yield "passwords", "kept, sealed" if around.has_passwords else "not kept"
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
    number = sum(many for _, many in reasons)
    named = "; ".join(
        f"{many:,} because {reason.rstrip('.')}" if many else reason.rstrip(".")
        for reason, many in reasons[:_REASONS_NAMED]
    )
    more = (
        f"; and {counted(len(reasons) - _REASONS_NAMED, 'more reason')}"
        if len(reasons) > _REASONS_NAMED
        else ""
    )
    what = counted(number, "message") if number else "What is in some folders"
    return f"{what} could not be copied: {named}{more}"


def _by_reason(refusals: Iterable[Refusal]) -> Counter[str]:
    reasons: Counter[str] = Counter()
    for refusal in refusals:
        reasons[refusal.reason] += refusal.count
    return reasons


def _where(import_: Import) -> str:
    reached = import_.progress
    if not reached.folders_total:
        return ""
    messages = counted(reached.messages_total, "message")
    return f", {reached.messages_done:,} of {messages} done, now in “{reached.folder}”"


def _patience(import_: Import) -> int:
    return PATIENCE if import_.progress.folders_total else PATIENCE_UNPROVEN


def _stripped(problem: Problem | None) -> str:
    """The sentence without its full stop."""
    return problem.message.strip().rstrip(".") if problem is not None else ""


_NO_TRY: Final = frozenset(
    {"destination_busy", "connections_in_use", "daily_limit", "consent_needed", "disk_full"}
)
"""Waits that are nobody's fault."""

_ADVICE_BY_STATE: Final[Mapping[State, str]] = {
    State.QUEUED: "Nothing, for some minutes. Then somebody should look whether workers are running.",
    State.PAUSED: "Resume it, or cancel it: what is copied stays.",
    State.INCOMPLETE: (
        "The messages are still in the old mailbox. Running it again tries them once more; what is refused"
        " every time can be saved there as a file."
    ),
    State.CANCELLED: "If it was a mistake, run it again: it goes on where it was cancelled.",
}
_ADVICE_ELSE: Final = "Put right what is said above, then run it again: it goes on where it stopped."
_NOTHING: Final = "Nothing: it continues automatically."
_ADVICE: Final[Mapping[str, str]] = {
    "connection_lost": _NOTHING,
    "folder_changed": _NOTHING,
    "destination_busy": "Nothing: the imports into that mailbox take turns.",
    "connections_in_use": "Nothing: the imports at that host take turns.",
    "daily_limit": "Nothing: it goes on by itself as soon as the host may be asked for more.",
    "disk_full": "Nothing: whoever runs this service has to make room, then it goes on by itself.",
    "consent_needed": "See that the mailbox's owner opens the link and signs in.",
    "consent_expired": "Run it again: the mailbox's owner gets a new link.",
    "protocol_violation": "Nothing at first. If it stays so, show the host's operator what its server said.",
    "server_unavailable": "Nothing at first. If it stays so, check the server's name and port.",
    "server_too_slow": "Nothing at first. If it stays so, ask the host's operator what ails its server.",
    "throttled": "Nothing: the host limits how much it hands out, and it goes on when the host allows it.",
    "host_unknown": "Correct the server's name, then run it again.",
    "host_forbidden": "Correct the server's name; if it is right, ask whoever runs this service to allow it.",
    "certificate_refused": "Check the server's name; its operator can mend the certificate.",
    "not_an_imap_server": "Correct the port or the kind of encryption, then run it again.",
    "encryption_unavailable": "Use another port of that host, one with encryption, then run it again.",
    "endpoint_wrong": "Correct the server, then run it again.",
    "login_rejected": "Correct the password, or make an app password at that host, then run it again.",
    "master_refused": "Check that the mailbox is there and the master user's settings, or use its password.",
    "grant_expired": "Sign in at that provider once more, then run it again.",
    "destination_full": "Make room in the new mailbox or raise its quota, then run it again.",
    "passwords_missing": "Run it again with both passwords.",
    "interrupted": "Run it again: it goes on from there.",
    "folder_unusable": "Nothing at first. If it stays so, show the host's operator what its server said.",
    "folder_left_out": "Nothing: the report names the folder and what is missing.",
    "mail_hidden": "Turn the switch that the sentence names, then run it again.",
    "pause_forgotten": "Run it again with both passwords.",
    "mail_error": "Nothing at first. If it stays so, show the host's operator what its server said.",
    "internal": "Run it again. If it fails once more, tell whoever runs this service the import's id.",
}
