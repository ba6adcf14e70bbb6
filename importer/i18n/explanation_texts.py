"""The reason for an import's state, the next event and the advice, in plain sentences and as JSON.

Sentences may quote foreign text: pass them through `formatting.printable` for display.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from importer.domain.import_state import ENDED
from importer.domain.model import Import, Phase, State
from importer.domain.people.consent_schedule import owner_wait
from importer.domain.receipts.folder_tally import Refusal
from importer.domain.reporting.explanation import Advice, Explanation, Upcoming, max_attempts
from importer.domain.reporting.refusal_classes import RefusalClass, refusals_by_class
from importer.i18n.folder_names import folder_name
from importer.i18n.option_texts import chosen_options, word_sentences
from importer.i18n.outcome_texts import outcome_text
from importer.i18n.phase_texts import phase_text
from importer.i18n.problem_texts import problem_advice, problem_sentence
from importer.i18n.reason_texts import reason
from importer.i18n.state_texts import state_word
from importer.i18n.translations import N_, CatalogTranslator
from importer.i18n.wait_texts import wait_text
from providers.frozen import frozen

_REASONS_NAMED: Final = 3
_EXAMPLES: Final = 5

_NEXT: Final = {
    Upcoming.NOTHING: N_("Nothing: it has ended, and its passwords are erased."),
    Upcoming.ENDS_SOON: N_("It ends within five seconds. Messages already copied stay."),
    Upcoming.PAUSES_SOON: N_("It pauses within five seconds. Messages already copied stay."),
    Upcoming.CONTINUES_WITH_COMMAND: N_("It continues as long as the command that copies it runs."),
    Upcoming.CONTINUES_UNCOUNTED: N_(
        "It continues automatically; this wait does not count as a failed attempt."
    ),
    Upcoming.WAITS_FOR_OWNER: N_("It continues as soon as the owner has signed in."),
    Upcoming.CONTINUES: N_("It continues automatically, and a mail is sent when it is done."),
}
_ADVICE: Final = {
    Advice.NOTHING: N_("Nothing."),
    Advice.LOOK_FOR_WORKERS: N_("Nothing for a few minutes. After that, check that workers are running."),
    Advice.RESUME_OR_CANCEL: N_("Resume it, or cancel it: the copied messages stay."),
    Advice.CHECK_AGAIN: N_("Run it again: it checks everything once more and copies only what is missing."),
    Advice.RETRY_REFUSED: N_(
        "The messages are still in the old mailbox. Running it again retries them; messages that are refused"
        " every time can be saved there as files."
    ),
    Advice.LOOK_FOR_SENT: N_(
        "Look for these messages in the new mailbox. If they are not there, undo the import that sent them"
        " and run it again."
    ),
    Advice.RUN_AGAIN: N_("If that was a mistake, run it again: it copies what is missing."),
}
_REFUSED: Final = {
    RefusalClass.NOT_COPIED: N_("not copied"),
    RefusalClass.NEVER_SEEN: N_("sent before, never seen"),
    RefusalClass.PARTLY_SHOWN: N_("may be incomplete"),
    RefusalClass.SURPLUS: N_("there too often"),
}


@frozen
class ExplanationTexts:
    """`facts` are (label, value) pairs in display order."""

    sentence: str
    next: str
    advice: str
    facts: tuple[tuple[str, str], ...]


def explanation_texts(texts: CatalogTranslator, explanation: Explanation) -> ExplanationTexts:
    """The explanation in sentences."""
    import_ = explanation.report.import_
    return ExplanationTexts(
        sentence=_sentence(texts, explanation),
        next=next_text(texts, import_, explanation.next),
        advice=advice_text(texts, import_, explanation.advice),
        facts=tuple(_facts(texts, explanation)),
    )


def explanation_json(texts: CatalogTranslator, explanation: Explanation) -> dict[str, object]:
    """Keys are stable; new ones may be added. `facts` is for display only."""
    words = explanation_texts(texts, explanation)
    since, until = explanation.since, explanation.until
    return {
        "sentence": words.sentence,
        "next": words.next,
        "advice": words.advice,
        "since": None if since is None else since.isoformat(),
        "until": None if until is None else until.isoformat(),
        "actions": [action.value for action in explanation.actions],
        "facts": dict(words.facts),
    }


def next_text(texts: CatalogTranslator, import_: Import, step: Upcoming) -> str:
    """The next event, as one sentence."""
    match step:
        case Upcoming.CAN_BE_REOPENED:
            return kept_text(texts, import_)
        case Upcoming.ENDS_UNLESS_RESUMED if import_.not_before:
            return texts.gettext(
                "Nothing happens until it is resumed; on %(instant)s it is cancelled, so that its passwords"
                " are not kept forever.",
                instant=texts.moment(import_.not_before),
            )
        case Upcoming.ENDS_UNLESS_RESUMED:
            return texts.gettext(
                "Nothing happens until it is resumed; after two weeks it is cancelled, so that its passwords"
                " are not kept forever."
            )
        case Upcoming.TRIES_AGAIN:
            return texts.ngettext(
                "It tries again automatically; after %(num)s more attempt without progress it stops and asks"
                " for help.",
                "It tries again automatically; after %(num)s more attempts without progress it stops and asks"
                " for help.",
                max(1, max_attempts(import_) - import_.attempts),
            )
        case _:
            return texts.gettext(_NEXT[step])


def kept_text(texts: CatalogTranslator, import_: Import) -> str:
    """The time until which a stopped import's passwords are kept, and the reason; "" if they are erased."""
    if import_.grants_kept_until is None:
        return ""
    return texts.gettext(
        "Its passwords stay stored, sealed, until %(instant)s, so that it can be tried again without them."
        " Then they are erased; cancelling it erases them now.",
        instant=texts.moment(import_.grants_kept_until),
    )


def advice_text(texts: CatalogTranslator, import_: Import, advice: Advice) -> str:
    """The advice for the import's user."""
    if advice is Advice.BY_PROBLEM and import_.problem is not None:
        return problem_advice(texts, import_)
    return texts.gettext(_ADVICE[advice])


def _sentence(  # noqa: PLR0911, PLR0912 - one for each state
    texts: CatalogTranslator, explanation: Explanation
) -> str:
    report, context = explanation.report, explanation.context
    import_ = report.import_
    problem = problem_sentence(texts, import_)
    match import_.state:
        case State.QUEUED:
            submitted = texts.moment(import_.created_at)
            return texts.gettext("Submitted on %(instant)s; no worker has started it yet.", instant=submitted)
        case State.RUNNING if context.worker:
            copies = texts.gettext("A worker is copying it.")
            return f"{copies} {_where(texts, import_)}".strip()
        case State.RUNNING:
            waits = texts.gettext("It is waiting for a worker to continue it.")
            return f"{waits} {_where(texts, import_)}".strip()
        case State.WAITING if import_.not_before is not None and not explanation.due:
            return f"{wait_text(texts, import_)} {problem}"
        case State.WAITING:
            due = texts.gettext("The wait is over: it continues as soon as a worker is free.")
            return f"{due} {problem}".strip()
        case State.PAUSED if import_.held_up_since:
            return texts.gettext(
                "A user paused it; nothing has been copied since %(instant)s.",
                instant=texts.moment(import_.held_up_since),
            )
        case State.PAUSED:
            return texts.gettext("A user paused it; nothing is being copied.")
        case State.COMPLETE | State.UNDONE:
            return outcome_text(texts, report.outcome)
        case State.INCOMPLETE:
            not_copied = refusals_by_class(report.refusals).get(RefusalClass.NOT_COPIED)
            refused = _refused(texts, not_copied) if not_copied else ""
            return f"{refused} {outcome_text(texts, report.outcome)}".strip()
        case State.STOPPED:
            return f"{state_word(texts, State.STOPPED)}. {problem}".strip()
        case State.CANCELLED if problem:
            return f"{state_word(texts, State.CANCELLED)}. {problem}"
        case State.CANCELLED:
            return texts.gettext("A user cancelled it.")
        case State.FAILED:
            failed = texts.gettext("The copy could not be finished because of an error on our side.")
            return f"{failed} {problem}".strip()


def _where(texts: CatalogTranslator, import_: Import) -> str:
    progress = import_.progress
    if progress.phase is not Phase.COPYING or not progress.folders_total:
        return phase_text(texts, import_)
    return texts.ngettext(
        "%(done)s of %(num)s message done, now in “%(folder)s”.",
        "%(done)s of %(num)s messages done, now in “%(folder)s”.",
        progress.messages_total,
        done=texts.number(progress.messages_done),
        folder=folder_name(texts, progress.folder),
    )


def _refused(texts: CatalogTranslator, refusals: Iterable[Refusal]) -> str:
    """`3 messages could not be copied (too large: 2; removed meanwhile: 1).`"""
    reasons = _by_reason(texts, refusals).most_common()
    number = sum(messages for _, messages in reasons)
    parts = [texts.counted(why, messages) if messages else why for why, messages in reasons]
    named = parts[:_REASONS_NAMED]
    if more := len(parts) - len(named):
        named.append(texts.ngettext("%(num)s more reason", "%(num)s more reasons", more))
    if not number:
        return texts.gettext(
            "The contents of some folders could not be copied (%(reasons)s).", reasons="; ".join(named)
        )
    return texts.ngettext(
        "%(num)s message could not be copied (%(reasons)s).",
        "%(num)s messages could not be copied (%(reasons)s).",
        number,
        reasons="; ".join(named),
    )


def _by_reason(texts: CatalogTranslator, refusals: Iterable[Refusal]) -> Counter[str]:
    reasons: Counter[str] = Counter()
    for refusal in refusals:
        reasons[reason(texts, refusal.reason).rstrip(".")] += refusal.count
    return reasons


def _facts(texts: CatalogTranslator, explanation: Explanation) -> Iterator[tuple[str, str]]:
    import_, context = explanation.report.import_, explanation.context
    instants = (
        (texts.gettext("submitted"), import_.created_at),
        (texts.gettext("begun"), import_.started_at),
        (texts.gettext("held up since"), import_.held_up_since),
        *_end_of_wait(texts, import_),
        (texts.gettext("ended"), import_.finished_at),
    )
    yield from ((label, texts.moment(at)) for label, at in instants if at is not None)
    if phase := phase_text(texts, import_):
        yield texts.gettext("phase"), phase
    if import_.progress.folders_total:
        done = texts.number(import_.progress.messages_done)
        total = texts.number(import_.progress.messages_total)
        yield texts.gettext("folder"), folder_name(texts, import_.progress.folder)
        yield (
            texts.gettext("messages done"),
            texts.gettext("%(done)s of %(total)s", done=done, total=total),
        )
    if import_.state not in ENDED:
        none = texts.gettext("none")
        yield (
            texts.gettext("attempts without progress"),
            texts.gettext("%(done)s of %(total)s", done=import_.attempts, total=max_attempts(import_)),
        )
        yield texts.gettext("worker"), context.worker or none
        yield texts.gettext("writes into the new mailbox"), context.writer or none
    if import_.has_labels:
        yield texts.gettext("labels"), word_sentences(texts, "labels", import_.options.labels)
    yield from chosen_options(texts, import_.options)
    stored = texts.gettext("stored, sealed") if context.has_passwords else texts.gettext("not stored")
    yield texts.gettext("passwords"), stored
    yield from _problem_facts(texts, import_)
    yield from _gap_facts(texts, explanation)


def _end_of_wait(texts: CatalogTranslator, import_: Import) -> Iterator[tuple[str, datetime | None]]:
    owner = owner_wait(import_)
    if owner is not None:
        yield texts.gettext("waits for the owner until"), owner.until
        yield texts.gettext("next reminder"), owner.reminder
    elif import_.state is State.WAITING:
        yield texts.gettext("continues at"), import_.not_before
    else:
        yield texts.gettext("ends at"), import_.not_before


def _problem_facts(texts: CatalogTranslator, import_: Import) -> Iterator[tuple[str, str]]:
    problem = import_.standing_problem
    if problem is None:
        return
    yield texts.gettext("problem"), problem.code
    if problem.side is not None:
        yield texts.gettext("mailbox"), import_.account(problem.side).address
    if problem.server_text:
        yield texts.gettext("the server said"), problem.server_text


def _gap_facts(texts: CatalogTranslator, explanation: Explanation) -> Iterator[tuple[str, str]]:
    report = explanation.report
    for why, number in report.totals.skipped.items():
        yield texts.gettext("left out"), f"{_messages(texts, number)}{texts.colon} {reason(texts, why)}"
    for class_, refusals in refusals_by_class(report.refusals).items():
        for sentence, number in _by_reason(texts, refusals).most_common():
            what = _messages(texts, number) if number else texts.gettext("a folder")
            yield texts.gettext(_REFUSED[class_]), f"{what}{texts.colon} {sentence}"
    for refusal in report.refusals[-_EXAMPLES:]:
        if refusal.uid is not None:
            date = texts.written_date(refusal.date) if refusal.date else texts.gettext("no date")
            subject = refusal.subject or texts.gettext("(no subject)")
            yield texts.gettext("such as"), f"{refusal.folder}, {date}{texts.colon} {subject}"
    if report.totals.unconfirmed:
        yield texts.gettext("not seen again"), _messages(texts, report.totals.unconfirmed)


def _messages(texts: CatalogTranslator, number: int) -> str:
    return texts.ngettext("%(num)s message", "%(num)s messages", number)
