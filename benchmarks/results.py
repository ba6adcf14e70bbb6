"""What a benchmark found, and how it is kept: one JSON file for each case."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Taken:
    """What one run took: wall clock and processor (user and system) in seconds, peak memory in bytes."""

    wall_s: float
    cpu_s: float
    peak_bytes: int


@dataclass(slots=True)
class Copied:
    """All runs of one copier. `first` filled an empty mailbox with `messages`, `second` found nothing new.

    `differences` holds, for each first run, how many the checker found; `check` how it looked (see
    `copiers.Check`). `failures` are sentences about runs that did not end well; those are in no figure.
    """

    messages: int
    check: str
    first: list[Taken] = field(default_factory=list)
    second: list[Taken] = field(default_factory=list)
    differences: list[int] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Case:
    """One benchmark: which work, into which store, over which line. `lanes` is connection pairs;
    `bandwidth_mbit` 0 is no limit."""

    work: str
    messages: int
    bytes: int
    folders: int
    store: str
    delay_ms: int
    lanes: int
    bandwidth_mbit: float = 0

    @property
    def title(self) -> str:
        line = f"{self.delay_ms} ms" + (f", {self.bandwidth_mbit:g} Mbit/s" if self.bandwidth_mbit else "")
        return f"{self.messages:,} messages ({self.work}), {self.store}, {line}"

    @property
    def file_name(self) -> str:
        line = f"{self.delay_ms}ms" + (f"-{self.bandwidth_mbit:g}mbit" if self.bandwidth_mbit else "")
        return f"{self.work}-{self.messages}-{self.store}-{line}.json"


@dataclass(frozen=True, slots=True)
class Result:
    """A case with what each copier made of it, by name and in the order of running, and the machine."""

    case: Case
    machine: dict[str, str]
    copiers: dict[str, Copied]

    def save(self, folder: Path) -> Path:
        """Writes the case's file, over an earlier one."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / self.case.file_name
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")
        return path


def load(path: Path) -> Result:
    """The inverse of `Result.save`."""
    kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    copiers = {
        name: Copied(
            **{**one, "first": _taken(one["first"]), "second": _taken(one["second"])},
        )
        for name, one in kept["copiers"].items()
    }
    return Result(Case(**kept["case"]), kept["machine"], copiers)


def _taken(runs: Sequence[dict[str, Any]]) -> list[Taken]:
    return [Taken(**run) for run in runs]


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, least and most of a figure."""

    median: float
    least: float
    most: float


def spread(figures: Sequence[float]) -> Spread | None:
    """None where there are no figures."""
    return Spread(median(figures), min(figures), max(figures)) if figures else None


def rate(copied: Copied) -> Spread | None:
    """Messages per second of the first copies."""
    return spread([copied.messages / run.wall_s for run in copied.first])


def shown_rate(per_second: float) -> str:
    """With three digits that say something, at least."""
    return f"{per_second:,.0f}" if per_second >= 100 else f"{per_second:.1f}"


def round_trips(near: Result, far: Result, name: str) -> float | None:
    """How many round trips the second run of a copier waited for: what the line's delay added to it."""
    before, after = (
        spread([run.wall_s for run in one.copiers[name].second]) if name in one.copiers else None
        for one in (near, far)
    )
    apart_s = (far.case.delay_ms - near.case.delay_ms) / 1000
    return (after.median - before.median) / apart_s if before and after and apart_s > 0 else None
