"""Results of batches: storage, table, and conversion for the plot."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.results import Case, Copied, Result, Taken, shown_rate, spread
from benchmarks.table import markdown

KEPT: Final = Path(__file__).parents[1] / "results" / "batches"
OURS: Final = "up"
SPLIT: Final = ("ours", "source", "destination", "database", "line")


@dataclass(frozen=True, slots=True)
class Run:
    """One batch: `wall_s`, CPU time by owner (`SPLIT`; for a peer, "ours" is the peer's), the copier's
    largest process, and the idle fraction of the machine's CPU time."""

    wall_s: float
    cpu_s: Mapping[str, float]
    peak_bytes: int
    idle: float


@dataclass(slots=True)
class Copier:
    """All runs of one copier; `differences` are per run, over all mailboxes. `failures` are in no other
    figure."""

    runs: list[Run] = field(default_factory=list)
    differences: list[int] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


@dataclass(slots=True)
class BatchResult:
    """A batch on one line. `counts` are those of one worker in a separate run: database connections,
    transactions that wrote, transactions that only read, statements; connections and turns of each side."""

    work: str
    mailboxes: int
    messages: int
    folders: int
    bytes: int
    delay_ms: int
    machine: dict[str, str]
    copiers: dict[str, Copier] = field(default_factory=dict)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return f"{self.mailboxes} mailboxes, {self.messages:,} messages ({self.work}), {self.delay_ms} ms"

    @property
    def is_whole(self) -> bool:
        return self.mailboxes >= 25

    def save(self, folder: Path) -> Path:
        """Writes the file of the batch, replacing an earlier one."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.work}-{self.mailboxes}-{self.messages}-{self.delay_ms}ms.json"
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")
        return path

    def rate(self, name: str) -> float | None:
        """The median of messages per second."""
        speed = spread([self.messages / run.wall_s for run in self.copiers[name].runs])
        return speed.median if speed else None

    def as_result(self) -> Result:
        """This result in the form of `benchmarks.plot`."""
        case = Case(
            f"{self.mailboxes} mailboxes, {self.work}",
            self.messages,
            self.bytes,
            self.folders,
            "maildir",
            self.delay_ms,
            0,
        )
        copied = {
            name: Copied(
                self.messages,
                "",
                [Taken(run.wall_s, run.cpu_s.get("ours", 0.0), run.peak_bytes) for run in copier.runs],
                differences=copier.differences,
            )
            for name, copier in self.copiers.items()
        }
        return Result(case, self.machine, copied)


def load(path: Path) -> BatchResult:
    """The inverse of `BatchResult.save`."""
    stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    copiers = {
        name: Copier([Run(**run) for run in copier["runs"]], copier["differences"], copier["failures"])
        for name, copier in stored.pop("copiers").items()
    }
    return BatchResult(**stored, copiers=copiers)


def kept(folder: Path = KEPT) -> list[BatchResult]:
    """The results in `folder` of at least 25 mailboxes."""
    found = [load(path) for path in sorted(folder.glob("*.json"))]
    return sorted((r for r in found if r.is_whole), key=lambda r: (r.work, r.delay_ms, r.mailboxes))


def table(result: BatchResult) -> str:
    """A Markdown table with a row per copier; figures are medians."""
    own = result.rate(OURS) if OURS in result.copiers else None
    heads = (
        "copier",
        "messages/s",
        "up is",
        *(f"CPU {part}, s" for part in SPLIT),
        "idle",
        "peak, MB",
        "copy",
    )
    return markdown(heads, [_row(result, name, own) for name in result.copiers])


def _row(result: BatchResult, name: str, own: float | None) -> tuple[str, ...]:
    copier, speed = result.copiers[name], result.rate(name)
    wrong = max(copier.differences, default=0)
    failed = f"{len(copier.failures)} runs FAILED" if copier.failures else ""
    return (
        name,
        shown_rate(speed) if speed else "–",
        f"{own / speed:.2f} ×" if own and speed and name != OURS else "",
        *(_median([run.cpu_s.get(part, 0.0) for run in copier.runs], "{:.1f}") for part in SPLIT),
        _median([100 * run.idle for run in copier.runs], "{:.0f} %"),
        _median([run.peak_bytes / 1e6 for run in copier.runs], "{:.0f}"),
        failed or (f"{wrong:,} differences" if wrong else "right"),
    )


def _median(figures: Sequence[float], form: str) -> str:
    figure = spread(figures)
    return form.format(figure.median) if figure else "–"


def verdict(result: BatchResult) -> str:
    """The table's result for `up` in words: the copiers that are faster, and the limit that the CPU time of
    everything else sets on that machine, independent of its own CPU time. Empty without a run of `up`."""
    own = result.rate(OURS) if OURS in result.copiers else None
    if own is None:
        return ""
    rates = {name: rate for name in result.copiers if name != OURS and (rate := result.rate(name))}
    faster = [f"`{name}` ({own / rate:.2f} ×)" for name, rate in rates.items() if rate > own]
    sentences = [f"`up` is slower than {', '.join(faster)}."] if faster else []
    cores = re.search(r"([0-9]+) cores", result.machine.get("processor", ""))
    servers = spread([sum(run.cpu_s.values()) - run.cpu_s["ours"] for run in result.copiers[OURS].runs])
    if cores and servers and servers.median:
        most = result.messages / (servers.median / int(cores[1]))
        ratios = [f"{most / rate:.2f} × `{name}`" for name, rate in rates.items()]
        sentences.append(
            f"All but itself took {servers.median:.1f} s of processor time for its copy:"
            f" on {cores[1]} processors it cannot exceed {', '.join([f'{shown_rate(most)}/s', *ratios])}."
        )
    return " ".join(sentences)


def counts_table(results: Sequence[BatchResult]) -> str:
    """A Markdown table of one worker's operations per import, folder and message."""
    rows = []
    for result in results:
        for what, counts in result.counts.items():
            for name, number in counts.items():
                per = [f"{number / part:.3g}" for part in (result.mailboxes, result.folders, result.messages)]
                rows.append((f"{result.title}, {what}", name, f"{number:,}", *per))
    return markdown(("batch", "what", "number", "an import", "a folder", "a message"), rows)
