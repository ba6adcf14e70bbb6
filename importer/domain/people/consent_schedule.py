"""Waiting for an owner who has to sign in: when to remind, when to look again, when it is over."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from importer.domain.model import Problem
from importer.domain.reporting.formatting import spoken_instant
from providers.errors import Side

REMIND_AFTER: Final = (timedelta(days=2), timedelta(days=5))

CONSENT_EXPIRED: Final = "consent_expired"


def mails_due(asked_at: datetime, now: datetime) -> int:
    """How many mails the owner should have had by now: the first one and the reminders."""
    return 1 + sum(asked_at + after <= now for after in REMIND_AFTER)


def next_look(asked_at: datetime, now: datetime, expires_at: datetime) -> datetime:
    """When there is something to do again: the next reminder, or the end."""
    coming = (asked_at + after for after in REMIND_AFTER)
    return min((at for at in coming if now < at < expires_at), default=expires_at)


def needed(mailbox: str, provider: str, expires_at: datetime, side: Side, *, both: bool = False) -> Problem:
    """What the import waits for. `provider` is its name for people; with `both`, the owner of the other
    mailbox has yet to sign in, too."""
    too = " So does the owner of the other mailbox." if both else ""
    return Problem(
        "consent_needed",
        f"The owner of {mailbox} has to sign in with {provider} once, over the link that was made for it."
        f" It works until {spoken_instant(expires_at)}; then this import ends.{too}",
        side,
    )


def expired(mailbox: str, provider: str, expires_at: datetime, side: Side) -> Problem:
    """Why it ended. `provider` is its name for people."""
    return Problem(
        "consent_expired",
        f"Nobody signed in with {provider} for {mailbox} until {spoken_instant(expires_at)}, so the link has"
        " run out. Start it again for a new link.",
        side,
    )
