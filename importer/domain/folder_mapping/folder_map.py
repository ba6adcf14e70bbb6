"""Where each source folder goes: the folder map, worked out from two listings and the earlier map.

Invariants, whatever the servers call their folders:
- every selectable source folder has one destination, and a name once mapped never moves;
- two source folders share a destination only when each comes to it by its role or with its name as it
  is; a name that had to be changed is never another folder's as well;
- a name that the destination takes as it is stays as it is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final

from importer.domain.folder_mapping.folder_names import acceptable, cut, encoded_bytes
from importer.domain.folder_mapping.special_folders import role_by_name
from importer.domain.model import Folder, Hierarchy
from providers.endpoint import FolderRole

INBOX: Final = "INBOX"  # in any case (RFC 9051 section 5.1)

_ROLES: Final = (FolderRole.SENT, FolderRole.DRAFTS, FolderRole.TRASH, FolderRole.JUNK, FolderRole.ARCHIVE)

# What file systems take; where the delimiter is a dot, the whole name is usually one file name (Maildir++;
# Dovecot 2.3 answers `NO Not found` beyond it), elsewhere each component.
_MAX_NAME_BYTES: Final = 254
_MIN_ROOM_BYTES: Final = 16  # less says nothing, and a number has to fit in as well


@dataclass(frozen=True, slots=True)
class FolderPair:
    """One source folder and where it goes. `reason` says in plain words why it is called so there."""

    source: Folder
    destination: str
    reason: str


def map_folders(
    source: Sequence[Folder],
    source_hierarchy: Hierarchy,
    destination: Sequence[Folder],
    destination_hierarchy: Hierarchy,
    remembered: Mapping[str, str],
) -> tuple[FolderPair, ...]:
    """One pair for each selectable source folder, in the order of `source`.

    A name in `remembered` (source -> destination) goes where it went before. Otherwise INBOX goes to
    INBOX; one folder of each role (attribute before name) to the destination's folder of that role,
    where there is one; a child beneath its parent; everything else to its own name, made acceptable
    where it has to be. Apart from the choice among several folders of one role, the order of the
    listings does not matter.
    """
    folders = {folder.name: folder for folder in reversed(source)}  # a name listed twice counts once
    for name in remembered:  # folders that are gone from the source still hold their names
        folders.setdefault(name, Folder(name, source_hierarchy.delimiter, selectable=False))
    listed = [folders[name] for name in dict.fromkeys(folder.name for folder in source)]
    places = {name: _place(folder, source_hierarchy) for name, folder in folders.items()}
    fixed = {places[name]: to for name, to in remembered.items()}

    given = {_Place(True): _Spot(INBOX, True, "INBOX")}
    there = [(folder, _place(folder, destination_hierarchy)) for folder in destination]
    here = [(folder, places[folder.name]) for folder in folders.values()]
    given |= _kept_roles(here, there, fixed)
    given |= _new_roles([(folder, places[folder.name]) for folder in listed], there, fixed)
    with_mail = {places[folder.name] for folder in listed if folder.selectable}
    spots = _settle(places.values(), with_mail, fixed, given, destination_hierarchy)
    return tuple(
        FolderPair(folder, remembered.get(folder.name, spots[place].name), spots[place].reason)
        for folder, place in ((folder, places[folder.name]) for folder in listed)
        if folder.selectable
    )


# --- Places: where a folder lies, whatever the server's prefix and delimiter ------------------------


@dataclass(frozen=True, slots=True, order=True)
class _Place:
    """The path of a folder below INBOX (INBOX itself: no parts) or below the root."""

    in_inbox: bool
    parts: tuple[str, ...] = ()

    @property
    def parent(self) -> _Place | None:
        """None for INBOX and for what stands at the root."""
        if len(self.parts) > 1 or (self.parts and self.in_inbox):
            return _Place(self.in_inbox, self.parts[:-1])
        return None


def _place(folder: Folder, hierarchy: Hierarchy) -> _Place:
    name, prefix = folder.name, hierarchy.prefix
    if _is_inbox(name):
        return _Place(True)
    start = name[: len(prefix)]
    starts_alike = start == prefix or (_lives_in_inbox(hierarchy) and start.casefold() == prefix.casefold())
    below_prefix = bool(prefix) and len(name) > len(prefix) and starts_alike
    rest = name[len(prefix) :] if below_prefix else name
    parts = tuple(rest.split(folder.delimiter)) if folder.delimiter else (rest,)
    # Below a prefix, "INBOX" is a folder that happens to be called so ("INBOX.INBOX.x").
    if not below_prefix and len(parts) > 1 and _is_inbox(parts[0]):
        return _Place(True, parts[1:])
    return _Place(False, parts)


def _is_inbox(name: str) -> bool:
    return name.casefold() == INBOX.casefold()


def _lives_in_inbox(hierarchy: Hierarchy) -> bool:
    """True for servers such as Courier, where all folders stand inside INBOX and none beside it."""
    return bool(hierarchy.delimiter) and _is_inbox(hierarchy.prefix.removesuffix(hierarchy.delimiter or ""))


def _top_down(places: Iterable[_Place]) -> list[_Place]:
    """The places and everything above them, parents before children, always in the same order."""
    found: set[_Place] = set()
    for place in places:
        at: _Place | None = place
        while at is not None and at not in found:
            found.add(at)
            at = at.parent
    return sorted(found, key=lambda place: (len(place.parts), place))


# --- Roles ------------------------------------------------------------------------------------------

_Placed = tuple[Folder, _Place]


def _role(folder: Folder, place: _Place) -> FolderRole | None:
    """By attribute; else by name, at the root and directly below INBOX, where special folders stand."""
    if folder.role is None and len(place.parts) == 1:
        return role_by_name(place.parts[0])
    return folder.role if place.parts else None


def _kept_roles(
    here: Sequence[_Placed], there: Sequence[_Placed], fixed: Mapping[_Place, str]
) -> dict[_Place, _Spot]:
    """The remembered folders that went to a folder of their role, those gone from the source included."""
    roles_there = {folder.name: _role(folder, place) for folder, place in there}
    return {
        place: _role_spot(fixed[place], role)
        for folder, place in here
        if place in fixed and (role := _role(folder, place)) and role is roles_there.get(fixed[place])
    }


def _new_roles(
    here: Sequence[_Placed], there: Sequence[_Placed], fixed: Mapping[_Place, str]
) -> dict[_Place, _Spot]:
    """For each role both sides have: the one source folder that goes to the one destination folder."""
    spots = {}
    for role in _ROLES:
        holders = [pair for pair in here if pair[0].selectable and _role(*pair) is role]
        targets = [pair for pair in there if pair[0].selectable and _role(*pair) is role]
        if not holders or not targets:
            continue
        # min() takes the first of equals: the server's order decides.
        _, place = min(holders, key=lambda pair: (pair[1] not in fixed, pair[0].role is not role))
        target, _ = min(
            targets,
            key=lambda pair: (pair[0].role is not role, pair[1].parts[-1] != place.parts[-1]),
        )
        if place not in fixed:
            spots[place] = _role_spot(target.name, role)
    return spots


def _role_spot(name: str, role: FolderRole) -> _Spot:
    return _Spot(name, True, f"{role.value.title()} folder")


# --- Names at the destination -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Spot:
    """A destination name. `plain`: come to by role or with no component changed, so that it may be shared."""

    name: str
    plain: bool
    reason: str


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a folder is to be called if that is free: `stem`, then `leaf` of at most `room_bytes`."""

    stem: str
    leaf: str
    room_bytes: int
    plain: bool
    reason: str

    def spot(self) -> _Spot:
        return _Spot(self.stem + self.leaf, self.plain, self.reason)

    def numbered(self, number: int) -> _Spot:
        suffix = f" ({number})"
        name = self.stem + cut(self.leaf, self.room_bytes - len(suffix)) + suffix
        why = "another folder has that name there"
        return _Spot(name, False, why if self.plain else f"{self.reason}; {why}")


def _settle(
    places: Iterable[_Place],
    with_mail: Collection[_Place],
    fixed: Mapping[_Place, str],
    given: Mapping[_Place, _Spot],
    hierarchy: Hierarchy,
) -> dict[_Place, _Spot]:
    """A spot for every place and everything above it. Remembered names and roles first, then the names that
    need no change, so that whatever has to change gives way to all of them."""
    order = _top_down(places)
    spots = dict(given) | _remembered(order, fixed, given, hierarchy)
    shareable = {INBOX: False}  # every name that is taken
    for spot in spots.values():
        shareable[_key(spot.name, hierarchy)] = spot.plain and shareable.get(_key(spot.name, hierarchy), True)

    changed: list[_Place] = []
    for place in order:
        if place in spots:
            continue
        if place.parent and place.parent not in spots:
            changed.append(place)
            continue
        spot = _wish(place, spots[place.parent] if place.parent else None, hierarchy).spot()
        if spot.plain and shareable.get(spot.name, True):
            spots[place] = spot
            shareable[spot.name] = True
        else:
            changed.append(place)

    def taken(spot: _Spot, place: _Place) -> bool:
        key = _key(spot.name, hierarchy)
        return key in shareable and (key != INBOX or place in with_mail)  # a mere parent cannot clash with it

    numbers: defaultdict[str, Iterator[int]] = defaultdict(lambda: count(2))
    for place in changed:
        parent = spots[place.parent] if place.parent else None
        wish = _wish(place, parent, hierarchy)
        if taken(wish.spot(), place):
            wish = _wish(place, parent, hierarchy, min_room_bytes=_MIN_ROOM_BYTES)
        spot = wish.spot()
        while taken(spot, place):
            spot = wish.numbered(next(numbers[wish.spot().name]))
        spots[place] = spot
        shareable[_key(spot.name, hierarchy)] = False
    return spots


def _remembered(
    order: Sequence[_Place], fixed: Mapping[_Place, str], given: Mapping[_Place, _Spot], hierarchy: Hierarchy
) -> dict[_Place, _Spot]:
    """The spots of the remembered places, plain where the name is what the folder would be called anyway."""
    ideal: dict[_Place, _Spot] = {}
    for place in order:
        parent = ideal[place.parent] if place.parent else None
        spot = given[place] if place in given else _wish(place, parent, hierarchy).spot()
        if place in fixed:
            plain = spot.plain and spot.name == fixed[place]
            spot = _Spot(fixed[place], plain, "as in the earlier import")
        ideal[place] = spot
    return {place: ideal[place] for place in fixed}


def _key(name: str, hierarchy: Hierarchy) -> str:
    """Names are compared with case, but for INBOX (RFC 9051 section 5.1).

    Where all folders stand in INBOX, "INBOX.INBOX" is counted as INBOX too: on Dovecot 2.3 it is the same.
    """
    below = name[len(hierarchy.prefix) :] if _lives_in_inbox(hierarchy) else name
    return INBOX if _is_inbox(name) or _is_inbox(below) else name


def _wish(place: _Place, parent: _Spot | None, hierarchy: Hierarchy, *, min_room_bytes: int = 0) -> _Wish:
    prefix, delimiter = hierarchy.prefix, hierarchy.delimiter
    own, stem, changes = place.parts[-1], prefix, []
    if parent is None:
        pass
    elif delimiter is None:
        own = f"{parent.name.removeprefix(prefix)}_{own}"
        changes.append("folders cannot lie inside one another there")
    elif not _is_inbox(parent.name):
        stem = parent.name + delimiter
    elif _lives_in_inbox(hierarchy):
        changes.append("what lies inside INBOX stands among all other folders there")
    else:
        stem = f"{prefix}{INBOX}{delimiter}"
        if prefix:
            changes.append(f"every folder but INBOX has to stand below “{prefix}” there")

    room_bytes = _room_bytes(stem, hierarchy)
    min_room_bytes = max(min_room_bytes, min(encoded_bytes(own or "_"), _MIN_ROOM_BYTES))
    # Where it does not fit below its parent, the folder goes to the nearest one above that has room.
    while delimiter and stem != prefix and room_bytes < min_room_bytes:
        stem = max("".join(stem[:-1].rpartition(delimiter)[:2]), prefix, key=len)
        room_bytes = _room_bytes(stem, hierarchy)
        changes = ["the path is too long there"]
    leaf, unfit = acceptable(own, delimiter, at_root=stem == prefix, cautious=hierarchy.cautious)
    changes += unfit
    if encoded_bytes(leaf) > room_bytes:
        leaf = cut(leaf, room_bytes)
        changes.append("the name is too long there")
    follows = parent is not None and parent.reason not in ("same name", "INBOX")
    plain = not changes and (parent is None or parent.plain) and _key(stem + leaf, hierarchy) != INBOX
    reason = "; ".join(changes) or ("follows its parent folder" if follows else "same name")
    return _Wish(stem, leaf, room_bytes, plain, reason)


def _room_bytes(stem: str, hierarchy: Hierarchy) -> int:
    whole_name_counts = hierarchy.delimiter in (".", None)
    return _MAX_NAME_BYTES - encoded_bytes(stem if whole_name_counts else hierarchy.prefix)
