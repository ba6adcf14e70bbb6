"""Results as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from benchmarks.results import Copied, Result, Spread, rate, round_trips, shown_rate, spread

OURS = "mailhaul"
_HEADS = (
    "copier",
    "messages/s",
    "least – most",
    "mailhaul is",
    "CPU, µs/message",
    "peak memory, MB",
    "second run, s",
    "its CPU, s",
    "round trips",
    "the copy",
)


def case_table(result: Result, near: Result | None = None) -> str:
    """One case, a row for each copier; medians. `near` is the same case without delay, for round trips."""
    rows = [_row(result, near, name, copied) for name, copied in result.copiers.items()]
    return markdown(_HEADS, rows)


def _row(result: Result, near: Result | None, name: str, copied: Copied) -> tuple[str, ...]:
    ours = rate(result.copiers[OURS]) if OURS in result.copiers else None
    theirs = rate(copied)
    cpu = spread([run.cpu_s * 1e6 / copied.messages for run in copied.first])
    peak = spread([run.peak_bytes / 1e6 for run in copied.first])
    again = spread([run.wall_s for run in copied.second])
    again_cpu = spread([run.cpu_s for run in copied.second])
    trips = round_trips(near, result, name) if near else None
    fewer = f" ({copied.messages:,} messages)" if copied.messages != result.case.messages else ""
    return (
        name + fewer,
        shown_rate(theirs.median) if theirs else "–",
        f"{shown_rate(theirs.least)} – {shown_rate(theirs.most)}" if theirs else "–",
        f"{ours.median / theirs.median:.2f} ×" if ours and theirs and name != OURS else "",
        _shown(cpu, ",.0f"),
        _shown(peak, ",.0f"),
        _shown(again, ".2f"),
        _shown(again_cpu, ".2f"),
        f"{trips:.0f}" if trips is not None else "",
        _verdict(copied),
    )


def _shown(figure: Spread | None, form: str) -> str:
    return format(figure.median, form) if figure else "–"


def _verdict(copied: Copied) -> str:
    failed = f"{len(copied.failures)} runs FAILED" if copied.failures else ""
    wrong = max(copied.differences, default=0)
    found = f"{wrong:,} differences ({copied.check})" if wrong else copied.check
    return failed or found


def facts_table(machines: Iterable[Mapping[str, str]]) -> str:
    """The machines, each fact once; several values where the results are from different days or machines."""
    found: dict[str, list[str]] = {}
    for machine in machines:
        for name, value in machine.items():
            if value not in found.setdefault(name, []):
                found[name].append(value)
    return markdown(("fact", "value"), [(name, ", ".join(values)) for name, values in found.items()])


def markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table with aligned columns, so that it reads well as plain text too."""
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        return f"| {' | '.join(padded)} |"

    rule = f"|{'|'.join('-' * (width + 2) for width in widths)}|"
    return "\n".join((line(heads), rule, *map(line, rows))) + "\n"
