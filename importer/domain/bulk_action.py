"""What can be done to many imports at once."""

from __future__ import annotations

from enum import StrEnum


class BulkAction(StrEnum):
    """What is done to all of them."""

    PAUSE = "pause"
    RESUME = "resume"  # paused ones
    RETRY = "retry"  # those that wait, and those that were stopped while their passwords are kept
    CANCEL = "cancel"  # and erase passwords that are kept
