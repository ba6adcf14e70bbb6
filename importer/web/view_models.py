"""An import as a page shows it: a tone, a word, a sentence, and the numbers beside them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from importer.domain.import_state import ENDED
from importer.domain.model import ControlRequest, Import, State
from importer.domain.reporting.report import Report
from importer.i18n.problem_texts import import_problem
from importer.i18n.translations import N_, CatalogTranslator
from importer.web.live_progress import Rate, Snapshot

_WORDS: Final = {
    State.QUEUED: ("calm", N_("Queued")),
    State.RUNNING: ("busy", N_("Copying")),
    State.WAITING: ("wait", N_("Waiting")),
    State.PAUSED: ("wait", N_("Paused")),
    State.COMPLETE: ("good", N_("Complete")),
    State.INCOMPLETE: ("warn", N_("Finished with gaps")),
    State.STOPPED: ("bad", N_("Stopped")),
    State.CANCELLED: ("calm", N_("Cancelled")),
    State.FAILED: ("bad", N_("Failed")),
}

_NO_SOONER: Final = frozenset({"throttled", "daily_limit", "connections_in_use", "consent_needed"})
"""Why it waits where trying at once leads nowhere: hosts are held to their word (`service/manners.py`), and
owners sign in when they do."""

_STAYS: Final = N_("Messages already copied stay in the new mailbox.")
_GOES_ON: Final = N_("It continues automatically.")
_REQUESTED: Final = {
    ControlRequest.PAUSE: N_("It will pause in a moment."),
    ControlRequest.CANCEL: N_("It will end in a moment."),
}


@dataclass(frozen=True, slots=True)
class ImportView:
    """`tone` is calm, busy, wait, good, warn or bad; `percent` None means that nobody knows yet."""

    import_: Import
    tone: str
    word: str
    sentence: str
    until: datetime | None
    percent: int | None
    left: timedelta | None
    bytes_per_s: float
    ended: bool
    sign_ins: tuple[tuple[str, str], ...] = ()  # the mailboxes whose owners have yet to sign in, and where

    @property
    def moving(self) -> bool:
        """It is under way, and nobody has to do anything for it."""
        held = self.import_.state is State.PAUSED or self.import_.requested is not None or bool(self.sign_ins)
        return not (self.ended or held)

    @property
    def can_pause(self) -> bool:
        return not self.ended and self.import_.requested is None and self.import_.state is not State.PAUSED

    @property
    def can_resume(self) -> bool:
        """Goes on after a pause, or tries now what it would try later."""
        if self.import_.requested is ControlRequest.CANCEL:
            return False
        problem = self.import_.problem
        sooner = problem is None or problem.code not in _NO_SOONER
        return self.import_.state is State.PAUSED or (self.import_.state is State.WAITING and sooner)

    @property
    def can_cancel(self) -> bool:
        return not self.ended and self.import_.requested is not ControlRequest.CANCEL


def shown(
    texts: CatalogTranslator, sight: Snapshot, now: datetime, sign_ins: tuple[tuple[str, str], ...] = ()
) -> ImportView:
    """The import in this language, as of now."""
    import_ = sight.import_
    tone, word = _WORDS[import_.state]
    running = import_.state is State.RUNNING
    rate = sight.rate if running else Rate()
    waits = import_.state is State.WAITING and not sign_ins  # for an owner, not for a time
    until = import_.not_before if waits and import_.not_before and import_.not_before > now else None
    return ImportView(
        import_,
        tone,
        texts.gettext(word),
        _sentence(texts, import_),
        until,
        _percent(import_),
        rate.left,
        rate.bytes_per_s,
        import_.state in ENDED,
        sign_ins,
    )


def _percent(import_: Import) -> int | None:
    progress = import_.progress
    if import_.state is State.COMPLETE:
        return 100
    if not progress.messages_total:
        return None if import_.state is State.RUNNING else 0
    done = 100 * progress.messages_done // progress.messages_total
    return min(done, 99 if import_.state is State.RUNNING else 100)


def _sentence(texts: CatalogTranslator, import_: Import) -> str:
    if import_.requested is not None and import_.state not in (*ENDED, State.PAUSED):
        return texts.gettext(_REQUESTED[import_.requested])
    match import_.state:
        case State.PAUSED:
            return texts.gettext("Messages already copied stay. You can resume the import at any time.")
        case State.QUEUED:
            return texts.gettext("It will start automatically in a moment.")
        case State.WAITING:
            why, problem = import_problem(texts, import_), import_.problem
            owner = problem is not None and problem.code == "consent_needed"
            goes_on = texts.gettext("It then continues automatically.") if owner else texts.gettext(_GOES_ON)
            return f"{why} {goes_on}".strip()
        case State.STOPPED | State.FAILED | State.CANCELLED:
            stays = State.CANCELLED is import_.state and texts.gettext(_STAYS)
            return import_problem(texts, import_) or stays or ""
        case _:
            return ""


def verdict(texts: CatalogTranslator, report: Report) -> str:
    """How it ended, in one or two sentences; "" while it is under way."""
    totals, state = report.totals, report.import_.state
    if state is State.COMPLETE:
        if not totals.found:
            return texts.gettext("The old mailbox was empty: there was nothing to copy.")
        if totals.copied == 0:
            return texts.gettext("Everything was already in the new mailbox: there was nothing new to copy.")
        return texts.ngettext(
            "The one message of the old mailbox is in the new one.",
            "All %(num)s messages of the old mailbox are in the new one.",
            totals.found - totals.skipped_total,
        )
    if state is not State.INCOMPLETE:
        return ""
    sentences = []
    if totals.failed:
        sentences.append(
            texts.ngettext(
                "%(num)s message could not be copied; it is listed below with the reason.",
                "%(num)s messages could not be copied; they are listed below with the reasons.",
                totals.failed,
            )
        )
    if totals.unconfirmed:
        sentences.append(
            texts.ngettext(
                "%(num)s copied message was not found in the recount: it may have been moved.",
                "%(num)s copied messages were not found in the recount: they may have been moved.",
                totals.unconfirmed,
            )
        )
    return " ".join(sentences) or texts.gettext("Not everything could be verified: start the import again.")
