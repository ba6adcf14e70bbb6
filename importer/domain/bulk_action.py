"""The actions on many imports at once."""

from __future__ import annotations

from enum import StrEnum


class BulkAction(StrEnum):
    """An action on all selected imports."""

    PAUSE = "pause"
    RESUME = "resume"  # paused ones
    RETRY = "retry"  # those that wait, and those that were stopped while their passwords are kept
    RETRY_FAILED = "retry-failed"  # the failed messages of those that have ended, where no password is needed
    CANCEL = "cancel"  # and erase passwords that are kept
