"""Markdown: tables, links to headings, and pages of which only parts are generated."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping


def table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """The lines of a table."""
    yield f"| {' | '.join(heads)} |"
    yield "|" + "---|" * len(heads)
    for row in rows:
        yield f"| {' | '.join(row)} |".replace("|  |", "| |")


def anchor(heading: str) -> str:
    """The fragment of a heading's link."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def between_markers(page: str, sections: Mapping[str, Iterable[str]]) -> str:
    """The page with the lines of each section between `<!-- name -->` and `<!-- /name -->`. Raises ValueError
    if a marker is missing."""
    for name, lines in sections.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if not pattern.search(page):
            raise ValueError(f"the markers <!-- {name} --> and <!-- /{name} --> are missing")
        inside = "\n".join(lines)
        page = pattern.sub(lambda found, inside=inside: f"{found[1]}\n{inside}\n\n{found[2]}", page)  # type: ignore[misc]
    return page
