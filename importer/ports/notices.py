"""Notices: the mails that Mailhaul sends, kept in an outbox until they are sent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from importer.domain.model import Import
from importer.domain.people.mail_recipients import MailReader
from importer.domain.reporting.report import BatchReport, Report
from providers.errors import Side
from providers.frozen import frozen


class MailState(StrEnum):
    """The state of a notice."""

    PENDING = "pending"
    SENDING = "sending"  # passed to the server, or about to be: never sent again from this state
    SENT = "sent"
    REFUSED = "refused"  # the server does not accept it


@frozen
class Notice:
    """One mail to one recipient. `key` is unique: posting the same key again has no effect."""

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
    """Mails to send, each at most once."""

    def post(self, notices: Sequence[Notice]) -> None:
        """Add the notices whose key is new."""
        ...

    def due_notices(self, now: datetime, limit: int = 50) -> Sequence[Notice]:
        """PENDING notices whose `not_before` has passed, oldest first."""
        ...

    def claim_notice(self, key: str) -> bool:
        """PENDING -> SENDING. False if another sender has claimed it."""
        ...

    def settle_notice(
        self, key: str, state: MailState, *, error: str = "", not_before: datetime | None = None
    ) -> None:
        """SENDING -> `state`. Back to PENDING counts an attempt."""
        ...

    def notices(self, *key_prefixes: str) -> Sequence[Notice]:
        """The notices whose key starts with one of the prefixes, or all of them, oldest first."""
        ...

    def unsent(self) -> Sequence[Notice]:
        """All notices that are not SENT, oldest first."""
        ...


class MailOutcome(StrEnum):
    """The outcome of one attempt to send a mail."""

    SENT = "sent"
    RETRY = "retry"  # certainly not sent
    REFUSED = "refused"  # certainly not sent, and a retry is pointless
    UNKNOWN = "unknown"  # possibly sent: never sent again


class Mailer(Protocol):
    """Sends one notice over the mail server."""

    def send(self, notice: Notice) -> tuple[MailOutcome, str]:
        """Return the outcome and the server's response text. Never raises."""
        ...


@frozen
class Invitation:
    """A request to an owner to sign in at `provider` (its display name), so that `import_` can read the
    mailbox, or put mail into it. `mail` counts from 1; further ones are reminders. With `both`, the owner of
    the other side is invited too. `asked` counts, from 1, the reminders that a person asked for; 0 if the
    mail is due by itself."""

    import_: Import
    side: Side
    provider: str
    link: str
    expires_at: datetime
    mail: int = 1
    both: bool = False
    asked: int = 0


class Composer(Protocol):
    """Writes the mails."""

    def completion(
        self, report: Report, readers: Sequence[MailReader], now: datetime, pages: str = ""
    ) -> Sequence[Notice]:
        """One notice for each reader about an import that has ended, or about the reason why it waits.
        `pages` is the URL of the pages, "" if the submitter cannot open the import there: owners get no link.
        """
        ...

    def invitation(self, invitation: Invitation, now: datetime) -> Sequence[Notice]:
        """One notice for the owner: an invitation to sign in, or a reminder."""
        ...

    def batch_summary(
        self, report: BatchReport, now: datetime, pages: str = "", *, so_far: bool = False
    ) -> Sequence[Notice]:
        """One notice for the submitter; none if the submitter is unknown. With `so_far`, some have not ended
        yet. `pages` is as in `completion`."""
        ...
