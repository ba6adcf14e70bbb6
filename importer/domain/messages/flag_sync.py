"""Which flags of a copy are to follow the source: for each flag, what we put there, what the source says now,
and what stands there.

A flag that changed at the source is changed at the destination only if it still is there as we put it. One
that its owner changed there is its owner's from the moment that this shows: it never follows again.

What is remembered of a message (`flags.unfold_flags`) is what we put there, with marks that no flag can be:
`*` before a flag that is its owner's, `?` before one that we are about to change, so that after a crash our
own change is not taken for its owner's.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

_SYSTEM: Final = frozenset({"\\seen", "\\answered", "\\flagged", "\\draft"})
_OWNERS: Final = "*"
_PENDING: Final = "?"


@dataclass(frozen=True, slots=True)
class FlagChange:
    """What to do at the destination, and what to remember: `during` before it is done, `after` then."""

    add: tuple[str, ...]
    remove: tuple[str, ...]
    during: tuple[str, ...]
    after: tuple[str, ...]


def differs(remembered: Collection[str], source: Collection[str]) -> bool:
    """Whether there may be anything to do about a message; costs no look at the destination."""
    put, owners, pending = _read(remembered)
    return bool(pending) or bool((put.keys() ^ _carried(source).keys()) - owners)


def reconcile(remembered: Collection[str], source: Collection[str], there: Collection[str]) -> FlagChange:
    """Of one message; `source` as far as the destination can keep it (`fit.fit_flags`)."""
    put, owners, pending = _read(remembered)
    now, have = _carried(source), _carried(there)
    for name, spelled in pending.items():
        if (name in have) != (name in put):  # it came to pass, and nobody noted it
            _toggle(put, name, spelled)
    add: dict[str, str] = {}
    remove: dict[str, str] = {}
    for name in sorted((put.keys() ^ now.keys()) - owners):
        if (name in have) != (name in put):
            owners.add(name)
        elif name in now:
            add[name] = now[name]
        else:
            remove[name] = put[name]
    others = [flag for flag in remembered if flag[:1] not in (_OWNERS, _PENDING) and not _is_carried(flag)]
    marks = [_OWNERS + name for name in sorted(owners)]
    before = list(put.values())
    for name, spelled in (add | remove).items():
        _toggle(put, name, spelled)
    return FlagChange(
        tuple(add.values()),
        tuple(remove.values()),
        (*others, *before, *marks, *(_PENDING + spelled for spelled in (add | remove).values())),
        (*others, *put.values(), *marks),
    )


def _read(remembered: Collection[str]) -> tuple[dict[str, str], set[str], dict[str, str]]:
    """What we put there, what is its owner's, what we were about to change; by name in small letters."""
    owners = {flag[1:].lower() for flag in remembered if flag.startswith(_OWNERS)}
    pending = {flag[1:].lower(): flag[1:] for flag in remembered if flag.startswith(_PENDING)}
    put = _carried([flag for flag in remembered if flag[:1] not in (_OWNERS, _PENDING)])
    return put, owners, pending


def _carried(flags: Collection[str]) -> dict[str, str]:
    return {flag.lower(): flag for flag in flags if _is_carried(flag)}


def _is_carried(flag: str) -> bool:
    """\\Deleted is not: what is on its way out at the source stays at the destination."""
    return not flag.startswith("\\") or flag.lower() in _SYSTEM


def _toggle(flags: dict[str, str], name: str, spelled: str) -> None:
    if flags.pop(name, None) is None:
        flags[name] = spelled
