"""Retention: removes records older than their lifetime."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from importer.domain.lifetimes import Lifetimes


class Retention(Protocol):
    """Removes records older than their lifetime, in steps that are short at any amount of data."""

    def sweep_expired(self, now: datetime, lifetimes: Lifetimes) -> Mapping[str, int]:
        """One step: remove at most some hundred rows of each kind. Return the number of rows by kind; empty
        if nothing is left to remove. Never touches an import that can continue."""
        ...
