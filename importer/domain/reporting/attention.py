"""Which imports need somebody: those that do not go on by themselves and are not finished."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from importer.domain.model import Import, State
from importer.domain.reporting.batch_overview import awaits_owner


class Need(StrEnum):
    """What has to be done, in the order in which they are shown."""

    RETRY = "retry"  # it stopped or failed
    LOOK = "look"  # some messages could not be copied
    RESUME = "resume"  # somebody paused it
    SIGN_IN = "sign_in"  # the owner of a mailbox


_BY_STATE: Final = {
    State.STOPPED: Need.RETRY,
    State.FAILED: Need.RETRY,
    State.INCOMPLETE: Need.LOOK,
    State.PAUSED: Need.RESUME,
}


def need(import_: Import) -> Need | None:
    """None if the import goes on by itself, has come to the end that was wanted, or was run again."""
    if import_.successor is not None:
        return None
    return Need.SIGN_IN if awaits_owner(import_) else _BY_STATE.get(import_.state)


def most_urgent(imports: Sequence[Import]) -> list[tuple[Need, Import]]:
    """Those that need somebody: stopped ones first, and otherwise in the order given."""
    needs = [(what, import_) for import_ in imports if (what := need(import_)) is not None]
    order = list(Need)
    return sorted(needs, key=lambda pair: order.index(pair[0]))
