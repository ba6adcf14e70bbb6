"""The choice of the next import for a free worker thread, and of the leg that ends early for others.

Max-min fairness between owners (persons, API clients, the console): a thread goes to the owner with the
fewest running legs; of several such owners, or of one with imports from several old hosts, to the host with
the fewest; then to the owner whose last turn was longest ago. An owner who is alone may use every thread;
once others wait, an owner with at least two legs more gives up one at a time. So does a host that holds more
than half of all legs, if one without any waits.

A person who moves a mailbox or two does not wait behind those who move hundreds: the first leg of each
import of an owner with few imports comes first, and an owner with many gives up a leg for it.

Within a share, imports that never had a leg come first, and then those with the fewest messages left: most
mailboxes are done early, though there are large ones. One turn in SMALL_FIRST is the import's that has waited
longest, so that large ones get on while small ones keep coming.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple
from zlib import crc32

from importer.domain.model import ImportId

FEW_IMPORTS: Final = 3
"""An owner with at most so many imports under way has few."""

SMALL_FIRST: Final = 4
"""Of so many turns of an owner one goes to the import that has waited longest."""


class Share(NamedTuple):
    """The imports of one owner ("" for the console) from one old host."""

    owner: str
    host: str


@dataclass(frozen=True)
class LegQueue:
    """The legs that run and those that could, by share.

    `running` are the imports whose lease is held, with their shares. `due` counts the due imports of each
    share that has any. `new` are the shares with a due import that never had a leg.
    """

    running: Mapping[ImportId, Share]
    due: Mapping[Share, int]
    new: frozenset[Share]

    def of_few(self, owners: Iterable[str], legs: Mapping[str, int]) -> frozenset[str]:
        """The owners with few imports due and at work; `legs` counts the latter by owner."""
        return frozenset(
            owner for owner in owners if self._due_by_owner[owner] + legs.get(owner, 0) <= FEW_IMPORTS
        )

    def urgent(self, legs: Mapping[str, int]) -> frozenset[str]:
        """The owners of few imports, one of which never had a leg."""
        return self.of_few(self._new_owners, legs)

    @cached_property
    def _due_by_owner(self) -> Counter[str]:
        numbers: Counter[str] = Counter()
        for share, number in self.due.items():
            numbers[share.owner] += number
        return numbers

    @cached_property
    def _new_owners(self) -> frozenset[str]:
        return frozenset(share.owner for share in self.new)


def may_run(owner: str, running: int, most: int | None) -> bool:
    """Whether another import of an owner of whom so many run may begin a leg. The console has no limit."""
    return not owner or most is None or running < most


def next_share(
    waiting: Collection[Share],
    running: Collection[Share],
    last_turns: Mapping[Share, int],
    urgent: Collection[str] = (),
) -> Share:
    """The share whose import runs next. `waiting` are those with a due import, at least one; `running` has an
    entry for each leg; `last_turns` holds the number of each share's latest turn, growing with time; `urgent`
    are the owners with few imports, one of which never had a leg."""
    of_owner = Counter(share.owner for share in running)
    of_host = Counter(share.host for share in running)
    owners_turns: dict[str, int] = {}
    for share, turn in last_turns.items():
        owners_turns[share.owner] = max(turn, owners_turns.get(share.owner, -1))
    return min(
        waiting,
        key=lambda share: (
            share.owner not in urgent,
            of_owner[share.owner],
            of_host[share.host],
            owners_turns.get(share.owner, -1),
            last_turns.get(share, -1),
            share,
        ),
    )


def is_for_the_longest_waiting(owner: str, turn: int) -> bool:
    """Whether an owner's turn goes to the import that has waited longest, and not to the smallest one; `turn`
    numbers the turns of all owners."""
    return crc32(f"{owner} {turn}".encode()) % SMALL_FIRST == 0


def gives_up_a_leg(owner: str, waiting: Collection[str], running: Mapping[str, int]) -> bool:
    """Whether one of `owner`'s legs has to end for another owner: ending it must not leave `owner` with fewer
    legs than that owner has then."""
    mine = running.get(owner, 0)
    return any(running.get(other, 0) + 1 <= mine - 1 for other in waiting if other != owner)


def crowding_host(waiting: Collection[str], running: Mapping[str, int]) -> str | None:
    """The host that has to end a leg for one of the `waiting` hosts: it holds more than half of the legs, and
    at least two, while one that waits has none. `running` counts legs by host."""
    if all(running.get(host, 0) for host in waiting):
        return None
    host = max(running, key=lambda each: (running[each], each), default="")
    legs = running.get(host, 0)
    return host if legs > 1 and 2 * legs > sum(running.values()) else None


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
