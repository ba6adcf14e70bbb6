"""What happened to an import or a batch, in plain sentences.

They may quote foreign text (an error's message, a reason): show them through `wording.printable`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from importer.domain.model import Import, State
from importer.domain.totals import Totals
from importer.domain.wording import counted, spoken_instant


def verdict(import_: Import, totals: Totals, unread_folders: int = 0, partly_shown: int = 0) -> str:
    """One to four sentences: how it ended or stands, what to do, how far it came.

    `unread_folders` could not be opened, so that nobody knows how many messages are in them; of
    `partly_shown` ones the old mailbox shows only a part.
    """
    said = import_.problem.message if import_.problem else ""
    until = f"Waiting until {spoken_instant(import_.not_before)}." if import_.not_before else "Waiting."
    sentences: Mapping[State, tuple[str, ...]] = {
        State.COMPLETE: (_all_there(totals),),
        State.INCOMPLETE: (_not_all_there(totals, unread_folders, partly_shown),),
        State.STOPPED: ("Stopped.", said, _so_far(totals)),
        State.WAITING: (until, said, "It goes on by itself.", _so_far(totals)),
        State.FAILED: (
            "The copy could not be finished because of a fault of our own.",
            said,
            _so_far(totals),
            "Nothing is lost: start it again.",
        ),
        State.PAUSED: ("Paused.", _so_far(totals), "It goes on when you resume it."),
        State.CANCELLED: ("Cancelled.", said, _so_far(totals), _stays(totals)),
        State.RUNNING: ("Under way.", _so_far(totals)),
        State.QUEUED: ("Not started yet.",),
    }
    return " ".join(_ended(sentence) for sentence in sentences[import_.state] if sentence.strip())


_BATCH_PHRASES: Final = (
    (State.INCOMPLETE, "finished with gaps"),
    (State.STOPPED, "stopped"),
    (State.FAILED, "failed"),
    (State.CANCELLED, "cancelled"),
    (State.WAITING, "waiting"),
    (State.PAUSED, "paused"),
    (State.RUNNING, "under way"),
    (State.QUEUED, "not started yet"),
)


def batch_verdict(states: Mapping[State, int], totals: Totals) -> str:
    """One or two sentences about all imports of a batch."""
    complete, number = states.get(State.COMPLETE, 0), sum(states.values())
    numbers = f"{counted(totals.copied, 'message')} copied, {totals.present:,} already there"
    if totals.failed:
        numbers += f", {totals.failed:,} could not be copied"
    if complete == number:
        all_of = "The mailbox is" if number == 1 else f"All {number} mailboxes are"
        return f"{all_of} complete: {numbers}."
    rest = ", ".join(f"{many} {phrase}" for state, phrase in _BATCH_PHRASES if (many := states.get(state)))
    return f"{complete} of {counted(number, 'mailbox', 'mailboxes')} complete; {rest}. So far: {numbers}."


def _all_there(totals: Totals) -> str:
    if not totals.found:
        return "The old mailbox showed no messages: there was nothing to copy."
    if totals.skipped:
        reasons = "; ".join(f"{reason}: {number:,}" for reason, number in totals.skipped.items())
        return (
            f"All messages that the old mailbox showed are in the new one ({totals.in_destination:,}),"
            f" except {totals.skipped_total:,} left out ({reasons})."
        )
    if totals.found == 1:
        return "The one message that the old mailbox showed is in the new one."
    where = f"All {totals.found:,} messages that the old mailbox showed"
    if totals.present and not totals.copied:
        return f"{where} were already in the new one: there was nothing new to copy."
    if totals.present:
        return f"{where} are in the new one: {totals.copied:,} new, {totals.present:,} already there."
    return f"{where} are in the new one."


def _not_all_there(totals: Totals, unread_folders: int, partly_shown: int) -> str:
    showed = f"{counted(totals.found, 'message')} that the old mailbox showed"
    sentences = []
    if totals.failed:
        left_out = f", {totals.skipped_total:,} left out" if totals.skipped else ""
        sentences.append(
            f"{totals.in_destination:,} of the {showed} are in the new one{left_out},"
            f" {totals.failed:,} could not be copied."
        )
    if unread_folders:
        sentences.append(
            f"{counted(unread_folders, 'folder')} of the old mailbox could not be opened, and nothing in it"
            " was copied."
        )
    if partly_shown:
        sentences.append(
            f"Of {counted(partly_shown, 'folder')} the old mailbox shows only a part, or may do so: what it"
            " shows was copied."
        )
    if totals.unconfirmed:
        sentences.append(
            f"{totals.unconfirmed:,} of the {counted(totals.copied, 'copied message')} could not be seen when"
            " the new mailbox was looked through again: a filter, another program or its owner may have"
            " moved or removed them."
        )
    if not totals.adds_up:
        sentences.append(f"Only {totals.accounted:,} of the {showed} are accounted for: start it again.")
    return " ".join(sentences) or f"{_all_there(totals)} Not everything could be checked: start it again."


def _so_far(totals: Totals) -> str:
    if not totals.in_destination:
        return "Nothing was copied yet."
    return f"So far {totals.in_destination:,} of {counted(totals.found, 'message')} are in the new mailbox."


def _stays(totals: Totals) -> str:
    return "What was copied stays there; undo removes it." if totals.copied else ""


def _ended(sentence: str) -> str:
    """With its full stop: an error's text may come without."""
    stripped = sentence.strip()
    return stripped if stripped[-1] in ".!?…" else stripped + "."
