"""View models: an import on a page, with a tone, a word, a sentence and numbers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from importer.codes.code_lookup import public_row, way_on
from importer.domain.import_state import ENDED
from importer.domain.model import ControlRequest, Import, Phase, State
from importer.domain.planning.pace import Rate
from importer.domain.reporting.batch_overview import awaits_owner
from importer.domain.reporting.explanation import next_step
from importer.domain.reporting.totals import Totals
from importer.i18n.explanation_texts import kept_text, next_text
from importer.i18n.phase_texts import phase_text
from importer.i18n.problem_texts import import_problem, quoting
from importer.i18n.state_texts import COUNTS, count_name, state_word
from importer.i18n.translations import N_, CatalogTranslator
from importer.i18n.wait_texts import reminder_text
from importer.web.live_progress import Snapshot
from providers.text import WayOn

TONES: Final = {
    State.QUEUED: "calm",
    State.RUNNING: "busy",
    State.WAITING: "wait",
    State.PAUSED: "wait",
    State.COMPLETE: "good",
    State.INCOMPLETE: "warn",
    State.STOPPED: "bad",
    State.CANCELLED: "calm",
    State.FAILED: "bad",
    State.UNDONE: "calm",
}

_COPIES_STAY: Final = N_("Messages already copied stay in the new mailbox.")
_REQUESTED: Final = {
    ControlRequest.PAUSE: N_("It pauses within five seconds. Messages already copied stay."),
    ControlRequest.CANCEL: N_("It ends within five seconds. Messages already copied stay."),
}


@dataclass(frozen=True, slots=True)
class ImportView:
    """`tone` is calm, busy, wait, good, warn or bad; `percent` is None while it is unknown.

    `sign_ins` lists the reader's mailboxes with pending sign-ins, each with the path of its link.
    `any_failed`: it came to its end, and messages of it failed.
    """

    import_: Import
    tone: str
    word: str
    sentence: str
    until: datetime | None
    percent: int | None
    left: timedelta | None
    bytes_per_s: float
    ended: bool
    sign_ins: tuple[tuple[str, str], ...] = ()
    any_failed: bool = False

    @property
    def moving(self) -> bool:
        """Whether it makes progress without an action by a person."""
        paused = self.import_.state is State.PAUSED
        asked = self.import_.requested is not None
        return not (self.ended or paused or asked or awaits_owner(self.import_))

    @property
    def needs_somebody(self) -> bool:
        """Whether it needs a person to continue: to sign in, resume it or start it again."""
        over = self.import_.state in (State.STOPPED, State.FAILED)
        return over or self.import_.state is State.PAUSED or awaits_owner(self.import_)

    @property
    def pause_pending(self) -> bool:
        """Whether a requested pause is not in effect yet, and so can be withdrawn."""
        paused = self.import_.requested is ControlRequest.PAUSE
        return paused and self.import_.state not in (*ENDED, State.PAUSED)

    @property
    def can_pause(self) -> bool:
        return not self.ended and self.import_.requested is None and self.import_.state is not State.PAUSED

    @property
    def can_resume(self) -> bool:
        """Whether it can be resumed after a pause, or retried before its time."""
        if self.import_.requested is ControlRequest.CANCEL:
            return False
        if self.pause_pending:
            return True
        problem = self.import_.problem
        early_retry = problem is None or public_row(problem.code).retry_now
        return self.import_.state is State.PAUSED or (self.import_.state is State.WAITING and early_retry)

    @property
    def way_on(self) -> str:
        """The first step of running an ended import again: a `WayOn`, `failed`, `new` or `undone`."""
        match self.import_.state:
            case State.COMPLETE:
                return "new"
            case State.UNDONE:
                return "undone"
            case State.INCOMPLETE:
                return "failed" if self.any_failed else WayOn.CONTINUE
            case State.CANCELLED | State.STOPPED if self.import_.problem is not None:
                return way_on(self.import_.problem.text.code)
            case _:
                return WayOn.CONTINUE

    @property
    def keeps_passwords(self) -> bool:
        """Whether it was stopped and can be tried again with the passwords that are kept."""
        return self.import_.grants_kept_until is not None

    @property
    def can_cancel(self) -> bool:
        return not self.ended and self.import_.requested is not ControlRequest.CANCEL


def import_view(
    texts: CatalogTranslator,
    snapshot: Snapshot,
    now: datetime,
    sign_ins: tuple[tuple[str, str], ...] = (),
    turn: int | None = None,
    *,
    any_failed: bool = False,
) -> ImportView:
    """The view of an import in this language at `now`. `turn` is the number of imports that start before it,
    None if it starts in a moment."""
    import_ = snapshot.import_
    running = import_.state is State.RUNNING
    rate = snapshot.rate if running else Rate()
    timed_wait = import_.state is State.WAITING and not awaits_owner(import_)
    until = import_.not_before if timed_wait and import_.not_before and import_.not_before > now else None
    return ImportView(
        import_,
        TONES[import_.state],
        state_word(texts, import_.state),
        _sentence(texts, import_, turn),
        until,
        _percent(import_),
        rate.left,
        rate.bytes_per_s,
        import_.state in ENDED,
        sign_ins,
        any_failed,
    )


def _percent(import_: Import) -> int | None:
    progress = import_.progress
    if import_.state is State.COMPLETE:
        return 100
    if not progress.messages_total or import_.state is State.UNDONE:
        return None if import_.state is State.RUNNING else 0
    done = 100 * progress.messages_done // progress.messages_total
    return min(done, 99 if import_.state is State.RUNNING else 100)


def _sentence(texts: CatalogTranslator, import_: Import, turn: int | None) -> str:
    if import_.requested is not None and import_.state not in (*ENDED, State.PAUSED):
        return texts.gettext(_REQUESTED[import_.requested])
    match import_.state:
        case State.PAUSED:
            stay = texts.gettext("Messages already copied stay. You can resume the import at any time.")
            return f"{stay} {next_text(texts, import_, next_step(import_))}"
        case State.QUEUED:
            return _turn_text(texts, turn)
        case State.WAITING:
            problem = import_.problem
            reason = quoting(texts, import_problem(texts, import_), problem)
            parts = reason, reminder_text(texts, import_), next_text(texts, import_, next_step(import_))
            return " ".join(filter(None, parts))
        case State.STOPPED | State.FAILED | State.CANCELLED:
            cancelled = import_.state is State.CANCELLED
            explained = quoting(texts, import_problem(texts, import_), import_.problem)
            if import_.grants_kept_until is not None:
                explained = f"{explained} {kept_text(texts, import_)}".strip()
            return explained or (texts.gettext(_COPIES_STAY) if cancelled else "")
        case _:
            return "" if import_.progress.phase is Phase.COPYING else phase_text(texts, import_)


def _turn_text(texts: CatalogTranslator, turn: int | None) -> str:
    """The turn of a queued import, in a sentence."""
    if turn is None:
        return texts.gettext("It will start automatically in a moment.")
    if not turn:
        return texts.gettext("It starts next, as soon as there is room.")
    return texts.ngettext(
        "It waits for its turn: %(num)s mailbox starts before it.",
        "It waits for its turn: %(num)s mailboxes start before it.",
        turn,
    )


_OCCASIONAL: Final = frozenset({"gone", "never_seen", "still_to_do"})
"""Numbers that a page shows only if they are not 0."""


def report_columns(texts: CatalogTranslator, totals: Totals) -> tuple[tuple[str, str], ...]:
    """The columns of the result, as (heading, name of the number in Totals and in FolderTally)."""
    shown = (each for each in COUNTS if each not in _OCCASIONAL or getattr(totals, each))
    return tuple((count_name(texts, each), each) for each in shown)
