"""What the doctor finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from providers.text import Text


class Health(StrEnum):
    """The health of a part."""

    OK = "well"
    WARNING = "odd"  # works, but perhaps not as intended
    ERROR = "ill"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of checking one part. The advice of `text` is the fix; OK needs none."""

    part: str
    health: Health
    text: Text
