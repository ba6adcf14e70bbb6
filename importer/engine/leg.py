"""One leg: a bounded stretch of work on one import.

survey both sides -> map the folders -> for each folder pair: settle doubtful appends, copy until the budget
is spent, recount. The next leg derives the remaining work from the ledger; a leg keeps no other state. Raises
what the sessions and the ledger raise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

from importer.concurrency import run_both
from importer.domain.folder_mapping.folder_map import FolderPair
from importer.domain.messages.skip_reason import SkipReason
from importer.domain.planning.retry_policy import decisive
from importer.domain.receipts.folder_tally import FolderTally
from importer.engine.folder_copy import Unprepared
from importer.engine.folder_plan import plan_folders
from importer.engine.lanes import Lanes
from importer.engine.left_out import leave_out_folders
from importer.engine.leg_context import Leg
from importer.engine.leg_progress import LegProgress
from importer.engine.route_ledger import ledger_of_leg
from importer.engine.survey import Survey, survey
from importer.engine.unchanged_folders import changed_folders
from importer.engine.unreadable_folders import record_partial_folders, tally_unreadable
from providers.errors import Side

if TYPE_CHECKING:
    from importer.domain.planning.retry_scope import RetryScope


class LegEnd(StrEnum):
    """The end of a leg that did not raise."""

    DONE = "done"
    AGAIN = "again"  # the budget is spent and work is left


def run_leg(leg: Leg) -> LegEnd:
    """Run one leg. DONE means that every message the source listed is in the tally and recounted."""
    ledger, flush = ledger_of_leg(leg)
    try:
        end = _run(replace(leg, ledger=ledger))
    except BaseException:
        with suppress(Exception):  # the next leg settles the rest; the first error is raised
            flush()
        raise
    flush()
    return end


def _run(leg: Leg) -> LegEnd:
    progress = LegProgress(leg)
    source, destination = run_both(
        lambda: survey(
            leg.lane.source,
            modseqs=leg.import_.syncs_flags,
            count=partial(progress.reading_folders, Side.SOURCE),
        ),
        lambda: survey(leg.lane.destination, count=partial(progress.reading_folders, Side.DESTINATION)),
        decisive,
    )
    remembered = leg.ledger.folder_map(leg.import_.route)
    leg = replace(leg, retries=_retry_scope(leg))
    source, left_out = leave_out_folders(source, leg.import_.options, remembered, leg.retries)
    with Lanes(leg) as lanes:
        if not remembered:
            lanes.expect(source.messages, len(source.statuses))
        return _copy_folders(leg, lanes, source, destination, remembered, left_out, progress)


def _retry_scope(leg: Leg) -> RetryScope | None:
    """The messages of the earlier import that are tried again; None if this import copies everything."""
    earlier, ledger = leg.import_.retry_of, leg.ledger
    if earlier is None:
        return None
    from importer.domain.planning.retry_scope import RetryScope  # noqa: PLC0415 - a copy starts without it

    copies = (copies.receipt for copies in ledger.copies(leg.import_.route, earlier))
    return RetryScope.of(ledger.refusals(earlier), copies)


def _copy_folders(
    leg: Leg,
    lanes: Lanes,
    source: Survey,
    destination: Survey,
    remembered: Mapping[str, str],
    left_out: Mapping[str, SkipReason],
    progress: LegProgress,
) -> LegEnd:
    """`left_out`: folders of which nothing more is copied -> the reason."""
    pairs, new_mailbox = plan_folders(leg, source, destination, remembered, progress.making_folders)
    tally_unreadable(leg, source, remembered)
    record_partial_folders(leg, source)
    checkpoints = leg.ledger.checkpoints(leg.import_.route)
    progress.copying(folders=len(pairs), messages=source.messages)
    _announce(leg, pairs, source, progress)
    progress.announce()
    if not new_mailbox:
        pairs = changed_folders(leg, checkpoints, pairs, source, destination, progress)
    # Largest first: small pairs keep lanes busy that find no pair to join.
    largest_first = sorted(pairs, key=lambda pair: -source.statuses[pair.source.name].messages)
    work = [
        Unprepared.of(
            leg,
            pair.source.name,
            source.statuses[pair.source.name],
            pair.destination,
            checkpoints.get(pair.source.name),
            left_out.get(pair.source.name),
        )
        for pair in largest_first
    ]
    return LegEnd.DONE if lanes.run(work, progress.on_begin, progress.on_tally) else LegEnd.AGAIN


def _announce(leg: Leg, pairs: Sequence[FolderPair], source: Survey, progress: LegProgress) -> None:
    """Report the folders of the mailbox: should the leg not come to some of them, the totals are
    still those of the mailbox. Messages of earlier legs count as done."""
    planned = [
        FolderTally(pair.source.name, pair.destination, found=source.statuses[pair.source.name].messages)
        for pair in pairs
    ]
    known = leg.observer.planned(planned)
    for tally in planned:
        if tally.source_folder in known:
            progress.add_earlier(known[tally.source_folder])
