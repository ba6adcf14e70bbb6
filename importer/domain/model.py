"""Accounts, imports and batches. ARCHITECTURE.md, "Words", defines the terms."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from typing import Final, NamedTuple, NewType

from importer.domain.import_options import ImportOptions
from providers.endpoint import IMAP_PORT, IMAPS_PORT, Endpoint
from providers.errors import MailError, Side
from providers.frozen import frozen
from providers.text import Text

ImportId = NewType("ImportId", str)
BatchId = NewType("BatchId", str)

Route = NewType("Route", str)
"""Identifies a pair of source and destination mailbox, shared by all imports between them. Receipts belong to
a route, not to an import."""


@frozen
class Account:
    """One mailbox on a host. `address` is its mail address, `login` the user name that the host accepts.

    `public_only`: the server was not named by anyone whom the operator trusts. Connect to it only at public
    IP addresses, or at addresses that the operator allows.
    """

    address: str
    login: str
    endpoint: Endpoint
    public_only: bool = False

    @property
    def key(self) -> str:
        """Identifies the mailbox. The case of login and host and the two standard ports make no difference.

        Two mailboxes never share a key, because the key identifies people. It is therefore lower-cased, not
        case-folded: case folding would equate "ß" with "ss" and the ligature "ﬁ" with "fi". A letter that
        only looks like another one, such as the Kelvin sign, is another letter.
        """
        port = "" if self.endpoint.port in (IMAP_PORT, IMAPS_PORT) else f":{self.endpoint.port}"
        return f"{_lower(self.login)} {self.endpoint.host.lower().rstrip('.')}{port}"


def _lower(text: str) -> str:
    """`text` in lower case, but for letters whose lower case is that of another letter: K (U+212A) stays."""
    return "".join(low if (low := letter.lower()).upper() == letter else letter for letter in text)


_REMEMBERED_ROUTES: Final = 256
"""Each write of a running import names its route."""


@lru_cache(_REMEMBERED_ROUTES)
def route_of(source: Account, destination: Account) -> Route:
    """The route from `source` to `destination`: 32 hexadecimal digits."""
    return Route(sha256(f"{source.key}\n{destination.key}".encode()).hexdigest()[:32])


class State(StrEnum):
    """The state of an import. `import_state.py` defines the transitions."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"  # until `not_before`; `problem` gives the reason
    PAUSED = "paused"  # by a person; cancelled automatically at `not_before`
    COMPLETE = "complete"
    INCOMPLETE = "incomplete"  # finished, with refusals or an unconfirmed message
    STOPPED = "stopped"  # a person has to act; `problem` says how
    CANCELLED = "cancelled"  # by a person, or because a pause was never resumed
    FAILED = "failed"  # an internal error of Mailhaul
    UNDONE = "undone"  # by a person after its end: its unchanged copies were removed


class ControlRequest(StrEnum):
    """A pending request to pause or cancel an import. The lease holder applies it at its next check."""

    PAUSE = "pause"
    CANCEL = "cancel"  # final


@frozen
class Problem:
    """Why an import is waiting or has stopped: a MailError in a form that can be stored.

    `text` says why; `server_text` is the server's response verbatim.
    """

    text: Text
    side: Side | None = None
    server_text: str = ""

    @property
    def code(self) -> str:
        """The public code, which is stable."""
        return self.text.public_code

    @classmethod
    def of(cls, error: MailError) -> Problem:
        return cls(error.text, error.side, error.server_text)


class Alert(NamedTuple):
    """A text that a server wants its users to read (ALERT, RFC 9051 section 7.1), in one line."""

    side: Side
    text: str


class Phase(StrEnum):
    """The current activity of a leg."""

    CONNECTING = "connecting"
    READING_FOLDERS = "reading_folders"
    MEASURING_FOLDERS = "measuring_folders"  # of a check
    MAKING_FOLDERS = "making_folders"
    COPYING = "copying"
    RECOUNTING = "recounting"


@frozen
class Progress:
    """Progress as shown to users. Message and byte counts are those of the source in this import's survey.

    `phase_done` of `phase_total` folders are done in the phase; `phase_total` is 0 while it is unknown.
    `copying_s`: how long the current leg has been copying, after `messages_before` and `bytes_before` of
    earlier legs.
    """

    folder: str = ""
    folders_done: int = 0
    folders_total: int = 0
    messages_done: int = 0
    messages_total: int = 0
    bytes_done: int = 0
    phase: Phase = Phase.CONNECTING
    phase_done: int = 0
    phase_total: int = 0
    copying_s: float = 0.0
    messages_before: int = 0
    bytes_before: int = 0


@frozen
class Import:
    """A copy of one source mailbox into one destination mailbox. `attempts` counts legs without progress."""

    id: ImportId
    source: Account
    destination: Account
    created_at: datetime
    batch_id: BatchId | None = None
    row: int = 0  # line of the CSV file, 0 if none
    submitter: str = ""  # mail address, "" if unknown
    state: State = State.QUEUED
    problem: Problem | None = None
    not_before: datetime | None = None
    attempts: int = 0
    progress: Progress = Progress()
    started_at: datetime | None = None
    finished_at: datetime | None = None
    options: ImportOptions = ImportOptions()
    has_labels: bool = False  # labels were seen at the source
    alerts: tuple[Alert, ...] = ()  # of the servers, each once
    password_fingerprint: str = ""  # keyed fingerprint of both passwords, to detect changed ones
    requested: ControlRequest | None = None
    language: str = ""  # of its mails, such as "de"; "" for the installation's default
    held_up_since: datetime | None = None  # start of the pause, or of waiting without progress
    proven: bool = False  # both logins have succeeded with the current passwords
    grants_kept_until: datetime | None = None  # after a stop: until then it can be reopened without passwords
    reopened: int = 0  # how often that was done
    successor: ImportId | None = None  # the first import by which its owner ran it again after its end
    moved_at: datetime | None = None  # when its domain was first seen to have moved to the destination
    retry_of: ImportId | None = None  # the earlier import whose failed messages alone it tries again

    @property
    def standing_problem(self) -> Problem | None:
        """The problem; None once the next leg has begun, which may have overcome it."""
        return None if self.state is State.RUNNING else self.problem

    @property
    def syncs_flags(self) -> bool:
        """Whether it updates flags of messages that were copied before: a retry leaves them alone."""
        return self.options.sync_flags and self.retry_of is None

    @property
    def route(self) -> Route:
        return route_of(self.source, self.destination)

    def account(self, side: Side) -> Account:
        return self.source if side is Side.SOURCE else self.destination


@frozen
class Batch:
    """A submission of 1 to 25 imports."""

    id: BatchId
    created_at: datetime
    name: str = ""  # of the submitted file
    submitter: str = ""
    imports: tuple[ImportId, ...] = ()
    owner: str = ""  # PersonId (people/identities.py) of its only reader; "" for console only
    language: str = ""  # of its summary mail, as in Import
    # Whether the submitter may have mails sent to people who are not proven to own their mailboxes yet: an
    # operator, an API client, a holder of the batch right.
    is_trusted: bool = True
