"""Results as an SVG chart: a panel per case, a bar per copier, a whisker from minimum to maximum."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from benchmarks.copiers import RAW
from benchmarks.results import Copied, Result, rate, shown_rate
from benchmarks.table import OURS

_PANEL_WIDTH = 460
_COLUMNS = 2
_BAR, _STEP = 18, 26
_LABELS, _ROOM = 120, 90  # space to the left of the bars for labels, and to the right for values
_HEAD, _GAP = 40, 24
_OURS = "#0b6e4f"
_OTHERS, _LIMIT = "#8d99ae", "#d9c5a0"


def svg(results: Sequence[Result], ours: str = OURS) -> str:
    """The whole chart: messages per second, with a separate scale per panel; the copier `ours` in colour."""
    rows = [results[at : at + _COLUMNS] for at in range(0, len(results), _COLUMNS)]
    parts = []
    top = _GAP
    for row in rows:
        for column, result in enumerate(row):
            parts.append(_panel(result, _GAP + column * (_PANEL_WIDTH + _GAP), top, ours))
        top += max(_height(result) for result in row) + _GAP
    width = _GAP + _COLUMNS * (_PANEL_WIDTH + _GAP)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {top}" width="{width}" height="{top}" '
        'font-family="sans-serif" font-size="12" fill="#222">\n'
        "<title>Messages copied per second, first copy</title>\n"
        f'<rect width="{width}" height="{top}" fill="#fff"/>\n{"".join(parts)}</svg>\n'
    )


def _height(result: Result) -> int:
    return _HEAD + _STEP * len(_bars(result))


def _bars(result: Result) -> list[tuple[str, Copied]]:
    """Copiers and the raw limit for both directions at once, as in a copy."""
    return [
        (name, copied)
        for name, copied in result.copiers.items()
        if copied.first and (not name.startswith(RAW) or name == f"{RAW} both")
    ]


def _panel(result: Result, left: int, top: int, ours: str) -> str:
    case = result.case
    bars = [(name, copied, speed) for name, copied in _bars(result) if (speed := rate(copied))]
    scale = (_PANEL_WIDTH - _LABELS - _ROOM) / max((speed.most for _, _, speed in bars), default=1)
    lines = [f'<text x="{left}" y="{top + 14}" font-weight="bold">{escape(case.title)}</text>']
    for number, (name, copied, speed) in enumerate(bars):
        y = top + _HEAD - 12 + number * _STEP
        start, middle = left + _LABELS, y + _BAR / 2
        colour = _LIMIT if name.startswith(RAW) else _OURS if name == ours else _OTHERS
        least, most = (start + value * scale for value in (speed.least, speed.most))
        label = "raw limit" if name.startswith(RAW) else name
        wrong = " *" if max(copied.differences, default=0) else ""
        lines += [
            f'<text x="{start - 8}" y="{middle + 4}" text-anchor="end">{escape(label)}</text>',
            f'<rect x="{start}" y="{y}" width="{speed.median * scale:.1f}" height="{_BAR}" fill="{colour}"/>',
            f'<path d="M{least:.1f} {middle}H{most:.1f}M{least:.1f} {y + 5}v8M{most:.1f} {y + 5}v8" '
            'stroke="#222" fill="none"/>',
            f'<text x="{most + 8:.1f}" y="{middle + 4}">{shown_rate(speed.median)}/s{wrong}</text>',
        ]
    return "\n".join(lines) + "\n"
