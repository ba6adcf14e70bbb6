"""Which imports need a person: those that do not continue by themselves and are not finished."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from importer.domain.model import Import, State
from importer.domain.reporting.batch_overview import awaits_owner


class Need(StrEnum):
    """The required action, in the order in which they are shown."""

    RETRY = "retry"  # it stopped or failed
    LOOK = "look"  # some messages could not be copied
    RESUME = "resume"  # a person paused it
    SIGN_IN = "sign_in"  # the owner of a mailbox


_BY_STATE: Final = {
    State.STOPPED: Need.RETRY,
    State.FAILED: Need.RETRY,
    State.INCOMPLETE: Need.LOOK,
    State.PAUSED: Need.RESUME,
}


def need(import_: Import) -> Need | None:
    """None if the import continues by itself, has ended as intended, or was run again."""
    if import_.successor is not None:
        return None
    return Need.SIGN_IN if awaits_owner(import_) else _BY_STATE.get(import_.state)


def most_urgent(imports: Sequence[Import]) -> list[tuple[Need, Import]]:
    """The imports that need a person: stopped ones first, otherwise in the given order."""
    needs = [(what, import_) for import_ in imports if (what := need(import_)) is not None]
    order = list(Need)
    return sorted(needs, key=lambda pair: order.index(pair[0]))
