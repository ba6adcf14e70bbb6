"""Results of the memory benchmark: storage and table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.results import Taken
from benchmarks.table import markdown

KEPT: Final = Path(__file__).parent / "results" / "memory"


@dataclass(frozen=True, slots=True)
class Work:
    """A mailbox to copy. Every `gap`th UID is missing unless 0. With `present`, the destination already
    contains all messages, without receipts."""

    messages: int
    folders: int
    gap: int = 0
    present: bool = False

    @property
    def title(self) -> str:
        folders = f"{self.folders} folder{'s' if self.folders > 1 else ''}"
        gaps = f", every {self.gap}th UID missing" if self.gap else ""
        return f"{self.messages:,} in {folders}{gaps}{', all already present' if self.present else ''}"

    @property
    def file_name(self) -> str:
        return f"{self.messages}-{self.folders}-{self.gap}{'-present' if self.present else ''}.json"


@dataclass(frozen=True, slots=True)
class Copied:
    """`first` filled the mailbox, `second` found nothing new, `empty` copied as many folders without messages
    (the cost of starting). `wrong` counts missing, changed and duplicate messages."""

    work: Work
    machine: dict[str, str]
    empty: Taken
    first: Taken
    second: Taken
    wrong: int

    def save(self, folder: Path) -> None:
        """Writes the result, replacing an earlier one of the same work."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / self.work.file_name).write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


def load(path: Path) -> Copied:
    """The inverse of `Copied.save`."""
    stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    runs = {name: Taken(**stored[name]) for name in ("empty", "first", "second")}
    return Copied(Work(**stored["work"]), stored["machine"], **runs, wrong=stored["wrong"])


def kept(folder: Path = KEPT) -> list[Copied]:
    """All results in `folder`, ordered by size."""
    results = [load(path) for path in folder.glob("*.json")]
    return sorted(results, key=lambda r: (r.work.present, r.work.gap, r.work.messages, -r.work.folders))


def table(results: Sequence[Copied]) -> str:
    """A Markdown table with a row per work."""
    heads = (
        "messages",
        "peak memory, MB",
        "CPU, µs/message",
        "seconds",
        "second run: MB",
        "its CPU, s",
        "its seconds",
        "copy",
    )
    return markdown(heads, [row(result) for result in results])


def row(result: Copied) -> tuple[str, ...]:
    """The cells of its row."""
    cpu_s = result.first.cpu_s - result.empty.cpu_s
    return (
        result.work.title,
        f"{result.first.peak_bytes / 1e6:.0f}",
        f"{cpu_s * 1e6 / result.work.messages:.0f}" if result.work.messages else "",
        f"{result.first.wall_s:.1f}",
        f"{result.second.peak_bytes / 1e6:.0f}",
        f"{result.second.cpu_s:.2f}",
        f"{result.second.wall_s:.1f}",
        f"{result.wrong:,} WRONG" if result.wrong else "byte-exact, each once",
    )
