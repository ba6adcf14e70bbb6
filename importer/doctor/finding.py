"""Findings of the doctor."""

from __future__ import annotations

from enum import StrEnum

from providers.frozen import frozen
from providers.text import Text


class Health(StrEnum):
    """The health of a part."""

    OK = "well"
    WARNING = "odd"  # works, but perhaps with an unintended setup
    ERROR = "ill"


@frozen
class Finding:
    """The result of checking one part. The advice of `text` is the fix; OK needs none."""

    part: str
    health: Health
    text: Text
