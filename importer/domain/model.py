"""The core types of the domain, as frozen dataclasses. ARCHITECTURE.md, "Words", defines the terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Final, NamedTuple, NewType

from importer.compact.digest_set import digest_at
from importer.compact.uid_set import Uid, UidValidity
from importer.domain.import_options import ImportOptions
from importer.domain.messages.message_body import Body
from importer.domain.receipts.folder_listing import FolderListing
from providers.endpoint import IMAP_PORT, IMAPS_PORT, Endpoint, FolderRole
from providers.errors import MailError, Side
from providers.text import Text

ImportId = NewType("ImportId", str)
BatchId = NewType("BatchId", str)

Route = NewType("Route", str)
"""Identifies a pair of source and destination mailbox, shared by all imports between them. Receipts belong to
a route, not to an import."""

FORMER_UIDVALIDITY: Final = UidValidity(-1)
"""The UIDVALIDITY of receipts whose source folder was renumbered without a new UIDVALIDITY: their UIDs mean
nothing any more, their digests still count. At the destination: of messages that were sent to a folder that
was renumbered since, and that were not found there."""

ANY_UIDVALIDITY: Final = UidValidity(0)
"""The UIDVALIDITY of receipts whose destination folder was removed and is to be created again: such receipts
are valid for the new folder."""


# --- Mailboxes, imports and batches ---------------------------------------------------------


@dataclass(frozen=True, slots=True)
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
    UNDONE = "undone"  # by a person after its end: what it added was removed, as far as it was unchanged


class ControlRequest(StrEnum):
    """A pending request to pause or cancel an import. The lease holder applies it at its next check."""

    PAUSE = "pause"
    CANCEL = "cancel"  # final


@dataclass(frozen=True, slots=True)
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
    """What a server wants its users to read (ALERT, RFC 9051 section 7.1), in one line."""

    side: Side
    text: str


class Phase(StrEnum):
    """What a leg does at the moment."""

    CONNECTING = "connecting"
    READING_FOLDERS = "reading_folders"
    MEASURING_FOLDERS = "measuring_folders"  # of a check
    MAKING_FOLDERS = "making_folders"
    COPYING = "copying"
    RECOUNTING = "recounting"


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
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

    @property
    def standing_problem(self) -> Problem | None:
        """The problem, unless it is overcome as far as is known: the next leg has begun."""
        return None if self.state is State.RUNNING else self.problem

    @property
    def route(self) -> Route:
        return route_of(self.source, self.destination)

    def account(self, side: Side) -> Account:
        return self.source if side is Side.SOURCE else self.destination


@dataclass(frozen=True, slots=True)
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


# --- Folders and messages ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Folder:
    """One LIST response. `name` is decoded, in the server's own hierarchy; `delimiter` None means flat."""

    name: str
    delimiter: str | None
    role: FolderRole | None = None  # by attribute (RFC 6154), never by name
    selectable: bool = True
    subscribed: bool = False


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """How a server names folders: personal namespace prefix (RFC 2342) and delimiter."""

    prefix: str = ""
    delimiter: str | None = "/"


@dataclass(frozen=True, slots=True)
class FolderRef:
    """A folder at a certain UIDVALIDITY. Reads raise FolderChanged if its UIDVALIDITY has changed."""

    name: str
    uidvalidity: UidValidity


@dataclass(frozen=True, slots=True)
class FolderStatus:
    """One STATUS response (RFC 9051 section 6.3.11). If two are equal, the folder holds the same messages:
    where the three numbers cannot show that (folders of labels), `contents` does.

    `elsewhere` counts messages that have the folder's label and are shown in another label's folder.
    `highest_modseq` also grows with every flag change (RFC 7162); 0 if it was not requested or the server
    does not maintain it.
    """

    uidvalidity: UidValidity
    uidnext: Uid
    messages: int
    contents: int = 0
    elsewhere: int = field(default=0, compare=False)
    highest_modseq: int = field(default=0, compare=False)

    def ref(self, name: str) -> FolderRef:
        return FolderRef(name, self.uidvalidity)


@dataclass(frozen=True, slots=True)
class KeywordRule:
    """Which keywords a folder stores (PERMANENTFLAGS): all of them (`any_keyword`) or just `known`."""

    any_keyword: bool = True
    known: frozenset[str] = frozenset()


class Message(NamedTuple):  # created for every message, in a fifth of the time of a frozen dataclass
    """One message as fetched from the source. `internaldate` is the server's text, zone included. `header` is
    the `header_block` of the body if the session had to find it, else b""."""

    uid: Uid
    flags: tuple[str, ...]
    internaldate: str
    body: Body
    header: bytes = b""

    def __repr__(self) -> str:
        """Omits the content."""
        return f"Message(uid={self.uid}, flags={self.flags}, internaldate={self.internaldate!r})"


class NotHandedOut(NamedTuple):
    """A message that the source lists but did not deliver. `broke_connection`: the connection was lost each
    time the message was fetched alone; the cause may be the message or the network. `too_large`: this
    installation accepts no message of that size."""

    uid: Uid
    reason: Text
    broke_connection: bool = False
    too_large: bool = False


class Outgoing(NamedTuple):  # for the same reason as Message
    """One message ready to append: flags and date are normalised for the destination, lines end with CRLF."""

    uid: Uid  # at the source
    flags: tuple[str, ...]
    internaldate: str
    body: Body

    def __repr__(self) -> str:
        """Omits the content."""
        return f"Outgoing(uid={self.uid}, flags={self.flags}, internaldate={self.internaldate!r})"


class Stored(NamedTuple):  # one per message, so a NamedTuple, as Message is
    """The destination stored the message. `uid` is None if the server does not report it (no UIDPLUS);
    `keywords_dropped` counts the flags and keywords that the server rejected during the append, and
    `date_dropped` is whether it rejected the date."""

    uid: Uid | None
    keywords_dropped: int = 0
    date_dropped: bool = False


@dataclass(frozen=True, slots=True)
class Rejected:
    """The destination rejected this message. `reason` is for the report. `certain`: another try cannot change
    it. `passing`: the server may be at fault, and not the message."""

    reason: Text
    certain: bool = False
    passing: bool = False


AppendResult = Stored | Rejected


@dataclass(frozen=True, slots=True)
class HeaderLines:
    """Message-ID, Date, From and Subject of one message as raw header bytes, and its RFC822.SIZE."""

    uid: Uid
    size_bytes: int
    header: bytes


@dataclass(frozen=True, slots=True)
class Outline:
    """A message without its content: RFC822.SIZE in bytes, and the server's INTERNALDATE as text."""

    uid: Uid
    size_bytes: int
    internaldate: str


@dataclass(frozen=True, slots=True)
class Quota:
    """Usage and limits of a mailbox (RFC 9208). A limit of None means unlimited."""

    used_bytes: int = 0
    limit_bytes: int | None = None
    used_messages: int = 0
    limit_messages: int | None = None

    @property
    def is_full(self) -> bool:
        """Whether there is no room for even the smallest message."""
        full_of_bytes = self.limit_bytes is not None and self.used_bytes >= self.limit_bytes
        return full_of_bytes or (
            self.limit_messages is not None and self.used_messages >= self.limit_messages
        )


# --- Receipts and tallies -----------------------------------------------------------------------


class Outcome(StrEnum):
    """The result for one source message. Each message that the source listed has exactly one."""

    COPIED = "copied"
    PRESENT = "present"  # was already at the destination
    DUPLICATE = "duplicate"  # same content as another message for the same destination folder
    SKIPPED = "skipped"  # with a reason
    FAILED = "failed"  # with a reason: a Refusal


CHANGED_ELSEWHERE: Final = "recognised, though changed by another program"
"""The reason of PRESENT messages that are at the destination in a form that another program is known to make
of messages (`messages/canonical_form.py`)."""

UNSEEN: Final = "not seen since"
"""The reason of COPIED messages that the recount did not see. Without a destination UID nothing proves that
the server ever stored them: the next import copies them again."""


class ChangeKind(StrEnum):
    """What was changed about copied messages; see docs/usage/report.md. The first four by Mailhaul, so that
    the destination keeps the message, the others by the destination, as far as copies were read back."""

    DATE_FROM_FIELD = "date_from_field"  # no date that servers keep: the Date field's
    DATE_UNKNOWN = "date_unknown"  # no date at all: 1 January 1970
    DATE_MOVED = "date_moved"  # the epoch: one second later
    LINE_ENDS = "line_ends"  # a bare LF: CRLF
    DATE_NOT_KEPT = "date_not_kept"
    NUL_REPLACED = "nul_replaced"
    HEADER_8BIT = "header_8bit"  # 8-bit characters in the header
    LAST_LINE_ENDED = "last_line_ended"
    BARE_CR = "bare_cr"
    CONTENT = "content"  # in another way
    UNCHECKED = "unchecked"  # could have been changed by the destination, and was not read back


IN_REMOVED_FOLDER: Final = "copied into a folder that its owner removed"
"""The reason of COPIED messages once their folder was removed: that a folder which is created later under its
name does not hold them says nothing about whether they were stored."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The record of one append batch, or of messages settled without an append: one row in the ledger.

    `source_uids`, `destination_uids` and `digests` (DIGEST_BYTES each) are parallel sequences.
    `destination_uids` is empty if the server reports none, and for DUPLICATE and SKIPPED. `digests` is empty
    for SKIPPED. `flags` holds the flags that COPIED messages were appended with, updated by flag
    synchronisation (`messages/flags.py`). `marks` has a byte for each COPIED message
    (`messages/stored_changes.py`); empty if all are 0. `facts` has size and date of each message
    (`compact/message_facts.py`), as far as they are known.
    """

    import_id: ImportId
    source: FolderRef
    source_uids: tuple[Uid, ...]
    outcome: Outcome
    destination: FolderRef
    destination_uids: tuple[Uid, ...] = ()
    digests: bytes = b""
    size_bytes: int = 0
    reason: str = ""
    keywords_dropped: int = 0
    flags: str = ""
    marks: bytes = b""
    facts: bytes = b""

    def digest_at(self, index: int) -> bytes:
        return digest_at(self.digests, index)


@dataclass(frozen=True, slots=True)
class Intent:
    """Written before an append: the messages about to be sent, and the destination's UIDNEXT, which is a
    lower bound for the UIDs they will get."""

    import_id: ImportId
    source: FolderRef
    source_uids: tuple[Uid, ...]
    destination: FolderRef
    uidnext: Uid
    digests: bytes
    sizes_bytes: tuple[int, ...]
    sent_at: datetime
    flags: str = ""  # as in Receipt
    slot: int = 0  # of the lane that sends it; a folder has at most one open intent per slot
    marks: bytes = b""  # as in Receipt
    dates: bytes = b""  # `message_facts.pack_date` of each message

    def digest_at(self, index: int) -> bytes:
        return digest_at(self.digests, index)


class RefusalCode(StrEnum):
    """Why something could not be copied, machine-readable; `Refusal.reason` is the text. See
    docs/errors.md."""

    NOT_HANDED_OUT = "not_handed_out"  # the source lists the message but does not deliver it
    TOO_LARGE = "too_large"  # for the destination
    NOT_COMPARED = "not_compared"  # it may be at the destination already, in a form that cannot be told
    BEYOND_LIMIT = "beyond_limit"  # larger than Mailhaul copies
    NOT_TAKEN = "not_taken"  # the destination rejected the message
    BREAKS_CONNECTION = "breaks_connection"  # the destination closes the connection at each append of it
    FOLDER_UNUSABLE = "folder_unusable"  # cannot be opened, created or written to, on either side
    UNLISTED = "unlisted"  # the source counts messages that it does not list
    PARTLY_SHOWN = "partly_shown"  # the source lists only a part of the folder
    SURPLUS = "surplus"  # the destination holds more copies of the folder's messages than were made
    NEVER_SEEN = "never_seen"  # an earlier import copied it, and no recount has seen it
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message that could not be copied, or (`uid` None) a folder that could not be opened.

    `count` is the number of messages concerned, 0 if unknown. `partly`: the server lists only a part of the
    folder, and that part was copied.
    """

    import_id: ImportId
    folder: str
    uidvalidity: UidValidity
    uid: Uid | None
    reason: Text
    date: str = ""
    subject: str = ""
    size_bytes: int = 0
    count: int = 1
    partly: bool = False
    code: RefusalCode = RefusalCode.OTHER


@dataclass(frozen=True, slots=True)
class FolderTally:
    """Message counts of one source folder. `found` is what the source listed; at the end `adds_up` is true.

    The recount is independent of the copier: `confirmed` of the `copied` messages were listed by the
    destination afterwards, and `source_recount` messages by the source. `elsewhere` messages have this
    folder's label and are counted in another label's folder. `flags_updated` messages had been copied before
    and got the source's current flags. `changes` counts the copied messages of which something was changed,
    by ChangeKind.

    `present` messages are at the destination without a copy by this import: the recount listed them. Of
    these, `unchecked` ones could not be looked up, and `recognised` ones were changed by another program.
    `gone` messages were copied or found there before and are no longer listed: their owner removed or moved
    them, so they stay away.

    `listing` names messages that the receipts do not show; None before the recount, and in imports of 0.2.0
    and earlier.
    """

    source_folder: str
    destination_folder: str
    found: int = 0
    copied: int = 0
    present: int = 0
    duplicate: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)  # reason -> messages
    failed: int = 0
    copied_bytes: int = 0
    keywords_dropped: int = 0
    confirmed: int | None = None
    source_recount: int | None = None
    elsewhere: int = 0
    flags_updated: int = 0
    recognised: int = 0
    changes: Mapping[str, int] = field(default_factory=dict)  # ChangeKind -> messages
    gone: int = 0
    unchecked: int = 0
    listing: FolderListing | None = None

    @property
    def skipped_total(self) -> int:
        return sum(self.skipped.values())

    @property
    def accounted(self) -> int:
        """The messages that have an outcome."""
        there = self.copied + self.present + self.duplicate
        return there + self.gone + self.skipped_total + self.failed

    @property
    def still_to_do(self) -> int:
        return max(0, self.found - self.accounted)

    @property
    def adds_up(self) -> bool:
        return self.found == self.accounted


@dataclass(frozen=True, slots=True)
class FolderCheckpoint:
    """A folder that was copied completely, without a refusal. As long as both sides report the same state, it
    need not be searched again. `status` is the source's, `tally` that of import `import_id`.

    `destination_status` is what the destination's status has to be if nothing changed since the recount
    listed it: its UIDNEXT grows with each message, so an equal number of messages means the same messages.
    None if it is unknown; MISSING_FOLDER if the folder was missing.
    """

    import_id: ImportId
    status: FolderStatus
    destination: FolderRef
    highest_uid: Uid  # of our messages at the destination, 0 if there are none
    tally: FolderTally
    destination_status: FolderStatus | None = None


MISSING_FOLDER: Final = FolderStatus(UidValidity(0), Uid(0), 0)
"""The status of a destination folder that its owner removed."""
