"""The plan of a drill: the mail of each mailbox, and timed actions. The same seed gives the same plan."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from tests.rehearsal.fill import INBOX, FolderPath

FOLDERS: Final[tuple[FolderPath, ...]] = (INBOX, ("Work",), ("Work", "Zürich"), ("Lists",), ("Familie",))
SHARED_FROM: Final = 1_000_000
"""Numbers from here on are messages that several sources of one destination have in the same folder."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """The size of a drill; the default is a long one."""

    destinations: int = 4
    sources_each: int = 3  # at most
    messages: tuple[int, int] = (120, 320)  # of a source, at first
    shared: int = 60
    every_s: float = 1.6  # the mean time between two actions


SMALL: Final = Sizes(destinations=2, sources_each=2, messages=(60, 90), shared=15, every_s=0.9)


@dataclass(frozen=True, slots=True)
class Action:
    """An action `at_s` seconds after the start.

    `pick` (0 to below 1) selects among the objects that exist then; `amount` is in seconds, bytes or
    messages, depending on `kind`.
    """

    at_s: float
    kind: str
    pick: float = 0.0
    amount: float = 0.0
    also: float = 0.0

    def __str__(self) -> str:
        return f"{self.at_s:6.1f} s {self.kind} ({self.pick:.3f}, {self.amount:g}, {self.also:.3f})"


@dataclass(frozen=True, slots=True)
class Route:
    """One source into one destination, by number."""

    source: int
    destination: int


@dataclass(frozen=True, slots=True)
class Plan:
    """`mail` holds the numbers of the messages in each folder of each source, `prior` those in the
    destinations."""

    seed: int
    seconds: float
    routes: tuple[Route, ...]
    mail: dict[int, dict[FolderPath, tuple[int, ...]]] = field(default_factory=dict)
    prior: dict[int, dict[FolderPath, tuple[int, ...]]] = field(default_factory=dict)
    actions: tuple[Action, ...] = ()


# kind -> (weight, smallest amount, largest amount)
_KINDS: Final[dict[str, tuple[float, float, float]]] = {
    # the lines
    "cut": (6, 0, 0),
    "cut after bytes": (10, 1, 200_000),
    "mute": (2, 2, 9),
    "drip": (4, 3, 10),
    "freeze the line": (3, 2, 9),
    "refuse": (2, 1, 5),
    # the processes
    "kill a worker": (5, 0, 0),
    "stop a worker": (5, 1, 14),
    "flush the queue": (2, 0, 0),
    "pause the queue": (2, 1, 6),
    "kill the queue": (1, 0, 0),
    "restart the database": (2, 0, 0),
    "cut off the database": (2, 2, 12),
    "restart a server": (2, 0, 0),
    "freeze a server": (2, 1, 9),
    "disturb mail": (3, 0, 0),
    # the owners
    "fill": (2, 5, 20),
    "deliver": (8, 1, 25),
    "deliver shared": (4, 1, 15),
    "expunge at the source": (5, 1, 20),
    "delete": (6, 1, 25),
    "delete a folder": (3, 0, 0),
    "rename a folder": (3, 0, 0),
    "change a UIDVALIDITY": (3, 0, 0),
    # the imports
    "submit": (8, 0, 0),
    "submit again": (3, 0, 0),
    "pause": (3, 1, 6),
    "cancel": (2, 0, 0),
    "retry": (4, 0, 0),
}


def make_plan(seed: int, seconds: float, sizes: Sizes = Sizes()) -> Plan:
    """The plan of that seed."""
    chance = random.Random(f"drill {seed}")
    routes, mail, prior = [], {}, {}
    source = 0
    numbers = iter(range(1, SHARED_FROM))
    for destination in range(sizes.destinations):
        shared = {path: [] for path in FOLDERS}  # type: dict[FolderPath, list[int]]
        for number in range(sizes.shared):
            shared[chance.choice(FOLDERS)].append(SHARED_FROM + destination * 100_000 + number)
        siblings = sizes.sources_each if destination == 0 else chance.randint(1, sizes.sources_each)
        for _ in range(siblings):
            routes.append(Route(source, destination))
            mail[source] = _filled(chance, numbers, chance.randint(*sizes.messages), shared)
            source += 1
        theirs = mail[source - 1]
        prior[destination] = {
            path: (
                *(next(numbers) for _ in range(5)),
                *chance.sample(theirs[path], min(4, len(theirs[path]))),
            )
            for path in FOLDERS[:2]
        }
    return Plan(seed, seconds, tuple(routes), mail, prior, tuple(_actions(chance, seconds, sizes.every_s)))


def _filled(
    chance: random.Random, numbers: Iterator[int], messages: int, shared: dict[FolderPath, list[int]]
) -> dict[FolderPath, tuple[int, ...]]:
    folders: dict[FolderPath, list[int]] = {
        path: chance.sample(some, len(some) * 4 // 5) for path, some in shared.items()
    }
    for _ in range(messages):
        folders[chance.choices(FOLDERS, (5, 2, 2, 3, 1))[0]].append(next(numbers))
    for some in folders.values():
        chance.shuffle(some)
    return {path: (*some, *some[:1]) for path, some in folders.items()}  # one message is there twice


def _actions(chance: random.Random, seconds: float, every_s: float) -> Iterator[Action]:
    yield Action(0.0, "submit", pick=1.0)
    names = list(_KINDS)
    weights = [_KINDS[name][0] for name in names]
    at_s = 0.0
    while (at_s := at_s + chance.expovariate(1 / every_s)) < seconds:
        [kind] = chance.choices(names, weights)
        _, low, high = _KINDS[kind]
        yield Action(
            round(at_s, 2), kind, chance.random(), round(chance.uniform(low, high), 1), chance.random()
        )
