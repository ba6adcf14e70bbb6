"""The load of each mail host: running and waiting imports, and its budgets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from importer.domain.model import State
from importer.domain.planning.host_allowance import (
    Backoff,
    host_budget,
    host_of_budget,
    is_of_whole_host,
    without_connecting,
)
from providers.frozen import frozen

_ORDER: Final = {state: number for number, state in enumerate(State)}


@frozen
class HostLoad:
    """One host. `imports` is in the order of `State`; `pauses` are those of the host itself, not of single
    accounts there."""

    host: str
    imports: Mapping[State, int]
    connections: int
    most_connections: int
    pauses: tuple[Backoff, ...]
    is_own: bool


def host_loads(
    imports: Mapping[tuple[str, State], int],
    slots: Mapping[str, int],
    backoffs: Sequence[Backoff],
    bounds: Mapping[str, int],
    own: str,
) -> list[HostLoad]:
    """The hosts with imports that have not ended, connections or pauses; the busiest first. `bounds` are by
    host, `own` is the destination of the installation, "" if there is none."""
    by_host: dict[str, dict[State, int]] = {}
    for host, state in sorted(imports, key=lambda key: (key[0], _ORDER[key[1]])):
        number = imports[host, state]
        states = by_host.setdefault(host_budget(host), {})
        states[state] = states.get(state, 0) + number
    used = {name: number for name, number in slots.items() if is_of_whole_host(name)}
    paused: dict[str, list[Backoff]] = {}
    for backoff in backoffs:
        if is_of_whole_host(backoff.name):
            paused.setdefault(without_connecting(backoff.name), []).append(backoff)
    loads = [
        HostLoad(
            host_of_budget(name),
            by_host.get(name, {}),
            used.get(name, 0),
            bounds.get(host_of_budget(name), 0),
            tuple(paused.get(name, ())),
            name == host_budget(own) if own else False,
        )
        for name in {*by_host, *used, *paused}
    ]
    return sorted(loads, key=lambda load: (-load.connections, -sum(load.imports.values()), load.host))


@frozen
class BudgetsInUse:
    """The use of each budget by its name: connections, and bytes of the last 24 hours."""

    slots: Mapping[str, int]
    bytes_of_a_day: Mapping[str, int]
    pauses: tuple[Backoff, ...]
