"""What the doctor finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Health(StrEnum):
    """The health of a part."""

    OK = "well"
    WARNING = "odd"  # works, but perhaps not as intended
    ERROR = "ill"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of checking one part; `fix` is empty when its health is OK."""

    part: str
    health: Health
    message: str
    fix: str = ""
