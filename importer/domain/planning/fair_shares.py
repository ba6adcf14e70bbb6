"""Whose import a free worker thread runs next, and which leg ends early so that another owner gets a turn.

Max-min fairness between owners (persons, API clients, the console): a thread goes to the owner with the
fewest running legs, and of several such owners to the one whose last turn was longest ago. An owner who is
alone may use every thread; once others wait, an owner with at least two legs more gives up one at a time.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping


def next_owner(waiting: Collection[str], running: Mapping[str, int], last_turns: Mapping[str, int]) -> str:
    """The owner whose import runs next. `waiting` are the owners with a due import, at least one; `running`
    counts legs by owner; `last_turns` holds the number of each owner's latest turn, growing with time."""
    return min(waiting, key=lambda owner: (running.get(owner, 0), last_turns.get(owner, -1), owner))


def gives_up_a_leg(owner: str, waiting: Collection[str], running: Mapping[str, int]) -> bool:
    """Whether one of `owner`'s legs has to end for another owner: ending it must not leave `owner` with fewer
    legs than that owner has then."""
    mine = running.get(owner, 0)
    return any(running.get(other, 0) + 1 <= mine - 1 for other in waiting if other != owner)
