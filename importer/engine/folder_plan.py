"""Decides which source folder goes into which destination folder, and creates those that are new."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from importer.compact.uid_set import UidValidity
from importer.domain.folder_mapping.folder_map import FolderPair, is_inbox, map_folders
from importer.domain.folder_mapping.last_resorts import Created, Resort, created, hierarchy_below_inbox
from importer.engine.leg_context import Leg
from importer.engine.replaced_mailbox import another_inbox, is_replaced
from importer.engine.survey import Survey
from importer.ports.mailbox import FolderCount, uncounted
from importer.ports.mailbox_errors import FolderUnusable
from providers.errors import ServerUnavailable, Side
from providers.text import Text


def plan_folders(
    leg: Leg,
    source: Survey,
    destination: Survey,
    remembered: Mapping[str, str],
    count: FolderCount = uncounted,
) -> tuple[list[FolderPair], bool]:
    """Return the folder pairs of this leg, and whether the destination is another mailbox than last time.

    Creates and subscribes the folders that are new to the route; `count` is called with their number.
    """
    route = leg.import_.route
    pairs = _mapped(source, destination, remembered)
    known_epoch = leg.ledger.mailbox_epoch(route)
    epoch = _epoch(destination) or known_epoch or UidValidity(1)
    inbox = another_inbox(leg, destination) if known_epoch == epoch else None
    new_mailbox = (
        known_epoch is not None
        and (known_epoch != epoch or inbox is not None)
        and is_replaced(leg, destination, remembered.values())
    )
    # A remembered folder that is missing was removed by its owner and is not created again, unless the
    # whole mailbox is new.
    new = [pair for pair in pairs if new_mailbox or pair.source.name not in remembered]
    pairs = _create_folders(leg, source, destination, pairs, new, remembered, count)
    # Written once the folders exist: after a crash in between, the next leg must see the same changes.
    if epoch != known_epoch or new_mailbox:
        leg.ledger.set_mailbox_epoch(route, epoch, leg.lease, replaced=new_mailbox)
    if inbox is not None:
        leg.ledger.outdate_all(leg.import_.destination, inbox, leg.lease)
    mapping = {pair.source.name: pair.destination for pair in pairs}
    if any(remembered.get(name) != target for name, target in mapping.items()):
        leg.ledger.map_folders(route, mapping, leg.lease)
    return pairs, new_mailbox


def _mapped(
    source: Survey,
    destination: Survey,
    remembered: Mapping[str, str],
    *,
    resorts: Mapping[str, Resort] | None = None,
    refused: Collection[str] = (),
) -> list[FolderPair]:
    mapped = map_folders(
        source.folders,
        source.hierarchy,
        destination.folders,
        destination.hierarchy,
        remembered,
        resorts=resorts,
        refused=refused,
    )
    return [pair for pair in mapped if pair.source.name in source.statuses]


def _create_folders(
    leg: Leg,
    source: Survey,
    destination: Survey,
    pairs: list[FolderPair],
    new: Sequence[FolderPair],
    remembered: Mapping[str, str],
    count: FolderCount,
) -> list[FolderPair]:
    """Create and subscribe the destinations of `new` and return `pairs` with the names that the folders have
    now. A refused name is replaced as far as necessary (`Resort`); if all are refused, the first one stays,
    and the copy of that folder reports the reason. If every name is refused at first, perhaps all folders
    have to be below INBOX, which some servers say in no namespace."""
    announced = destination.hierarchy
    resorts: dict[str, Resort] = {}
    refused: set[str] = set()
    by_source = {pair.source.name: pair for pair in pairs}
    while new:
        result = _created(leg, source, destination, new, by_source, count)
        refused |= result.missing
        fixed = dict(remembered)
        for name, pair in by_source.items():
            if pair.destination not in refused:
                by_source[name] = replace(
                    pair, destination=result.actual.get(pair.destination, pair.destination)
                )
                fixed[name] = by_source[name].destination
        again = [
            pair
            for pair in new
            if pair.destination in result.missing
            and pair.source.name not in remembered
            and resorts.get(pair.source.name, Resort.NONE) < max(Resort)
        ]
        wanted = {pair.destination for pair in new} - destination.statuses.keys()
        first = not resorts and destination.hierarchy == announced
        below_inbox = hierarchy_below_inbox(announced, wanted, result.missing) if first else None
        if below_inbox is not None:
            destination = replace(destination, hierarchy=below_inbox)
        else:
            if wanted <= result.missing:
                destination = replace(destination, hierarchy=announced)
            resorts |= {
                pair.source.name: Resort(resorts.get(pair.source.name, Resort.NONE) + 1) for pair in again
            }
        remapped = {
            pair.source.name: pair
            for pair in _mapped(source, destination, fixed, resorts=resorts, refused=refused)
        }
        new = [
            remapped[pair.source.name]
            for pair in again
            if remapped[pair.source.name].destination not in refused
        ]
        by_source |= {pair.source.name: pair for pair in new}
    return [
        by_source[pair.source.name] if by_source[pair.source.name].destination not in refused else pair
        for pair in pairs
    ]


def _created(
    leg: Leg,
    source: Survey,
    destination: Survey,
    new: Sequence[FolderPair],
    by_source: Mapping[str, FolderPair],
    count: FolderCount,
) -> Created:
    """Create and subscribe the destinations of `new`; the names that they are listed under then.

    Folders are subscribed as at the source, or all of them if the source has no subscriptions.
    """
    no_subscriptions = not any(folder.subscribed for folder in source.folders)
    missing = list(
        dict.fromkeys(pair.destination for pair in new if pair.destination not in destination.statuses)
    )
    if missing:
        leg.ledger.detach_all(leg.import_.destination, missing, leg.lease)
        leg.ledger.note_created(leg.import_.id, missing, leg.lease)
    session = leg.lane.destination
    subscribed = [pair.destination for pair in new if pair.source.subscribed or no_subscriptions]
    refused = session.create_and_subscribe(missing, subscribed, count if missing else uncounted)
    if not missing:
        return Created({}, frozenset())
    now = {folder.name for folder in session.folders() if folder.selectable}
    result = created(
        missing,
        refused=refused,
        before=[folder.name for folder in destination.folders],
        now=now,
        others={pair.destination for pair in by_source.values()} - set(missing),
    )
    unlisted = [wanted for wanted, actual in result.actual.items() if wanted == actual and actual not in now]
    if unlisted:  # the server reported success; its list may be incomplete
        statuses = session.statuses(unlisted)
        gone = {name for name in unlisted if isinstance(statuses[name], FolderUnusable)}
        result = Created(
            {wanted: actual for wanted, actual in result.actual.items() if wanted not in gone},
            result.missing | gone,
        )
    renamed = {wanted: actual for wanted, actual in result.actual.items() if wanted != actual}
    if renamed:
        leg.ledger.note_created(leg.import_.id, list(renamed.values()), leg.lease)
        session.create_and_subscribe([], [renamed[name] for name in subscribed if name in renamed])
    return result


def _epoch(destination: Survey) -> UidValidity | None:
    """UIDVALIDITY of the destination's INBOX; None if there is no INBOX.

    Raises ServerUnavailable if the INBOX cannot be opened now: to treat that as a new mailbox would recreate
    every folder that its owner removed.
    """
    for name, status in destination.statuses.items():
        if is_inbox(name):
            return status.uidvalidity
    for name, error in destination.unusable.items():
        if is_inbox(name):
            raise ServerUnavailable(
                Text("server_unavailable.inbox", reason=error.text.quoting(error.server_text)),
                side=Side.DESTINATION,
            ) from error
    return None
