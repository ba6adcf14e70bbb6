"""The outcome of an import as facts: the findings in the order in which they are told, and their numbers.

`importer.i18n.outcome_texts` makes sentences of it.
"""

from __future__ import annotations

from enum import StrEnum

from importer.domain.model import Import, State
from importer.domain.receipts.undo_report import UndoReport
from importer.domain.reporting.totals import Totals
from providers.frozen import frozen


class OutcomeFinding(StrEnum):
    """One fact about an import that has ended by itself. Those from FAILED to UNVERIFIED are gaps."""

    NOTHING_LISTED = "nothing_listed"
    ALL_BUT_SKIPPED = "all_but_skipped"
    ALL_PRESENT = "all_present"  # nothing was copied
    ALL_WITH_PRESENT = "all_with_present"  # some were there before
    ALL_COPIED = "all_copied"
    SOME_GONE = "some_gone"  # nothing left to copy, although some messages stay away
    GONE = "gone"
    SKIPPED = "skipped"
    FAILED = "failed"
    NEVER_SEEN = "never_seen"
    FOLDERS_UNREAD = "folders_unread"
    FOLDERS_PARTLY_SHOWN = "folders_partly_shown"
    UNCONFIRMED = "unconfirmed"
    UNCHECKED = "unchecked"
    SURPLUS = "surplus"
    UNACCOUNTED = "unaccounted"
    UNVERIFIED = "unverified"  # incomplete without any other gap
    RETRIED = "retried"  # no gap: only failed messages of an earlier import were to be copied
    RENUMBERED = "renumbered"  # no gap: of some folders, all messages


@frozen
class ImportOutcome:
    """The state of an import and its numbers.

    `unread_folders` could not be opened, and the number of their messages is unknown; `partly_shown` folders
    are listed only in part by the old mailbox, and the new one holds `surplus` copies too many. Of the failed
    messages, `never_seen` were copied by an earlier import, and no recount has seen them.
    """

    import_: Import
    totals: Totals
    unread_folders: int = 0
    partly_shown: int = 0
    surplus: int = 0
    never_seen: int = 0
    undone: UndoReport | None = None
    renumbered: int = 0  # folders of a retry at which it looked as a whole

    @property
    def findings(self) -> tuple[OutcomeFinding, ...]:
        """The findings about an import that is complete or incomplete; empty in other states."""
        match self.import_.state:
            case State.COMPLETE:
                return (*_all_there(self.totals), *self._retried())
            case State.INCOMPLETE:
                return (*self._with_gaps(), *self._retried())
            case _:
                return ()

    def _retried(self) -> tuple[OutcomeFinding, ...]:
        if self.import_.retry_of is None:
            return ()
        return (OutcomeFinding.RETRIED, *([OutcomeFinding.RENUMBERED] if self.renumbered else []))

    def _with_gaps(self) -> tuple[OutcomeFinding, ...]:
        totals = self.totals
        gaps = (
            (OutcomeFinding.FOLDERS_UNREAD, self.unread_folders),
            (OutcomeFinding.FOLDERS_PARTLY_SHOWN, self.partly_shown),
            (OutcomeFinding.UNCONFIRMED, totals.unconfirmed),
            (OutcomeFinding.UNCHECKED, totals.unchecked),
            (OutcomeFinding.SURPLUS, self.surplus),
            (OutcomeFinding.UNACCOUNTED, not totals.adds_up),
        )
        named = tuple(finding for finding, applies in gaps if applies)
        gone = (OutcomeFinding.GONE,) if totals.gone else ()
        if totals.failed:
            never_seen = (OutcomeFinding.NEVER_SEEN,) if self.never_seen else ()
            return (OutcomeFinding.FAILED, *never_seen, *gone, *named)
        verified = totals.found and totals.adds_up and not totals.unconfirmed and not totals.unchecked
        first = _all_there(totals) if verified else gone  # of the readable part
        if named:
            return (*first, *named)
        return (*(first or _all_there(totals)), OutcomeFinding.UNVERIFIED)


def _all_there(totals: Totals) -> tuple[OutcomeFinding, ...]:
    if not totals.found:
        return (OutcomeFinding.NOTHING_LISTED,)
    if totals.gone:
        skipped = (OutcomeFinding.SKIPPED,) if totals.skipped else ()
        return (OutcomeFinding.SOME_GONE, OutcomeFinding.GONE, *skipped)
    if totals.skipped:
        return (OutcomeFinding.ALL_BUT_SKIPPED,)
    if totals.present and totals.found > 1:
        return (OutcomeFinding.ALL_WITH_PRESENT if totals.copied else OutcomeFinding.ALL_PRESENT,)
    return (OutcomeFinding.ALL_COPIED,)
