"""The outcome of an import or a batch in plain sentences, in the language of a `Translator`.

Sentences may quote foreign text (an error's message, a reason): pass them through `formatting.printable`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from importer.domain.model import Import, State
from importer.domain.reporting.formatting import English, Translator, with_server_words
from importer.domain.reporting.totals import Totals

_ENGLISH: Translator = English()


def verdict(
    import_: Import,
    totals: Totals,
    unread_folders: int = 0,
    partly_shown: int = 0,
    say: Translator = _ENGLISH,
    problem: str | None = None,
    reason: Callable[[str], str] = str,
    *,
    surplus: int = 0,
) -> str:
    """One to four sentences: the state or the end of the import, what to do, and its progress.

    `unread_folders` could not be opened, and the number of their messages is unknown; `partly_shown` folders
    are listed only in part by the old mailbox, and the new one holds `surplus` copies too many. `problem` is
    the message of the import's problem translated for `say` (None: its own message, with the server's words),
    and `reason` translates reasons.
    """
    message = problem or ""
    if problem is None and import_.problem is not None:
        message = with_server_words(import_.problem.message, import_.problem.server_text)
    waiting = say.gettext("Waiting.")
    if import_.not_before:
        waiting = say.gettext("Waiting until %(instant)s.", instant=say.moment(import_.not_before))
    progress = _so_far(say, totals)
    sentences: Mapping[State, tuple[str, ...]] = {
        State.COMPLETE: (_all_there(say, totals, reason),),
        State.INCOMPLETE: (_not_all_there(say, totals, unread_folders, partly_shown, surplus, reason),),
        State.STOPPED: (say.gettext("Stopped."), message, progress),
        State.WAITING: (waiting, message, say.gettext("It continues automatically."), progress),
        State.FAILED: (
            say.gettext("The copy could not be finished because of an error on our side."),
            message,
            progress,
            say.gettext("Nothing is lost: start it again."),
        ),
        State.PAUSED: (say.gettext("Paused."), progress, say.gettext("It continues when you resume it.")),
        State.CANCELLED: (say.gettext("Cancelled."), message, progress, _stays(say, totals)),
        State.RUNNING: (say.gettext("In progress."), progress),
        State.QUEUED: (say.gettext("Not started yet."),),
    }
    return " ".join(_with_full_stop(sentence) for sentence in sentences[import_.state] if sentence.strip())


def batch_verdict(states: Mapping[State, int], totals: Totals, say: Translator = _ENGLISH) -> str:
    """One or two sentences about all imports of a batch."""
    complete, number = states.get(State.COMPLETE, 0), sum(states.values())
    copied = say.ngettext("%(num)s message copied", "%(num)s messages copied", totals.copied)
    counts = [copied, say.gettext("%(number)s already there", number=say.number(totals.present))]
    if totals.gone:
        counts.append(
            say.gettext("%(number)s no longer there (they stay away)", number=say.number(totals.gone))
        )
    if totals.failed:
        counts.append(say.gettext("%(number)s could not be copied", number=say.number(totals.failed)))
    numbers = ", ".join(counts)
    if complete == number:
        return say.ngettext(
            "The mailbox is complete: %(numbers)s.",
            "All %(num)s mailboxes are complete: %(numbers)s.",
            number,
            numbers=numbers,
        )
    phrases = {
        State.INCOMPLETE: say.gettext("finished with gaps"),
        State.STOPPED: say.gettext("stopped"),
        State.FAILED: say.gettext("failed"),
        State.CANCELLED: say.gettext("cancelled"),
        State.WAITING: say.gettext("waiting"),
        State.PAUSED: say.gettext("paused"),
        State.RUNNING: say.gettext("in progress"),
        State.QUEUED: say.gettext("not started yet"),
    }
    return say.ngettext(
        "%(complete)s of %(num)s mailbox complete; %(rest)s. So far: %(numbers)s.",
        "%(complete)s of %(num)s mailboxes complete; %(rest)s. So far: %(numbers)s.",
        number,
        complete=say.number(complete),
        rest=", ".join(
            f"{say.number(states[state])} {phrase}" for state, phrase in phrases.items() if states.get(state)
        ),
        numbers=numbers,
    )


def _all_there(say: Translator, totals: Totals, reason: Callable[[str], str]) -> str:
    if not totals.found:
        return say.gettext("The old mailbox listed no messages: there was nothing to copy.")
    if totals.gone:
        return _some_gone(say, totals, reason)
    if totals.skipped:
        return say.gettext(
            "All messages listed by the old mailbox are in the new one (%(there)s), except for %(out)s"
            " left out (%(reasons)s).",
            there=say.number(totals.in_destination),
            out=say.number(totals.skipped_total),
            reasons=_reasons(say, totals, reason),
        )
    if totals.present and not totals.copied and totals.found > 1:
        return say.gettext(
            "All %(found)s messages listed by the old mailbox were already in the new one: there was"
            " nothing new to copy.",
            found=say.number(totals.found),
        )
    if totals.present and totals.found > 1:
        return say.gettext(
            "All %(found)s messages listed by the old mailbox are in the new one: %(new)s new,"
            " %(present)s already there.",
            found=say.number(totals.found),
            new=say.number(totals.copied),
            present=say.number(totals.present),
        )
    return say.ngettext(
        "The one message listed by the old mailbox is in the new one.",
        "All %(num)s messages listed by the old mailbox are in the new one.",
        totals.found,
    )


def _some_gone(say: Translator, totals: Totals, reason: Callable[[str], str]) -> str:
    """For an import that left nothing to copy, although not every message is in the new mailbox."""
    there = say.number(totals.in_destination)
    if totals.copied:
        first = say.ngettext(
            "%(there)s of the %(num)s message listed by the old mailbox are in the new one, %(new)s of them"
            " new.",
            "%(there)s of the %(num)s messages listed by the old mailbox are in the new one, %(new)s of them"
            " new.",
            totals.found,
            there=there,
            new=say.number(totals.copied),
        )
    else:
        first = say.ngettext(
            "%(there)s of the %(num)s message listed by the old mailbox are in the new one: there was nothing"
            " new to copy.",
            "%(there)s of the %(num)s messages listed by the old mailbox are in the new one: there was"
            " nothing new to copy.",
            totals.found,
            there=there,
        )
    sentences = [first, gone(say, totals)]
    if totals.skipped:
        sentences.append(
            say.gettext(
                "%(out)s left out (%(reasons)s).",
                out=say.number(totals.skipped_total),
                reasons=_reasons(say, totals, reason),
            )
        )
    return " ".join(sentences)


def gone(say: Translator, totals: Totals) -> str:
    """The sentence about messages that stay away; there is at least one."""
    return say.ngettext(
        "%(num)s message was copied before and is no longer in its folder of the new mailbox: it stays away,"
        " because its owner deleted or moved it.",
        "%(num)s messages were copied before and are no longer in their folders of the new mailbox: they stay"
        " away, because their owner deleted or moved them.",
        totals.gone,
    )


def _reasons(say: Translator, totals: Totals, reason: Callable[[str], str]) -> str:
    return "; ".join(f"{reason(skipped)}: {say.number(number)}" for skipped, number in totals.skipped.items())


def _not_all_there(
    say: Translator,
    totals: Totals,
    unread_folders: int,
    partly_shown: int,
    surplus: int,
    reason: Callable[[str], str],
) -> str:
    sentences = []
    if totals.failed:
        left_out = (
            say.gettext(", %(number)s left out", number=say.number(totals.skipped_total))
            if totals.skipped
            else ""
        )
        sentences.append(
            say.ngettext(
                "%(there)s of the %(num)s message listed by the old mailbox are in the new"
                " one%(left_out)s, %(failed)s could not be copied.",
                "%(there)s of the %(num)s messages listed by the old mailbox are in the new"
                " one%(left_out)s, %(failed)s could not be copied.",
                totals.found,
                there=say.number(totals.in_destination),
                left_out=left_out,
                failed=say.number(totals.failed),
            )
        )
        if totals.gone:
            sentences.append(gone(say, totals))
    elif totals.found and totals.adds_up and not totals.unconfirmed and not totals.unchecked:
        sentences.append(_all_there(say, totals, reason))  # of what could be read
    elif totals.gone:
        sentences.append(gone(say, totals))
    before_problems = 0 if totals.failed else len(sentences)
    if unread_folders:
        sentences.append(
            say.ngettext(
                "%(num)s folder of the old mailbox could not be opened, so nothing in it was copied.",
                "%(num)s folders of the old mailbox could not be opened, so nothing in them was copied.",
                unread_folders,
            )
        )
    if partly_shown:
        sentences.append(
            say.ngettext(
                "%(num)s folder may be incomplete: the old server may not list all of its messages."
                " Everything it listed was copied.",
                "%(num)s folders may be incomplete: the old server may not list all of their messages."
                " Everything it listed was copied.",
                partly_shown,
            )
        )
    if totals.unconfirmed:
        sentences.append(
            say.ngettext(
                "%(lost)s of the %(num)s copied message was not found when the new mailbox was checked"
                " again: a filter, another program or its owner may have moved or removed it.",
                "%(lost)s of the %(num)s copied messages were not found when the new mailbox was"
                " checked again: a filter, another program or its owner may have moved or removed them.",
                totals.copied,
                lost=say.number(totals.unconfirmed),
            )
        )
    if totals.unchecked:
        sentences.append(
            say.ngettext(
                "%(num)s message could not be checked in the new mailbox: start the import again.",
                "%(num)s messages could not be checked in the new mailbox: start the import again.",
                totals.unchecked,
            )
        )
    if surplus:
        sentences.append(
            say.ngettext(
                "The new mailbox holds %(num)s message more than was copied: it is there twice.",
                "The new mailbox holds %(num)s messages more than were copied: they are there twice.",
                surplus,
            )
        )
    if not totals.adds_up:
        sentences.append(
            say.ngettext(
                "Only %(known)s of the %(num)s message listed by the old mailbox are accounted for:"
                " start the import again.",
                "Only %(known)s of the %(num)s messages listed by the old mailbox are accounted for:"
                " start the import again.",
                totals.found,
                known=say.number(totals.accounted),
            )
        )
    if len(sentences) == before_problems:
        unverified = say.gettext("Not everything could be verified: start the import again.")
        sentences = [*(sentences or [_all_there(say, totals, reason)]), unverified]
    return " ".join(sentences)


def _so_far(say: Translator, totals: Totals) -> str:
    if not totals.in_destination:
        return say.gettext("Nothing has been copied yet.")
    return say.ngettext(
        "So far, %(there)s of %(num)s message is in the new mailbox.",
        "So far, %(there)s of %(num)s messages are in the new mailbox.",
        totals.found,
        there=say.number(totals.in_destination),
    )


def _stays(say: Translator, totals: Totals) -> str:
    return say.gettext("Copied messages stay in the new mailbox; undo removes them.") if totals.copied else ""


def _with_full_stop(sentence: str) -> str:
    """The sentence with a full stop, which an error's text may lack."""
    stripped = sentence.strip()
    return stripped if stripped[-1] in ".!?…" else stripped + "."
