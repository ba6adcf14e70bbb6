"""What the benchmark of memory found, how it is kept, and its table."""

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
    """A mailbox to copy: every `gap`th UID is missing if `gap`; `present` when all of it stands at the
    destination before, without a receipt."""

    messages: int
    folders: int
    gap: int = 0
    present: bool = False

    @property
    def title(self) -> str:
        folders = f"{self.folders} folder{'s' if self.folders > 1 else ''}"
        gaps = f", every {self.gap}th UID missing" if self.gap else ""
        return f"{self.messages:,} in {folders}{gaps}{', all there already' if self.present else ''}"

    @property
    def file_name(self) -> str:
        return f"{self.messages}-{self.folders}-{self.gap}{'-present' if self.present else ''}.json"


@dataclass(frozen=True, slots=True)
class Copied:
    """`first` filled the mailbox, `second` found nothing new; `empty` copied as many folders without
    messages: what starting costs. `wrong`: messages missing, changed, or there twice."""

    work: Work
    machine: dict[str, str]
    empty: Taken
    first: Taken
    second: Taken
    wrong: int

    def save(self, folder: Path) -> None:
        """Over an earlier one of the same work."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / self.work.file_name).write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


def load(path: Path) -> Copied:
    """The inverse of `Copied.save`."""
    kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    runs = {name: Taken(**kept[name]) for name in ("empty", "first", "second")}
    return Copied(Work(**kept["work"]), kept["machine"], **runs, wrong=kept["wrong"])


def kept(folder: Path = KEPT) -> list[Copied]:
    """All results in `folder`, the small ones first."""
    found = [load(path) for path in folder.glob("*.json")]
    return sorted(
        found, key=lambda one: (one.work.present, one.work.gap, one.work.messages, -one.work.folders)
    )


def table(results: Sequence[Copied]) -> str:
    """A row for each work."""
    heads = (
        "messages",
        "peak memory, MB",
        "CPU, µs/message",
        "seconds",
        "second run: MB",
        "its CPU, s",
        "its seconds",
        "the copy",
    )
    return markdown(heads, [row(one) for one in results])


def row(one: Copied) -> tuple[str, ...]:
    """Its cells."""
    cpu_s = one.first.cpu_s - one.empty.cpu_s
    return (
        one.work.title,
        f"{one.first.peak_bytes / 1e6:.0f}",
        f"{cpu_s * 1e6 / one.work.messages:.0f}" if one.work.messages else "",
        f"{one.first.wall_s:.1f}",
        f"{one.second.peak_bytes / 1e6:.0f}",
        f"{one.second.cpu_s:.2f}",
        f"{one.second.wall_s:.1f}",
        f"{one.wrong:,} WRONG" if one.wrong else "byte-exact, each once",
    )
