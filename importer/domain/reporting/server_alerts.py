"""ALERT texts of servers, which a client has to show to its user (RFC 9051 section 7.1)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from importer.domain.model import Alert

MAX_IMPORT_ALERTS: Final = 10
"""Alerts of an import or check that are kept: a server may put a time or a number into each."""


def each_once(alerts: Iterable[Alert]) -> tuple[Alert, ...]:
    """The first MAX_IMPORT_ALERTS different alerts."""
    return tuple(dict.fromkeys(alerts))[:MAX_IMPORT_ALERTS]
