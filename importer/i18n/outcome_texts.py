"""The outcome of an import or a batch in plain sentences: the verdict that mail, page, console and API share.

The sentences may quote foreign text (a server's words, a reason): pass them through `formatting.printable`.
"""

from __future__ import annotations

from importer.domain.model import State
from importer.domain.people.consent_schedule import owner_wait
from importer.domain.reporting.outcome import ImportOutcome, OutcomeFinding
from importer.domain.reporting.report import BatchReport
from importer.domain.reporting.totals import Totals
from importer.i18n.problem_texts import import_problem, problem_sentence, quoting
from importer.i18n.reason_texts import reason
from importer.i18n.state_texts import state_word
from importer.i18n.translations import CatalogTranslator
from importer.i18n.wait_texts import wait_text


def outcome_text(
    texts: CatalogTranslator, outcome: ImportOutcome, *, quoted: bool = True, advised: bool = True
) -> str:
    """One to four sentences: the state or the end of the import, the advice, and its progress.

    With `quoted`, the server's words follow a problem. Without `advised`, the text has no advice, because the
    reader cannot follow it.
    """
    import_, totals = outcome.import_, outcome.totals
    progress = _so_far(texts, totals)
    problem = import_problem(texts, import_) if advised else problem_sentence(texts, import_)
    if quoted:
        problem = quoting(texts, problem, import_.problem)
    match import_.state:
        case State.COMPLETE | State.INCOMPLETE:
            sentences = [finding_text(texts, finding, outcome) for finding in outcome.findings]
        case State.STOPPED:
            sentences = [state_word(texts, State.STOPPED), problem, progress]
        case State.WAITING:
            by_itself = "" if owner_wait(import_) else texts.gettext("It continues automatically.")
            sentences = [wait_text(texts, import_), problem, by_itself, progress]
        case State.FAILED:
            sentences = [
                texts.gettext("The copy could not be finished because of an error on our side."),
                problem,
                progress,
                texts.gettext("Nothing is lost: start it again.") if advised else "",
            ]
        case State.PAUSED:
            sentences = [
                state_word(texts, State.PAUSED),
                progress,
                texts.gettext("It continues when you resume it."),
            ]
        case State.CANCELLED:
            stays = texts.gettext("Copied messages stay in the new mailbox; undo removes them.")
            sentences = [
                state_word(texts, State.CANCELLED),
                problem,
                progress,
                stays if totals.copied else "",
            ]
        case State.UNDONE:
            sentences = [_undone(texts, outcome)]
        case State.RUNNING:
            sentences = [state_word(texts, State.RUNNING), progress]
        case State.QUEUED:
            sentences = [texts.gettext("Not started yet.")]
    return " ".join(_with_full_stop(sentence) for sentence in sentences if sentence.strip())


def _undone(texts: CatalogTranslator, outcome: ImportOutcome) -> str:
    undone = outcome.undone
    if undone is None:
        return texts.gettext("It was undone.")
    from importer.i18n.undo_report_texts import undo_text  # noqa: PLC0415 - a copy starts without it

    on = texts.gettext("It was undone on %(instant)s.", instant=texts.moment(undone.at))
    return f"{on} {undo_text(texts, undone)}"


def finding_text(texts: CatalogTranslator, finding: OutcomeFinding, outcome: ImportOutcome) -> str:  # noqa: PLR0911, PLR0912
    """The sentence for one finding of `outcome`."""
    totals = outcome.totals
    match finding:
        case OutcomeFinding.NOTHING_LISTED:
            return texts.gettext("The old mailbox listed no messages: there was nothing to copy.")
        case OutcomeFinding.ALL_BUT_SKIPPED:
            return texts.gettext(
                "All messages listed by the old mailbox are in the new one (%(there)s), except for %(out)s"
                " left out (%(reasons)s).",
                there=texts.number(totals.in_destination),
                out=texts.number(totals.skipped_total),
                reasons=_reasons(texts, totals),
            )
        case OutcomeFinding.ALL_PRESENT:
            return texts.ngettext(
                "The only message listed by the old mailbox was already in the new one: there was nothing new"
                " to copy.",
                "All %(num)s messages listed by the old mailbox were already in the new one: there was"
                " nothing new to copy.",
                totals.found,
            )
        case OutcomeFinding.ALL_WITH_PRESENT if totals.duplicate:
            return texts.ngettext(
                "All %(found)s messages listed by the old mailbox are in the new one: %(new)s new,"
                " %(present)s already there, %(num)s duplicate.",
                "All %(found)s messages listed by the old mailbox are in the new one: %(new)s new,"
                " %(present)s already there, %(num)s duplicates.",
                totals.duplicate,
                found=texts.number(totals.found),
                new=texts.number(totals.copied),
                present=texts.number(totals.present),
            )
        case OutcomeFinding.ALL_WITH_PRESENT:
            return texts.gettext(
                "All %(found)s messages listed by the old mailbox are in the new one: %(new)s new,"
                " %(present)s already there.",
                found=texts.number(totals.found),
                new=texts.number(totals.copied),
                present=texts.number(totals.present),
            )
        case OutcomeFinding.ALL_COPIED:
            return texts.ngettext(
                "The one message listed by the old mailbox is in the new one.",
                "All %(num)s messages listed by the old mailbox are in the new one.",
                totals.found,
            )
        case OutcomeFinding.SOME_GONE:
            return _some_gone(texts, totals)
        case OutcomeFinding.GONE:
            return texts.ngettext(
                "%(num)s message was copied before and is no longer in its folder of the new mailbox: it"
                " stays away, because its owner deleted or moved it.",
                "%(num)s messages were copied before and are no longer in their folders of the new mailbox:"
                " they stay away, because their owner deleted or moved them.",
                totals.gone,
            )
        case OutcomeFinding.SKIPPED:
            return texts.gettext(
                "%(out)s left out (%(reasons)s).",
                out=texts.number(totals.skipped_total),
                reasons=_reasons(texts, totals),
            )
        case OutcomeFinding.FAILED:
            return _failed(texts, outcome)
        case OutcomeFinding.NEVER_SEEN:
            return texts.ngettext(
                "%(num)s message was sent by an earlier import, but never seen in the new mailbox.",
                "%(num)s messages were sent by an earlier import, but never seen in the new mailbox.",
                outcome.never_seen,
            )
        case OutcomeFinding.FOLDERS_UNREAD:
            return texts.ngettext(
                "%(num)s folder of the old mailbox could not be opened, so nothing in it was copied.",
                "%(num)s folders of the old mailbox could not be opened, so nothing in them was copied.",
                outcome.unread_folders,
            )
        case OutcomeFinding.FOLDERS_PARTLY_SHOWN:
            return texts.ngettext(
                "%(num)s folder may be incomplete: the old server may not list all of its messages."
                " Everything it listed was copied.",
                "%(num)s folders may be incomplete: the old server may not list all of their messages."
                " Everything it listed was copied.",
                outcome.partly_shown,
            )
        case OutcomeFinding.UNCONFIRMED:
            return texts.ngettext(
                "%(num)s of %(copied)s copied messages was not found when the new mailbox was checked"
                " again: a filter, another program or its owner may have moved or removed it.",
                "%(num)s of %(copied)s copied messages were not found when the new mailbox was checked"
                " again: a filter, another program or its owner may have moved or removed them.",
                totals.unconfirmed,
                copied=texts.number(totals.copied),
            )
        case OutcomeFinding.UNCHECKED:
            return texts.ngettext(
                "%(num)s message could not be checked in the new mailbox: start the import again.",
                "%(num)s messages could not be checked in the new mailbox: start the import again.",
                totals.unchecked,
            )
        case OutcomeFinding.SURPLUS:
            return texts.ngettext(
                "The new mailbox holds %(num)s message more than was copied: it is there twice.",
                "The new mailbox holds %(num)s messages more than were copied: they are there twice.",
                outcome.surplus,
            )
        case OutcomeFinding.UNACCOUNTED:
            return texts.ngettext(
                "Only %(num)s of %(found)s messages listed by the old mailbox is accounted for: start the"
                " import again.",
                "Only %(num)s of %(found)s messages listed by the old mailbox are accounted for: start the"
                " import again.",
                totals.accounted,
                found=texts.number(totals.found),
            )
        case OutcomeFinding.UNVERIFIED:
            return texts.gettext("Not everything could be verified: start the import again.")
        case OutcomeFinding.RETRIED:
            return texts.gettext(
                "Only the messages that failed in import %(id)s were tried again.",
                id=outcome.import_.retry_of or "",
            )
        case OutcomeFinding.RENUMBERED:
            return texts.ngettext(
                "The old server has numbered the messages of %(num)s folder anew since, so all of that folder"
                " was looked at again.",
                "The old server has numbered the messages of %(num)s folders anew since, so all of those"
                " folders were looked at again.",
                outcome.renumbered,
            )


def _there(texts: CatalogTranslator, totals: Totals) -> str:
    """`4,208 of 4,211 messages listed by the old mailbox are in the new one`, without a full stop."""
    return texts.ngettext(
        "%(num)s of %(found)s messages listed by the old mailbox is in the new one",
        "%(num)s of %(found)s messages listed by the old mailbox are in the new one",
        totals.in_destination,
        found=texts.number(totals.found),
    )


def _some_gone(texts: CatalogTranslator, totals: Totals) -> str:
    there = _there(texts, totals)
    if totals.copied:
        return texts.gettext("%(there)s, %(new)s of them new.", there=there, new=texts.number(totals.copied))
    return texts.gettext("%(there)s: there was nothing new to copy.", there=there)


def _failed(texts: CatalogTranslator, outcome: ImportOutcome) -> str:
    totals = outcome.totals
    left_out = (
        texts.gettext(", %(number)s left out", number=texts.number(totals.skipped_total))
        if totals.skipped
        else ""
    )
    sentence = f"{_there(texts, totals)}{left_out}"
    if number := totals.failed - outcome.never_seen:
        failed = texts.ngettext("%(num)s could not be copied", "%(num)s could not be copied", number)
        sentence = f"{sentence}, {failed}"
    return f"{sentence}."


def _reasons(texts: CatalogTranslator, totals: Totals) -> str:
    return "; ".join(
        texts.counted(reason(texts, skipped), number) for skipped, number in totals.skipped.items()
    )


def _so_far(texts: CatalogTranslator, totals: Totals) -> str:
    if not totals.in_destination:
        return texts.gettext("Nothing has been copied yet.")
    return texts.ngettext(
        "So far, %(num)s of %(found)s messages is in the new mailbox.",
        "So far, %(num)s of %(found)s messages are in the new mailbox.",
        totals.in_destination,
        found=texts.number(totals.found),
    )


def _with_full_stop(sentence: str) -> str:
    """The sentence with a full stop, which the text of an error may lack."""
    stripped = sentence.strip()
    return stripped if stripped[-1] in ".!?…" else stripped + "."


def batch_text(texts: CatalogTranslator, report: BatchReport) -> str:
    """One or two sentences about all imports of a batch."""
    states, totals = report.states, report.totals
    complete, number = states.get(State.COMPLETE, 0), sum(states.values())
    copied = texts.ngettext("%(num)s message copied", "%(num)s messages copied", totals.copied)
    counts = [copied, texts.gettext("%(number)s already there", number=texts.number(totals.present))]
    if totals.gone:
        counts.append(
            texts.ngettext(
                "%(num)s no longer there (it stays away)",
                "%(num)s no longer there (they stay away)",
                totals.gone,
            )
        )
    if failed := totals.failed - report.never_seen:
        counts.append(texts.ngettext("%(num)s could not be copied", "%(num)s could not be copied", failed))
    if report.never_seen:
        counts.append(
            texts.ngettext(
                "%(num)s sent, but never seen there", "%(num)s sent, but never seen there", report.never_seen
            )
        )
    numbers = ", ".join(counts)
    if complete == number:
        return texts.ngettext(
            "The mailbox is complete: %(numbers)s.",
            "All %(num)s mailboxes are complete: %(numbers)s.",
            number,
            numbers=numbers,
        )

    def of(state: State) -> int:
        return states.get(state, 0)

    phrases = {
        State.INCOMPLETE: texts.ngettext(
            "%(num)s finished with gaps", "%(num)s finished with gaps", of(State.INCOMPLETE)
        ),
        State.STOPPED: texts.ngettext("%(num)s stopped", "%(num)s stopped", of(State.STOPPED)),
        State.FAILED: texts.ngettext("%(num)s failed", "%(num)s failed", of(State.FAILED)),
        State.CANCELLED: texts.ngettext("%(num)s cancelled", "%(num)s cancelled", of(State.CANCELLED)),
        State.UNDONE: texts.ngettext("%(num)s undone", "%(num)s undone", of(State.UNDONE)),
        State.WAITING: texts.ngettext("%(num)s waiting", "%(num)s waiting", of(State.WAITING)),
        State.PAUSED: texts.ngettext("%(num)s paused", "%(num)s paused", of(State.PAUSED)),
        State.RUNNING: texts.ngettext("%(num)s in progress", "%(num)s in progress", of(State.RUNNING)),
        State.QUEUED: texts.ngettext("%(num)s not started yet", "%(num)s not started yet", of(State.QUEUED)),
    }
    return texts.ngettext(
        "%(complete)s of %(num)s mailbox complete; %(rest)s. So far: %(numbers)s.",
        "%(complete)s of %(num)s mailboxes complete; %(rest)s. So far: %(numbers)s.",
        number,
        complete=texts.number(complete),
        rest=", ".join(phrase for state, phrase in phrases.items() if of(state)),
        numbers=numbers,
    )
