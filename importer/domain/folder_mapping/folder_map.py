"""The folder map: the destination of each source folder, computed from both LISTs and the earlier map.

Invariants, whatever the servers call their folders:
- every selectable source folder has one destination, and a name that was mapped once never changes;
- two source folders share a destination only if each gets it by its role or with its name unchanged; a
  changed name is never shared;
- a name that the destination accepts stays unchanged.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final

from importer.domain.folder_mapping.folder_names import acceptable, cut, encoded_bytes
from importer.domain.folder_mapping.last_resorts import Resort
from importer.domain.folder_mapping.special_folders import role_by_name
from importer.domain.mailbox_content import Folder, Hierarchy
from providers.endpoint import FolderRole
from providers.frozen import frozen
from providers.text import Text

INBOX: Final = "INBOX"  # in any case (RFC 9051 section 5.1)

_ROLES: Final = (FolderRole.SENT, FolderRole.DRAFTS, FolderRole.TRASH, FolderRole.JUNK, FolderRole.ARCHIVE)

# The limit of file systems. If the delimiter is a dot, the whole name is usually one file name (Maildir++;
# Dovecot 2.3 answers `NO Not found` beyond the limit), otherwise each component is.
_MAX_NAME_BYTES: Final = 254
_MIN_ROOM_BYTES: Final = 16  # a shorter name would be meaningless, and a number has to fit as well


@frozen
class FolderPair:
    """A source folder and the name of its destination folder. `reasons` say why it is not the same
    name; () if it is, and for INBOX."""

    source: Folder
    destination: str
    reasons: tuple[Text, ...] = ()


def map_folders(
    source: Sequence[Folder],
    source_hierarchy: Hierarchy,
    destination: Sequence[Folder],
    destination_hierarchy: Hierarchy,
    remembered: Mapping[str, str],
    *,
    resorts: Mapping[str, Resort] | None = None,
    refused: Collection[str] = (),
) -> tuple[FolderPair, ...]:
    """One pair for each selectable source folder, in the order of `source`.

    A name in `remembered` (source -> destination) keeps its destination. Otherwise INBOX goes to INBOX; one
    folder of each role (by attribute first, then by name) to the destination's folder of that role, if there
    is one; a child below its parent; all other folders to their own name, changed only as far as the
    destination requires. The order of the LISTs matters only for the choice among several folders of one
    role.

    `refused` are names that the destination refused to create and that are not proposed again; `resorts`
    tells for source folders how much of their names may be changed instead.
    """
    folders = {folder.name: folder for folder in reversed(source)}  # a name listed twice counts once
    for name in remembered:  # folders that were removed from the source keep their destination names
        folders.setdefault(name, Folder(name, source_hierarchy.delimiter, selectable=False))
    listed = [folders[name] for name in dict.fromkeys(folder.name for folder in source)]
    places = {name: _place(folder, source_hierarchy) for name, folder in folders.items()}
    fixed = {places[name]: to for name, to in remembered.items()}

    preset = {_Place(True): _Target(INBOX, True)}
    existing = [(folder, _place(folder, destination_hierarchy)) for folder in destination]
    preset |= _kept_roles([(folder, places[folder.name]) for folder in folders.values()], existing, fixed)
    preset |= _new_roles([(folder, places[folder.name]) for folder in listed], existing, fixed)
    with_mail = {places[folder.name] for folder in listed if folder.selectable}
    naming = _Naming(destination_hierarchy, _resorts_of_places(places, resorts or {}))
    targets = _assign(places.values(), with_mail, fixed, preset, naming, refused)
    return tuple(
        FolderPair(folder, remembered.get(folder.name, targets[place].name), targets[place].reasons)
        for folder, place in ((folder, places[folder.name]) for folder in listed)
        if folder.selectable
    )


# --- Places: the position of a folder, independent of the server's prefix and delimiter -------------


@dataclass(frozen=True, slots=True, order=True)
class _Place:
    """The path of a folder below INBOX (INBOX itself: no parts) or below the root."""

    in_inbox: bool
    parts: tuple[str, ...] = ()

    @property
    def parent(self) -> _Place | None:
        """None for INBOX and for folders at the root."""
        if len(self.parts) > 1 or (self.parts and self.in_inbox):
            return _Place(self.in_inbox, self.parts[:-1])
        return None


def _place(folder: Folder, hierarchy: Hierarchy) -> _Place:
    name, prefix = folder.name, hierarchy.prefix
    if is_inbox(name):
        return _Place(True)
    start = name[: len(prefix)]
    starts_alike = start == prefix or (_all_inside_inbox(hierarchy) and start.casefold() == prefix.casefold())
    below_prefix = bool(prefix) and len(name) > len(prefix) and starts_alike
    rest = name[len(prefix) :] if below_prefix else name
    parts = tuple(rest.split(folder.delimiter)) if folder.delimiter else (rest,)
    # Below a prefix, "INBOX" is an ordinary folder of that name ("INBOX.INBOX.x").
    if not below_prefix and len(parts) > 1 and is_inbox(parts[0]):
        return _Place(True, parts[1:])
    return _Place(False, parts)


def shown_name(folder: Folder, hierarchy: Hierarchy) -> str:
    """The displayed name of a folder: with `/` between levels, without the namespace prefix."""
    place = _place(folder, hierarchy)
    return "/".join((INBOX, *place.parts) if place.in_inbox else place.parts)


def special_roles(folders: Iterable[Folder], hierarchy: Hierarchy) -> dict[str, frozenset[FolderRole]]:
    """The roles of each folder and of the folders above it, which need not be listed, by attribute or by
    name; by folder name."""
    placed = [(folder, _place(folder, hierarchy)) for folder in folders]
    listed = {place: _role(folder, place) for folder, place in placed}

    def role(place: _Place) -> FolderRole | None:
        return listed[place] if place in listed else _role(Folder("", None), place)

    return {
        folder.name: frozenset(found for above in _top_down([place]) if (found := role(above)) is not None)
        for folder, place in placed
    }


def is_inbox(name: str) -> bool:
    """Whether a server takes the name for that of INBOX, in any case."""
    return name.casefold() == INBOX.casefold()


def _all_inside_inbox(hierarchy: Hierarchy) -> bool:
    """True for servers such as Courier, where all folders are inside INBOX and none is beside it."""
    return bool(hierarchy.delimiter) and is_inbox(hierarchy.prefix.removesuffix(hierarchy.delimiter or ""))


def _top_down(places: Iterable[_Place]) -> list[_Place]:
    """The places and all of their ancestors, parents before children, in a deterministic order."""
    with_ancestors: set[_Place] = set()
    for place in places:
        current: _Place | None = place
        while current is not None and current not in with_ancestors:
            with_ancestors.add(current)
            current = current.parent
    return sorted(with_ancestors, key=lambda place: (len(place.parts), place))


def _resorts_of_places(places: Mapping[str, _Place], resorts: Mapping[str, Resort]) -> dict[_Place, Resort]:
    """The resort of each place and of its ancestors, whose names may be the reason for the refusal."""
    result: dict[_Place, Resort] = {}
    for name, resort in resorts.items():
        if (place := places.get(name)) is None:
            continue
        result[place] = max(resort, result.get(place, Resort.NONE))
        above, current = min(resort, Resort.PLAIN), place.parent
        while current is not None:
            result[current] = max(above, result.get(current, Resort.NONE))
            current = current.parent
    return result


# --- Roles ------------------------------------------------------------------------------------------

_Placed = tuple[Folder, _Place]


def _role(folder: Folder, place: _Place) -> FolderRole | None:
    """By attribute; otherwise by name, for folders at the root and directly below INBOX."""
    if folder.role is None and len(place.parts) == 1:
        return role_by_name(place.parts[0])
    return folder.role if place.parts else None


def _kept_roles(
    source: Sequence[_Placed], destination: Sequence[_Placed], fixed: Mapping[_Place, str]
) -> dict[_Place, _Target]:
    """The remembered folders that were mapped to a folder of their role, removed source folders included."""
    destination_roles = {folder.name: _role(folder, place) for folder, place in destination}
    return {
        place: _role_target(fixed[place], role)
        for folder, place in source
        if place in fixed and (role := _role(folder, place)) and role is destination_roles.get(fixed[place])
    }


def _new_roles(
    source: Sequence[_Placed], destination: Sequence[_Placed], fixed: Mapping[_Place, str]
) -> dict[_Place, _Target]:
    """For each role that both sides have: one source folder, mapped to one destination folder."""
    targets = {}
    for role in _ROLES:
        source_folders = [pair for pair in source if pair[0].selectable and _role(*pair) is role]
        destination_folders = [pair for pair in destination if pair[0].selectable and _role(*pair) is role]
        if not source_folders or not destination_folders:
            continue
        # min() returns the first of equal items: the server's order decides.
        _, place = min(source_folders, key=lambda pair: (pair[1] not in fixed, pair[0].role is not role))
        folder, _ = min(
            destination_folders,
            key=lambda pair: (pair[0].role is not role, pair[1].parts[-1] != place.parts[-1]),
        )
        if place not in fixed:
            targets[place] = _role_target(folder.name, role)
    return targets


def _role_target(name: str, role: FolderRole) -> _Target:
    return _Target(name, True, (Text(f"folder_name.{role.value}"),))


# --- Names at the destination -----------------------------------------------------------------------


@frozen
class _Naming:
    """The rules for names at the destination."""

    hierarchy: Hierarchy
    resorts: Mapping[_Place, Resort]


@frozen
class _Target:
    """A destination name. `plain`: chosen by role or without changing a component, so that it may be
    shared."""

    name: str
    plain: bool
    reasons: tuple[Text, ...] = ()


@frozen
class _Proposal:
    """The name that a folder gets if it is free: `stem`, then `leaf` of at most `room_bytes`."""

    stem: str
    leaf: str
    room_bytes: int
    plain: bool
    reasons: tuple[Text, ...]
    brackets: bool = True

    def target(self) -> _Target:
        return _Target(self.stem + self.leaf, self.plain, self.reasons)

    def numbered(self, number: int) -> _Target:
        suffix = f" ({number})" if self.brackets else f" {number}"
        name = self.stem + cut(self.leaf, self.room_bytes - len(suffix)) + suffix
        return _Target(name, False, (*(() if self.plain else self.reasons), Text("folder_name.taken")))


def _assign(
    places: Iterable[_Place],
    with_mail: Collection[_Place],
    fixed: Mapping[_Place, str],
    preset: Mapping[_Place, _Target],
    naming: _Naming,
    refused: Collection[str],
) -> dict[_Place, _Target]:
    """A target for every place and all of its ancestors. Remembered names and roles are assigned first, then
    names that need no change. Changed names are chosen last, so that they avoid all others."""
    hierarchy = naming.hierarchy
    order = _top_down(places)
    targets = dict(preset) | _remembered(order, fixed, preset, naming)
    shareable = {INBOX: False}  # key of every name in use -> whether other folders may share it
    shareable |= {_key(name, hierarchy): False for name in refused}
    for target in targets.values():
        key = _key(target.name, hierarchy)
        shareable[key] = target.plain and shareable.get(key, True)

    changed: list[_Place] = []
    for place in order:
        if place in targets:
            continue
        if place.parent and place.parent not in targets:
            changed.append(place)
            continue
        target = _propose(place, targets[place.parent] if place.parent else None, naming).target()
        if target.plain and shareable.get(target.name, True):
            targets[place] = target
            shareable[target.name] = True
        else:
            changed.append(place)

    def taken(target: _Target, place: _Place) -> bool:
        key = _key(target.name, hierarchy)
        return key in shareable and (key != INBOX or place in with_mail)  # a mere parent may be INBOX

    numbers: defaultdict[str, Iterator[int]] = defaultdict(lambda: count(2))
    for place in changed:
        parent = targets[place.parent] if place.parent else None
        proposal = _propose(place, parent, naming)
        if taken(proposal.target(), place):
            proposal = _propose(place, parent, naming, min_room_bytes=_MIN_ROOM_BYTES)
        target = proposal.target()
        while taken(target, place):
            target = proposal.numbered(next(numbers[proposal.target().name]))
        targets[place] = target
        shareable[_key(target.name, hierarchy)] = False
    return targets


def _remembered(
    order: Sequence[_Place],
    fixed: Mapping[_Place, str],
    preset: Mapping[_Place, _Target],
    naming: _Naming,
) -> dict[_Place, _Target]:
    """The targets of the remembered places; plain if the folder would get the same name now."""
    targets: dict[_Place, _Target] = {}
    for place in order:
        parent = targets[place.parent] if place.parent else None
        target = preset[place] if place in preset else _propose(place, parent, naming).target()
        if place in fixed:
            plain = target.plain and target.name == fixed[place]
            target = _Target(fixed[place], plain, (Text("folder_name.earlier"),))
        targets[place] = target
    return {place: targets[place] for place in fixed}


def _key(name: str, hierarchy: Hierarchy) -> str:
    """The form in which names are compared: case-sensitive, except INBOX (RFC 9051 section 5.1).

    If all folders are inside INBOX, "INBOX.INBOX" equals INBOX too: on Dovecot 2.3 they are the same folder.
    """
    below = name[len(hierarchy.prefix) :] if _all_inside_inbox(hierarchy) else name
    return INBOX if is_inbox(name) or is_inbox(below) else name


def _propose(place: _Place, parent: _Target | None, naming: _Naming, *, min_room_bytes: int = 0) -> _Proposal:
    """The name of `place` below `parent`, changed as far as the destination requires.

    If there is room for fewer than `min_room_bytes`, or for neither the whole name nor _MIN_ROOM_BYTES of it,
    the folder moves to the nearest ancestor with enough room.
    """
    hierarchy, resort = naming.hierarchy, naming.resorts.get(place, Resort.NONE)
    prefix, delimiter = hierarchy.prefix, hierarchy.delimiter
    own, stem = place.parts[-1], prefix
    changes: list[Text] = []
    if resort is Resort.NUMBERED:
        own = "Folder"
        changes.append(Text("folder_name.others_refused"))
    elif parent is None:
        pass
    elif resort >= Resort.UP and delimiter is not None:
        above, _, name = parent.name.removeprefix(prefix).rpartition(delimiter)
        below_root = resort is Resort.FLAT or not above
        stem = prefix if below_root else prefix + above + delimiter
        own = f"{parent.name.removeprefix(prefix) if below_root else name}_{own}"
        changes.append(Text("folder_name.place_refused"))
    elif delimiter is None:
        own = f"{parent.name.removeprefix(prefix)}_{own}"
        changes.append(Text("folder_name.not_nested"))
    elif not is_inbox(parent.name):
        stem = parent.name + delimiter
    elif _all_inside_inbox(hierarchy):
        changes.append(Text("folder_name.inbox_level"))
    else:
        stem = f"{prefix}{INBOX}{delimiter}"
        if prefix:
            changes.append(Text("folder_name.prefix", prefix=prefix))

    room_bytes = _room_bytes(stem, hierarchy)
    min_room_bytes = max(min_room_bytes, min(encoded_bytes(own or "_"), _MIN_ROOM_BYTES))
    while delimiter and stem != prefix and room_bytes < min_room_bytes:
        stem = max("".join(stem[:-1].rpartition(delimiter)[:2]), prefix, key=len)
        room_bytes = _room_bytes(stem, hierarchy)
        changes = [Text("folder_name.path_too_long")]
    leaf, unfit = acceptable(own, delimiter, at_root=stem == prefix, resort=resort)
    changes += unfit
    if encoded_bytes(leaf) > room_bytes:
        leaf = cut(leaf, room_bytes)
        changes.append(Text("folder_name.too_long"))
    follows = (Text("folder_name.follows"),) if parent is not None and parent.reasons else ()
    plain = not changes and (parent is None or parent.plain) and _key(stem + leaf, hierarchy) != INBOX
    reasons = tuple(changes) or follows
    return _Proposal(stem, leaf, room_bytes, plain, reasons, brackets=resort < Resort.PLAIN)


def _room_bytes(stem: str, hierarchy: Hierarchy) -> int:
    whole_name_counts = hierarchy.delimiter in (".", None)
    return _MAX_NAME_BYTES - encoded_bytes(stem if whole_name_counts else hierarchy.prefix)
