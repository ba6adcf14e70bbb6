"""Whose import a free worker thread runs next, and which leg ends early so that another owner gets a turn.

Max-min fairness between owners (persons, API clients, the console): a thread goes to the owner with the
fewest running legs, and of several such owners to the one whose last turn was longest ago. An owner who is
alone may use every thread; once others wait, an owner with at least two legs more gives up one at a time.

A person who moves a mailbox or two does not wait behind those who move hundreds: the first leg of each
import of an owner with few imports comes first, and an owner with many gives up a leg for it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final
from zlib import crc32

FEW_IMPORTS: Final = 3
"""An owner with at most so many imports under way has few."""


def has_few(due: int, running: int) -> bool:
    """Whether an owner with so many imports due and running has few."""
    return due + running <= FEW_IMPORTS


def may_run(owner: str, running: int, most: int | None) -> bool:
    """Whether another import of an owner of whom so many run may begin a leg. The console has no limit."""
    return not owner or most is None or running < most


def next_owner(
    waiting: Collection[str],
    running: Mapping[str, int],
    last_turns: Mapping[str, int],
    urgent: Collection[str] = (),
) -> str:
    """The owner whose import runs next. `waiting` are the owners with a due import, at least one; `running`
    counts legs by owner; `last_turns` holds the number of each owner's latest turn, growing with time;
    `urgent` are those with few imports, one of which never had a leg."""
    return min(
        waiting,
        key=lambda owner: (
            owner not in urgent,
            running.get(owner, 0),
            last_turns.get(owner, -1),
            owner,
        ),
    )


def gives_up_a_leg(owner: str, waiting: Collection[str], running: Mapping[str, int]) -> bool:
    """Whether one of `owner`'s legs has to end for another owner: ending it must not leave `owner` with fewer
    legs than that owner has then."""
    mine = running.get(owner, 0)
    return any(running.get(other, 0) + 1 <= mine - 1 for other in waiting if other != owner)


def gives_up_for_urgent(
    running: Mapping[str, int], few: Collection[str], urgent: Collection[str], round_: int
) -> frozenset[str]:
    """The owners who give up a leg each for the `urgent` ones who wait: as many, of those with the most legs;
    of several, those that the number of the round names, so that it is not always the same. Owners of `few`
    imports give up none."""
    order = sorted(
        (owner for owner, legs in running.items() if legs and owner not in few),
        key=lambda owner: (-running[owner], crc32(f"{owner} {round_}".encode())),
    )
    return frozenset(order[: len(urgent)])
