"""Whether the installation can serve requests: the answer to /readyz of every process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import structlog

from importer.remembered import Remembered

REMEMBERED_S: Final = 2.0
"""Requests need no authentication, and each check connects to the database and to the queue."""

log = structlog.get_logger()


def remembered_faults(look: Callable[[], Mapping[str, str]]) -> Callable[[], Mapping[str, str]]:
    """A function that returns the result of `look`: part -> sentence, for each part that fails.

    It calls `look` at most every REMEMBERED_S seconds and logs each result. The sentences name hosts, which
    must not become public.
    """
    return Remembered(partial(_logged, look), REMEMBERED_S)


def _logged(look: Callable[[], Mapping[str, str]]) -> Mapping[str, str]:
    faults = look()
    for part, reason in faults.items():
        log.warning("readiness.failed", part=part, reason=reason)
    return faults
