"""What the benchmark of watchers found, how it is kept, and its table."""

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
    """One copy: how long it took, what the web process took of a core meanwhile, and how many events it
    sent to watchers in all."""

    seconds: float
    web_cpu_s: float
    events: int

    @property
    def told(self) -> str:
        share = 100 * self.web_cpu_s / self.seconds
        return f"{self.seconds:.2f} s, web {share:.1f} % of a core, {self.events:,} events"


@dataclass(frozen=True, slots=True)
class Watched:
    """The same copy with and without watchers, in turn."""

    watchers: int
    messages: int
    machine: dict[str, str]
    alone: tuple[Run, ...]
    watched: tuple[Run, ...]

    @property
    def slower(self) -> float:
        """By which part the copy took longer with watchers, by medians; negative when it was faster."""
        return _seconds(self.watched) / _seconds(self.alone) - 1

    def save(self, folder: Path) -> None:
        """Over an earlier one with as many watchers."""
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(asdict(self), indent=1) + "\n"
        (folder / f"{self.watchers}.json").write_text(text, encoding="utf-8")


def load(path: Path) -> Watched:
    """The inverse of `Watched.save`."""
    kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    alone, watched = (tuple(Run(**run) for run in kept[name]) for name in ("alone", "watched"))
    return Watched(kept["watchers"], kept["messages"], kept["machine"], alone, watched)


def kept(folder: Path = KEPT) -> list[Watched]:
    """All results in `folder`, by the number of watchers."""
    return sorted(map(load, folder.glob("*.json")), key=lambda one: one.watchers)


def table(results: Sequence[Watched]) -> str:
    """Two rows for each result."""
    heads = ("watchers", "messages", "seconds", "least – most", "slower by", "web, % of a core", "events")
    rows = []
    for one in results:
        slower = f"{100 * one.slower:.1f} %"
        rows.append(_row("none", one.messages, one.alone, ""))
        rows.append(_row(f"{one.watchers:,}", one.messages, one.watched, slower))
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
