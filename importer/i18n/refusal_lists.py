"""Refusals as lists with headings, one list for each class of refusals."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from importer.domain.receipts.folder_tally import Refusal
from importer.domain.reporting.refusal_classes import RefusalClass, refusals_by_class
from importer.i18n.translations import N_, CatalogTranslator

_HEADINGS: Final = {
    RefusalClass.NOT_COPIED: N_("Not copied"),
    RefusalClass.NEVER_SEEN: N_("Sent by an earlier import, but never seen in the new mailbox"),
    RefusalClass.PARTLY_SHOWN: N_("May be incomplete"),
    RefusalClass.SURPLUS: N_("More often in the new mailbox than copied"),
}


def refusal_lists(
    texts: CatalogTranslator, refusals: Iterable[Refusal], most: int | None = None
) -> list[tuple[str, tuple[Refusal, ...]]]:
    """(heading, refusals) of each class that has any; at most `most` refusals in all."""
    lists = []
    room = most
    for class_, some in refusals_by_class(refusals).items():
        shown = some if room is None else some[:room]
        room = None if room is None else room - len(shown)
        if shown:
            lists.append((texts.gettext(_HEADINGS[class_]), shown))
    return lists
