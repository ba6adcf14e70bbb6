"""Results as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from benchmarks.results import Copied, Result, Spread, rate, round_trips, shown_rate, spread

OURS = "mailhaul"
_HEADS = (
    "copier",
    "messages/s",
    "min – max",
    "mailhaul is",
    "CPU, µs/message",
    "peak memory, MB",
    "second run, s",
    "its CPU, s",
    "round trips",
    "copy",
)


def case_table(result: Result, near: Result | None = None) -> str:
    """A table of one case with a row per copier; figures are medians. `near` is the same case without delay,
    for the number of round trips."""
    rows = [_row(result, near, name, copied) for name, copied in result.copiers.items()]
    return markdown(_HEADS, rows)


def _row(result: Result, near: Result | None, name: str, copied: Copied) -> tuple[str, ...]:
    own = rate(result.copiers[OURS]) if OURS in result.copiers else None
    speed = rate(copied)
    cpu = spread([run.cpu_s * 1e6 / copied.messages for run in copied.first])
    peak = spread([run.peak_bytes / 1e6 for run in copied.first])
    again = spread([run.wall_s for run in copied.second])
    again_cpu = spread([run.cpu_s for run in copied.second])
    waits = round_trips(near, result, name) if near else None
    fewer = f" ({copied.messages:,} messages)" if copied.messages != result.case.messages else ""
    return (
        name + fewer,
        shown_rate(speed.median) if speed else "–",
        f"{shown_rate(speed.least)} – {shown_rate(speed.most)}" if speed else "–",
        f"{own.median / speed.median:.2f} ×" if own and speed and name != OURS else "",
        _shown(cpu, ",.0f"),
        _shown(peak, ",.0f"),
        _shown(again, ".2f"),
        _shown(again_cpu, ".2f"),
        f"{waits:.0f}" if waits is not None else "",
        _verdict(copied),
    )


def _shown(figure: Spread | None, form: str) -> str:
    return format(figure.median, form) if figure else "–"


def _verdict(copied: Copied) -> str:
    failed = f"{len(copied.failures)} runs FAILED" if copied.failures else ""
    wrong = max(copied.differences, default=0)
    verdict = f"{wrong:,} differences ({copied.check})" if wrong else copied.check
    return failed or verdict


def facts_table(machines: Iterable[Mapping[str, str]]) -> str:
    """The machine facts, each once, with several values if results are from different days or machines."""
    facts: dict[str, list[str]] = {}
    for machine in machines:
        for name, value in machine.items():
            if value not in facts.setdefault(name, []):
                facts[name].append(value)
    return markdown(("fact", "value"), [(name, ", ".join(values)) for name, values in facts.items()])


def markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table with aligned columns, readable as plain text."""
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        return f"| {' | '.join(padded)} |"

    rule = f"|{'|'.join('-' * (width + 2) for width in widths)}|"
    return "\n".join((line(heads), rule, *map(line, rows))) + "\n"
