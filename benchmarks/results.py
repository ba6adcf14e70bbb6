"""Results of a benchmark and their storage, one JSON file per case."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Taken:
    """Measurements of a run: wall-clock and CPU time (user and system) in seconds, peak memory in bytes."""

    wall_s: float
    cpu_s: float
    peak_bytes: int


@dataclass(slots=True)
class Copied:
    """All runs of one copier. `first` filled an empty mailbox with `messages`, `second` found nothing new.

    `differences` holds the number of differences that the checker found in each first run; `check` is the
    kind of check (`copiers.Check`). `failures` describes failed runs, which are in no other figure.
    """

    messages: int
    check: str
    first: list[Taken] = field(default_factory=list)
    second: list[Taken] = field(default_factory=list)
    differences: list[int] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Case:
    """One benchmark: a work, a store and a line. `lanes` is the number of connection pairs; `bandwidth_mbit`
    0 is no limit."""

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
    """A case with the results of each copier, by name and in the order of running, and the machine."""

    case: Case
    machine: dict[str, str]
    copiers: dict[str, Copied]

    def save(self, folder: Path) -> Path:
        """Writes the case's file, replacing an earlier one."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / self.case.file_name
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")
        return path


def load(path: Path) -> Result:
    """The inverse of `Result.save`."""
    stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    copiers = {
        name: Copied(
            **{**runs, "first": _taken(runs["first"]), "second": _taken(runs["second"])},
        )
        for name, runs in stored["copiers"].items()
    }
    return Result(Case(**stored["case"]), stored["machine"], copiers)


def _taken(runs: Sequence[dict[str, Any]]) -> list[Taken]:
    return [Taken(**run) for run in runs]


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, minimum and maximum of a figure."""

    median: float
    least: float
    most: float


def spread(figures: Sequence[float]) -> Spread | None:
    """The spread of `figures`; None if there are none."""
    return Spread(median(figures), min(figures), max(figures)) if figures else None


def rate(copied: Copied) -> Spread | None:
    """Messages per second of the first copies."""
    return spread([copied.messages / run.wall_s for run in copied.first])


def shown_rate(per_second: float) -> str:
    """A rate with at least three significant digits, or one decimal."""
    return f"{per_second:,.0f}" if per_second >= 100 else f"{per_second:.1f}"


def round_trips(near: Result, far: Result, name: str) -> float | None:
    """The number of round trips that the second run of a copier waited for, computed from the time that the
    delay added."""
    before, after = (
        spread([run.wall_s for run in result.copiers[name].second]) if name in result.copiers else None
        for result in (near, far)
    )
    added_delay_s = (far.case.delay_ms - near.case.delay_ms) / 1000
    return (after.median - before.median) / added_delay_s if before and after and added_delay_s > 0 else None
