"""The table of quirks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tests.rehearsal.quirks.session import Session

QUIRKS: dict[str, type[Session]] = {}

S = TypeVar("S", bound=type[Session])


def quirk(name: str, report: str = "") -> Callable[[S], S]:
    """Register a class. `report` is the public report that it imitates, as repository#number."""

    def register(kind: S) -> S:
        kind.report = report
        QUIRKS[name] = kind
        return kind

    return register
