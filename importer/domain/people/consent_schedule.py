"""Waiting for a mailbox owner to sign in: when to send reminders, when to check again, when to give up."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from importer.domain.model import Problem
from providers.errors import Side
from providers.text import Text

REMIND_AFTER: Final = (timedelta(days=2), timedelta(days=5))

CONSENT_EXPIRED: Final = "consent_expired"


def mails_due(asked_at: datetime, now: datetime) -> int:
    """How many mails are due by `now`: the first request and the reminders."""
    return 1 + sum(asked_at + after <= now for after in REMIND_AFTER)


def next_look(asked_at: datetime, now: datetime, expires_at: datetime) -> datetime:
    """When to check again: at the next reminder, or when the link expires."""
    reminders = (asked_at + after for after in REMIND_AFTER)
    return min((at for at in reminders if now < at < expires_at), default=expires_at)


def needed(mailbox: str, provider: str, expires_at: datetime, side: Side, *, both: bool = False) -> Problem:
    """The problem while the import waits. `provider` is a display name; with `both`, the owner of the other
    mailbox has to sign in as well."""
    code = "consent_needed.link.both" if both else "consent_needed.link"
    return Problem(Text(code, mailbox=mailbox, provider=provider, until=expires_at), side)


def expired(mailbox: str, provider: str, expires_at: datetime, side: Side) -> Problem:
    """The problem of an import that ended without a sign-in. `provider` is a display name."""
    text = Text("consent_expired.link", mailbox=mailbox, provider=provider, until=expires_at)
    return Problem(text, side)
