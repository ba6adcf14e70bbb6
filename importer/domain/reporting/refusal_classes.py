"""The classes under which reports list refusals: not each of them is a message that could not be copied."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from importer.domain.receipts.folder_tally import Refusal, RefusalCode


class RefusalClass(StrEnum):
    """In the order in which they are listed."""

    NOT_COPIED = "not_copied"
    NEVER_SEEN = "never_seen"  # an earlier import sent it, and no recount has seen it
    PARTLY_SHOWN = "partly_shown"  # the listed part of the folder was copied
    SURPLUS = "surplus"  # there more often than it was sent


def refusals_by_class(refusals: Iterable[Refusal]) -> Mapping[RefusalClass, tuple[Refusal, ...]]:
    """The refusals of each class, in their order; classes without refusals are left out."""
    lists: dict[RefusalClass, list[Refusal]] = {one: [] for one in RefusalClass}
    for refusal in refusals:
        lists[_class_of(refusal)].append(refusal)
    return {one: tuple(some) for one, some in lists.items() if some}


def _class_of(refusal: Refusal) -> RefusalClass:
    if refusal.partly:
        return RefusalClass.PARTLY_SHOWN
    match refusal.code:
        case RefusalCode.NEVER_SEEN:
            return RefusalClass.NEVER_SEEN
        case RefusalCode.SURPLUS:
            return RefusalClass.SURPLUS
        case _:
            return RefusalClass.NOT_COPIED
