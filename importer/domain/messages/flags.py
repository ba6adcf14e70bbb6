"""The flags of copied messages: how they are remembered, whether they were changed, and synchronisation.

Remembered flags are stored as runs, one per line: the number of consecutive messages, then their flags. A
batch of 100 may be `97 \\Seen` and `3 \\Seen $Label1`. Flags are atoms (RFC 9051 section 9), so that none
contains a blank or a line break.

Synchronisation compares, for each flag, three values: what we set at the destination, the current value at
the source, and the current value at the destination. A flag that changed at the source is changed at the
destination only if it is still there as we set it. A flag that the mailbox owner changed at the destination
belongs to the owner as soon as the change is noticed: it never follows the source again.

The remembered flags are those that we set, with prefixes that no flag can have: `*` for a flag that belongs
to the owner, `?` for one that we are about to change, so that after a crash our own change is not mistaken
for the owner's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import groupby
from typing import Final

from providers.frozen import frozen

_SYSTEM: Final = frozenset({"\\seen", "\\answered", "\\flagged", "\\draft"})
_IGNORED: Final = frozenset({"\\recent", "\\deleted"})
"""\\Recent belongs to sessions (RFC 3501 section 2.3.2); \\Deleted is set by us, or by an owner who wants the
message removed too."""

_OWNERS: Final = "*"
_PENDING: Final = "?"


# --- Remembered flags ---------------------------------------------------------------------------


def fold_flags(flags: Iterable[Collection[str]]) -> str:
    """Encode the flags of each message, in order, as text. Decoded by `unfold_flags`."""
    runs = groupby(map(tuple, flags))
    return "\n".join(" ".join((str(len(list(run))), *message_flags)) for message_flags, run in runs)


def unfold_flags(text: str) -> list[tuple[str, ...]]:
    """The flags of each message; empty for receipts written before flags were remembered."""
    flags: list[tuple[str, ...]] = []
    for run in text.splitlines():
        number, *message_flags = run.split(" ")
        flags += [tuple(message_flags)] * int(number)
    return flags


def has_flags(text: str) -> bool:
    """Whether any message of `text` (see `fold_flags`) has a flag that we set."""
    return " " in text and any(map(flags_put, unfold_flags(text)))


def system_flags(text: str) -> frozenset[str]:
    """The system flags that are copied among these words, or of any message of folded flags, in lower
    case."""
    return _SYSTEM.intersection(text.lower().split())


def flags_put(remembered: Collection[str]) -> dict[str, str]:
    """The flags that we set, by their names in lower case."""
    return _parse(remembered)[0]


def touched(sent: Collection[str], now: Collection[str]) -> bool:
    """Whether the owner changed the flags since the message was appended with `sent`. A missing keyword was
    not stored by the server; an additional one was set by the owner."""
    before, after = ({flag.lower() for flag in flags} - _IGNORED for flags in (sent, now))
    return before & _SYSTEM != after & _SYSTEM or bool(after - _SYSTEM - before)


def touched_ever(remembered: Collection[str], now: Collection[str]) -> bool:
    """`touched` of remembered flags, or synchronisation noticed a change by the owner, who may have changed
    the flags back since. A keyword that we set and that was missing then may not have been stored."""
    put, owners, _ = _parse(remembered)
    return touched(remembered, now) or bool(owners & _SYSTEM or owners - put.keys())


# --- Synchronisation ----------------------------------------------------------------------------


@frozen
class FlagChange:
    """The flags to add and to remove at the destination, and the flags to remember: `during` is stored before
    the change is made, `after` once it is made."""

    add: tuple[str, ...]
    remove: tuple[str, ...]
    during: tuple[str, ...]
    after: tuple[str, ...]


def differs(remembered: Collection[str], source: Collection[str]) -> bool:
    """Whether a message may need a flag change. Decided without reading the destination."""
    put, owners, pending = _parse(remembered)
    return bool(pending) or bool((put.keys() ^ copied_flags(source).keys()) - owners)


def reconcile(
    remembered: Collection[str], source: Collection[str], destination: Collection[str]
) -> FlagChange:
    """The change for one message. `source` holds the flags that the destination can store
    (`normalise.fit_flags`)."""
    put, owners, pending = _parse(remembered)
    wanted, existing = copied_flags(source), copied_flags(destination)
    _note_made(put, pending, existing)
    add: dict[str, str] = {}
    remove: dict[str, str] = {}
    for name in sorted((put.keys() ^ wanted.keys()) - owners):
        if (name in existing) != (name in put):
            owners.add(name)
        elif name in wanted:
            add[name] = wanted[name]
        else:
            remove[name] = put[name]
    not_synced = _not_synced(remembered)
    owner_marks = _owner_marks(owners)
    before = list(put.values())
    for name, spelled in (add | remove).items():
        _toggle(put, name, spelled)
    return FlagChange(
        tuple(add.values()),
        tuple(remove.values()),
        (*not_synced, *before, *owner_marks, *(_PENDING + spelled for spelled in (add | remove).values())),
        (*not_synced, *put.values(), *owner_marks),
    )


def after_refusal(during: Collection[str], destination: Collection[str]) -> tuple[str, ...]:
    """The flags to remember after a change that the server did not make, or in part: nothing is pending any
    more, so that a flag which the owner sets later is the owner's."""
    put, owners, pending = _parse(during)
    _note_made(put, pending, copied_flags(destination))
    return (*_not_synced(during), *put.values(), *_owner_marks(owners))


def _note_made(put: dict[str, str], pending: Mapping[str, str], existing: Mapping[str, str]) -> None:
    """Add the pending changes that were made, but not recorded, to the flags that we set."""
    for name, spelled in pending.items():
        if (name in existing) != (name in put):
            _toggle(put, name, spelled)


def _not_synced(remembered: Collection[str]) -> list[str]:
    return [flag for flag in remembered if flag[:1] not in (_OWNERS, _PENDING) and not _is_synced(flag)]


def _owner_marks(owners: Collection[str]) -> list[str]:
    return [_OWNERS + name for name in sorted(owners)]


def _parse(remembered: Collection[str]) -> tuple[dict[str, str], set[str], dict[str, str]]:
    """(flags that we set, flags of the owner, flags that we were about to change), keyed by lower-case
    name."""
    owners = {flag[1:].lower() for flag in remembered if flag.startswith(_OWNERS)}
    pending = {flag[1:].lower(): flag[1:] for flag in remembered if flag.startswith(_PENDING)}
    put = copied_flags([flag for flag in remembered if flag[:1] not in (_OWNERS, _PENDING)])
    return put, owners, pending


def copied_flags(flags: Collection[str]) -> dict[str, str]:
    """The flags that are copied, by their names in lower case."""
    return {flag.lower(): flag for flag in flags if _is_synced(flag)}


def _is_synced(flag: str) -> bool:
    """False for \\Deleted: a message that is being deleted at the source stays at the destination."""
    return not flag.startswith("\\") or flag.lower() in _SYSTEM


def _toggle(flags: dict[str, str], name: str, spelled: str) -> None:
    if flags.pop(name, None) is None:
        flags[name] = spelled
