"""Summary of a batch: what each import waits for, counts, the order, and the progress of all imports
together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from importer.domain.import_state import ENDED
from importer.domain.model import Import, ImportId, State
from providers.frozen import frozen


class Standing(StrEnum):
    """The state of an import by the party it waits for, in the order of lists; the values stand in URLs."""

    NEEDS_YOU = "needs-you"  # ended with a problem that a person has to fix, or waits for that
    RUNNING = "running"
    OWNER = "owner"  # a mailbox owner has to sign in
    WAITING = "waiting"  # for its turn, or for a certain time
    PAUSED = "paused"
    COMPLETE = "complete"
    REPEATED = "repeated"  # ended with such a problem, and was run again since
    CANCELLED = "cancelled"
    UNDONE = "undone"


_STANDINGS = {
    State.QUEUED: Standing.WAITING,
    State.RUNNING: Standing.RUNNING,
    State.WAITING: Standing.WAITING,
    State.PAUSED: Standing.PAUSED,
    State.COMPLETE: Standing.COMPLETE,
    State.INCOMPLETE: Standing.NEEDS_YOU,
    State.STOPPED: Standing.NEEDS_YOU,
    State.CANCELLED: Standing.CANCELLED,
    State.FAILED: Standing.NEEDS_YOU,
    State.UNDONE: Standing.UNDONE,
}
_GOES_ON = frozenset({Standing.RUNNING, Standing.WAITING})

WAITS_FOR: Final[Mapping[Standing, tuple[str, ...]]] = {
    Standing.OWNER: ("consent_needed",),  # has to sign in
    Standing.NEEDS_YOU: ("destination_full",),  # continues by itself once there is room
}
"""The public codes of the problems for which a person has to act while an import is WAITING."""


def standing(import_: Import) -> Standing:
    """The standing of the import."""
    code = "" if import_.problem is None else import_.problem.code
    return standing_of(import_.state, code, was_repeated=import_.successor is not None)


def standing_of(state: State, problem_code: str, *, was_repeated: bool = False) -> Standing:
    """The standing of an import in that state, with a problem of that public code ("" for none), that was run
    again or not."""
    if state is State.WAITING:
        return next((each for each, codes in WAITS_FOR.items() if problem_code in codes), Standing.WAITING)
    found = _STANDINGS[state]
    return Standing.REPEATED if found is Standing.NEEDS_YOU and was_repeated else found


def needed_since(import_: Import) -> datetime | None:
    """Since when something about the import needs its submitter; None if nothing does."""
    if standing(import_) is not Standing.NEEDS_YOU:
        return None
    return import_.finished_at or import_.held_up_since


def awaits_next_pass(import_: Import) -> bool:
    """Whether everything is copied, and new mail follows with the next pass."""
    problem = import_.problem
    return import_.state is State.WAITING and problem is not None and problem.code == "awaiting_cutover"


def awaits_owner(import_: Import) -> bool:
    """Whether a mailbox owner has to sign in before it goes on."""
    return standing(import_) is Standing.OWNER


def states_of(wanted: Standing) -> tuple[State, ...]:
    """The states whose imports have that standing, apart from those that are in WAITS_FOR."""
    return tuple(state for state, each in _STANDINGS.items() if each is wanted)


def counts(imports: Iterable[Import]) -> Mapping[Standing, int]:
    """The number of imports of each standing; 0 is left out."""
    return Counter(map(standing, imports))


def in_order(imports: Iterable[Import]) -> list[Import]:
    """By standing; those of one standing in their order."""
    order = {each: place for place, each in enumerate(Standing)}
    return sorted(imports, key=lambda import_: order[standing(import_)])


def turns(imports: Sequence[Import]) -> Mapping[ImportId, int]:
    """For each import that has not started: how many of the batch have to start before it. One that starts
    next has 0 if others run, and is left out if none does: it starts in a moment."""
    queued = [import_.id for import_ in imports if import_.state is State.QUEUED]
    any_runs = any(import_.state is State.RUNNING for import_ in imports)
    return {id_: place for place, id_ in enumerate(queued) if place or any_runs}


def matches(import_: Import, words: str, wanted: Standing | None) -> bool:
    """Whether an address of the import contains `words`, ignoring case, and its standing is `wanted`; both
    may be left open."""
    text = words.strip().casefold()
    addresses = (import_.source.address.casefold(), import_.destination.address.casefold())
    return (wanted is None or standing(import_) is wanted) and any(text in each for each in addresses)


@frozen
class WholeProgress:
    """The progress of a batch in messages of the source. `total` holds an estimate for mailboxes that were
    not counted yet, and is None if none was; `left` is the time until all that goes on by itself has ended,
    None while unknown."""

    percent: int
    done: int
    total: int | None
    exact: bool
    left: timedelta | None = None


def whole_progress(imports: Sequence[Import], messages_per_s: Mapping[ImportId, float]) -> WholeProgress:
    """The progress of all `imports`; the speeds are those of the running ones.

    Mailboxes that were not counted yet are taken to be like the average of the others. Imports that have
    ended count as done, with or without a gap. Imports that are paused or wait for an owner add no time.
    """
    sizes = [i.progress.messages_total for i in imports if i.progress.messages_total]
    average = sum(sizes) / len(sizes) if sizes else 0.0
    whole = done_part = to_do = slowest = 0.0
    for import_ in imports:
        progress, ended = import_.progress, import_.state in ENDED
        size = progress.messages_total or (0.0 if ended and sizes else average)
        part = 1.0 if ended else min(1.0, progress.messages_done / size) if size else 0.0
        weight = size if sizes else 1.0
        whole += weight
        done_part += weight * part
        if standing(import_) in _GOES_ON:
            missing = size * (1 - part)
            to_do += missing
            if speed := messages_per_s.get(import_.id, 0.0):
                slowest = max(slowest, missing / speed)
    speed = sum(messages_per_s.values())
    all_ended = all(import_.state in ENDED for import_ in imports)
    percent = int(100 * done_part / whole) if whole else 100 * all_ended
    return WholeProgress(
        percent=100 if all_ended else min(percent, 99),
        done=sum(import_.progress.messages_done for import_ in imports),
        total=round(whole) if sizes else None,
        exact=all(i.progress.messages_total or i.state in ENDED for i in imports),
        left=timedelta(seconds=max(to_do / speed, slowest)) if speed and to_do else None,
    )


NEEDED_SINCE: Final = timedelta(hours=1)
"""How long something may need its submitter before a mail says so, although others still run."""


class Summary(StrEnum):
    """Which mail about a batch is due."""

    SO_FAR = "so-far"  # once at most: nothing more happens by itself, or something needs the submitter
    FINAL = "final"


def summary_due(imports: Sequence[Import], now: datetime) -> Summary | None:
    """The mail about the batch that is due now; whether it was sent already is not considered."""
    if all(import_.state in ENDED for import_ in imports):
        return Summary.FINAL
    copied = [import_.state in ENDED or awaits_next_pass(import_) for import_ in imports]
    if any(copied) and all(done or awaits_owner(i) for done, i in zip(copied, imports, strict=True)):
        return Summary.SO_FAR
    needed = filter(None, map(needed_since, imports))
    return Summary.SO_FAR if any(at <= now - NEEDED_SINCE for at in needed) else None
