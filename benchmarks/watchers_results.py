"""Results of the watchers benchmark: storage and table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.table import markdown

KEPT: Final = Path(__file__).parent / "results" / "watchers"


@dataclass(frozen=True, slots=True)
class Run:
    """One copy: its duration, the web process's CPU time during it, and the total number of events sent to
    watchers."""

    seconds: float
    web_cpu_s: float
    events: int

    @property
    def summary(self) -> str:
        share = 100 * self.web_cpu_s / self.seconds
        return f"{self.seconds:.2f} s, web {share:.1f} % of a core, {self.events:,} events"


@dataclass(frozen=True, slots=True)
class Watched:
    """The same copy with and without watchers, alternating."""

    watchers: int
    messages: int
    machine: dict[str, str]
    alone: tuple[Run, ...]
    watched: tuple[Run, ...]

    @property
    def slower(self) -> float:
        """The relative slowdown of the copy with watchers, by medians; negative if it was faster."""
        return _seconds(self.watched) / _seconds(self.alone) - 1

    def save(self, folder: Path) -> None:
        """Writes the result, replacing an earlier one with the same number of watchers."""
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(asdict(self), indent=1) + "\n"
        (folder / f"{self.watchers}.json").write_text(text, encoding="utf-8")


def load(path: Path) -> Watched:
    """The inverse of `Watched.save`."""
    stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    alone, watched = (tuple(Run(**run) for run in stored[name]) for name in ("alone", "watched"))
    return Watched(stored["watchers"], stored["messages"], stored["machine"], alone, watched)


def kept(folder: Path = KEPT) -> list[Watched]:
    """All results in `folder`, ordered by the number of watchers."""
    return sorted(map(load, folder.glob("*.json")), key=lambda result: result.watchers)


def table(results: Sequence[Watched]) -> str:
    """A Markdown table with two rows per result."""
    heads = ("watchers", "messages", "seconds", "min – max", "slower by", "web, % of a core", "events")
    rows = []
    for result in results:
        slower = f"{100 * result.slower:.1f} %"
        rows.append(_row("none", result.messages, result.alone, ""))
        rows.append(_row(f"{result.watchers:,}", result.messages, result.watched, slower))
    return markdown(heads, rows)


def _row(watchers: str, messages: int, runs: Sequence[Run], slower: str) -> tuple[str, ...]:
    all_s = [run.seconds for run in runs]
    web = median(100 * run.web_cpu_s / run.seconds for run in runs)
    events = median(run.events for run in runs)
    return (
        watchers,
        f"{messages:,}",
        f"{_seconds(runs):.2f}",
        f"{min(all_s):.2f} – {max(all_s):.2f}",
        slower,
        f"{web:.1f}",
        f"{events:,.0f}",
    )


def _seconds(runs: Sequence[Run]) -> float:
    return median(run.seconds for run in runs)
