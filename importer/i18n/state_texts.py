"""The words for the states of imports and for the numbers of a report, shared by all front ends."""

from __future__ import annotations

from typing import Final

from importer.domain.model import State
from importer.i18n.translations import N_, CatalogTranslator

_STATE_WORDS: Final = {
    State.QUEUED: N_("Queued"),
    State.RUNNING: N_("Copying"),
    State.WAITING: N_("Waiting"),
    State.PAUSED: N_("Paused"),
    State.COMPLETE: N_("Complete"),
    State.INCOMPLETE: N_("Finished with gaps"),
    State.STOPPED: N_("Stopped"),
    State.CANCELLED: N_("Cancelled"),
    State.UNDONE: N_("Undone"),
    State.FAILED: N_("Failed"),
}
_COUNT_WORDS: Final = {
    "found": N_("Found"),
    "copied": N_("Copied"),
    "present": N_("Already there"),
    "gone": N_("No longer there"),
    "duplicate": N_("Duplicates"),
    "skipped_total": N_("Left out"),
    "not_copied": N_("Not copied"),
    "never_seen": N_("Never seen there"),
    "still_to_do": N_("Still to do"),
}
COUNTS: Final = tuple(_COUNT_WORDS)
"""Attributes of Totals and FolderTally. The first is the sum of the others."""


def state_word(texts: CatalogTranslator, state: State) -> str:
    """The name of a state, capitalised."""
    return texts.gettext(_STATE_WORDS[state])


def count_name(texts: CatalogTranslator, count: str) -> str:
    """The name of one of COUNTS, capitalised."""
    return texts.gettext(_COUNT_WORDS[count])
