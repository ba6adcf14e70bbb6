"""Input of several checks: the store of the installation, and the clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from importer import bootstrap
from importer.ports.process import InstallationFault
from importer.ports.store import Store
from importer.settings import Settings
from importer.system_clock import SystemClock

CLOCK: Final = SystemClock()

Facts = TypeVar("Facts")


def read_store(settings: Settings, read: Callable[[Store], Facts]) -> Facts | None:
    """The result of `read` for the store; None if the database fails, which another check reports."""
    try:
        with bootstrap.open_store(settings) as store:
            return read(store)
    except (SQLAlchemyError, InstallationFault):
        return None
