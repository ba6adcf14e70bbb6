"""Our own mails: written, kept until they are sent, handed over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from importer.domain.model import Import
from importer.domain.reporting.report import BatchReport, Report
from providers.errors import Side


class MailState(StrEnum):
    """Where a mail of ours stands."""

    PENDING = "pending"
    SENDING = "sending"  # handed to the server or about to be: never tried again from here
    SENT = "sent"
    REFUSED = "refused"  # the server will not take it


@dataclass(frozen=True, slots=True)
class Notice:
    """One mail of ours to one recipient. `key` is unique: posting the same key again changes nothing."""

    key: str
    recipient: str
    subject: str
    text: str
    html: str
    message_id: str  # with angle brackets
    created_at: datetime
    state: MailState = MailState.PENDING
    attempts: int = 0
    not_before: datetime | None = None
    error: str = ""


class Outbox(Protocol):
    """Mails to be sent, each at most once."""

    def post(self, notices: Sequence[Notice]) -> None:
        """Adds those whose key is new."""
        ...

    def due_notices(self, now: datetime, limit: int = 50) -> Sequence[Notice]:
        """PENDING ones whose `not_before` has come, oldest first."""
        ...

    def claim_notice(self, key: str) -> bool:
        """PENDING -> SENDING; False if somebody else was first."""
        ...

    def settle_notice(
        self, key: str, state: MailState, *, error: str = "", not_before: datetime | None = None
    ) -> None:
        """SENDING -> `state`; back to PENDING counts an attempt."""
        ...

    def notices(self, key_prefix: str = "") -> Sequence[Notice]: ...

    def unsent(self) -> Sequence[Notice]:
        """All that are not SENT, oldest first."""
        ...


class MailOutcome(StrEnum):
    """What became of one attempt to send a mail."""

    SENT = "sent"
    RETRY = "retry"  # it certainly was not sent
    REFUSED = "refused"  # it certainly was not sent and never will be
    UNKNOWN = "unknown"  # it may have been sent: never again


class Mailer(Protocol):
    """Hands one notice to the mail server."""

    def send(self, notice: Notice) -> tuple[MailOutcome, str]:
        """The outcome, and what the server said. Never raises."""
        ...


@dataclass(frozen=True, slots=True)
class Invitation:
    """What an owner is asked: to sign in at `provider` (its name for people), so that `import_` can read
    the mailbox, or put mail into it. `mail` counts from 1; further ones are reminders. With `both`, the owner
    of the other side is asked as well."""

    import_: Import
    side: Side
    provider: str
    link: str
    expires_at: datetime
    mail: int = 1
    both: bool = False


class Composer(Protocol):
    """Writes the mails."""

    def completion(self, report: Report, now: datetime) -> Sequence[Notice]:
        """One for each address concerned: source, destination, and the submitter when known; each once."""
        ...

    def invitation(self, invitation: Invitation, now: datetime) -> Sequence[Notice]:
        """One for the owner of the source: to sign in, or to be reminded of it."""
        ...

    def batch_summary(self, report: BatchReport, now: datetime) -> Sequence[Notice]:
        """One for the submitter, none when nobody is known."""
        ...
