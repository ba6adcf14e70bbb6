"""All sealed values in the store, to seal them anew with another key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from providers.frozen import frozen

Renew = Callable[[bytes], "bytes | None"]
"""Seals a sealed value anew with the newest key; None if that key sealed it. Raises KeyMissing if no key
opens it."""


@frozen
class Resealed:
    """Numbers of sealed values in one column: under the newest key before, sealed with it now, and those that
    no key opens, which stay as they are."""

    current: int = 0
    renewed: int = 0
    unreadable: int = 0

    @property
    def number(self) -> int:
        return self.current + self.renewed + self.unreadable


class SealedValues(Protocol):
    """The sealed columns of the store."""

    def reseal(self, renew: Renew, *, changes: bool = True) -> Mapping[str, Resealed]:
        """Give every sealed value to `renew` and store what it returns; the numbers by `table.column`, of all
        columns.

        Uses small transactions: it may be interrupted and repeated at any time, while workers and pages run.
        A value that another process has changed meanwhile is skipped. Without `changes` nothing is written,
        and `renewed` counts what would be.
        """
        ...
