"""Waiting for a mailbox owner to sign in: when to send reminders, when to check again, when to give up."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from importer.domain.model import Import, Problem, State
from providers.errors import Side
from providers.frozen import frozen
from providers.text import Text

REMIND_AFTER: Final = (timedelta(days=2), timedelta(days=5))

CONSENT_NEEDED: Final = "consent_needed"
_BY_LINK: Final = f"{CONSENT_NEEDED}.password"


@frozen
class OwnerWait:
    """An import waits for an owner to sign in: it ends at `until`. `reminder` is when the next mail goes out;
    None if no more go, or none at all."""

    until: datetime
    reminder: datetime | None = None


def owner_wait(import_: Import) -> OwnerWait | None:
    """The wait of an import for an owner; None unless it waits for one."""
    problem = import_.problem
    if import_.state is not State.WAITING or problem is None or problem.code != CONSENT_NEEDED:
        return None
    until, reminder = problem.text.params.get("until"), problem.text.params.get("reminder")
    if not isinstance(until, datetime):  # stored by 0.1.0, in English
        return None
    return OwnerWait(until, reminder if isinstance(reminder, datetime) else None)


def asks_for_password(import_: Import) -> bool:
    """Whether it waits for its owner to enter a password; no mail goes out then."""
    return import_.problem is not None and import_.problem.text.code == _BY_LINK


def mails_due(asked_at: datetime, now: datetime) -> int:
    """The number of mails due by `now`: the first request and the reminders."""
    return 1 + sum(asked_at + after <= now for after in REMIND_AFTER)


def next_look(asked_at: datetime, now: datetime, expires_at: datetime) -> datetime:
    """The time of the next check: of the next reminder, or of the expiry of the link."""
    return next_reminder(asked_at, now, expires_at) or expires_at


def next_reminder(asked_at: datetime, now: datetime, expires_at: datetime) -> datetime | None:
    """The time of the next reminder; None if there is no further one."""
    reminders = (asked_at + after for after in REMIND_AFTER)
    return min((at for at in reminders if now < at < expires_at), default=None)


def needed(
    mailbox: str,
    provider: str,
    expires_at: datetime,
    side: Side,
    *,
    both: bool = False,
    by_password: bool = False,
    reminder: datetime | None = None,
) -> Problem:
    """The problem while the import waits. `provider` is a display name; with `both`, the owner of the other
    mailbox has to sign in as well; with `by_password`, this one enters a password. `reminder`: when the next
    mail goes out."""
    if by_password:
        return Problem(Text(_BY_LINK, mailbox=mailbox, until=expires_at), side)
    code = "consent_needed.link.both" if both else "consent_needed.link"
    text = Text(code, mailbox=mailbox, provider=provider, until=expires_at)
    if reminder is not None:
        text = Text(code, mailbox=mailbox, provider=provider, until=expires_at, reminder=reminder)
    return Problem(text, side)


def expired(
    mailbox: str, provider: str, expires_at: datetime, side: Side, *, by_password: bool = False
) -> Problem:
    """The problem of an import that ended without a sign-in. `provider` is a display name."""
    if by_password:
        return Problem(Text("consent_expired.password", mailbox=mailbox, until=expires_at), side)
    text = Text("consent_expired.link", mailbox=mailbox, provider=provider, until=expires_at)
    return Problem(text, side)
