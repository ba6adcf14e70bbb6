"""The words of Mailhaul as frozen facts. See ARCHITECTURE.md, "Words"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Final, NamedTuple, NewType

from importer.compact.digest_set import digest_at
from importer.compact.uid_set import Uid, UidValidity
from importer.domain.folder_mapping.label_rules import LabelRule
from importer.domain.messages.message_body import Body
from providers.endpoint import IMAP_PORT, IMAPS_PORT, Endpoint, FolderRole
from providers.errors import Side

ImportId = NewType("ImportId", str)
BatchId = NewType("BatchId", str)

Route = NewType("Route", str)
"""One source mailbox into one destination mailbox, whatever import does it. Receipts belong to a route."""

ANY_UIDVALIDITY: Final = UidValidity(0)
"""Stands in receipts whose folder is gone while we make it anew: they hold for the folder to come."""


# --- Accounts and imports -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Account:
    """One mailbox on a host. `address` is for people and mail, `login` is what the host takes.

    `public_only` says that nobody whom the operator trusts named the server: it is reached at public
    addresses only, or at those that the operator allows.
    """

    address: str
    login: str
    endpoint: Endpoint
    public_only: bool = False

    @property
    def key(self) -> str:
        """The same for two ways of writing the same mailbox: case and the two standard ports do not count.

        Never the same for two mailboxes: it tells people apart. So case is all that is levelled; case folding
        would also take "ß" for "ss" and the ligature "ﬁ" for "fi".
        """
        port = "" if self.endpoint.port in (IMAP_PORT, IMAPS_PORT) else f":{self.endpoint.port}"
        return f"{self.login.lower()} {self.endpoint.host.lower().rstrip('.')}{port}"


def route_of(source: Account, destination: Account) -> Route:
    """The route between two accounts: 32 hexadecimal digits."""
    return Route(sha256(f"{source.key}\n{destination.key}".encode()).hexdigest()[:32])


class State(StrEnum):
    """Where an import stands. The transitions are in `state.py`."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"  # for a time; `problem` says why, `not_before` until when
    PAUSED = "paused"  # by a person; `not_before` is when it ends by itself
    COMPLETE = "complete"
    INCOMPLETE = "incomplete"  # finished, with refusals or an unconfirmed message
    STOPPED = "stopped"  # needs a person; `problem` says what to do
    CANCELLED = "cancelled"  # by a person, or after a pause without end
    FAILED = "failed"  # our own fault


class ControlRequest(StrEnum):
    """What a person wants of an import that is under way; whoever works on it does it at the next look."""

    PAUSE = "pause"
    CANCEL = "cancel"  # final


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an import waits or stopped: a MailError as a fact that can be stored.

    `code` is the error's, `message` its sentence for the reader, `server_text` what the server said.
    """

    code: str
    message: str
    side: Side | None = None
    server_text: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """What a watcher sees. Message and byte counts are of the source, of this import's survey."""

    folder: str = ""
    folders_done: int = 0
    folders_total: int = 0
    messages_done: int = 0
    messages_total: int = 0
    bytes_done: int = 0


@dataclass(frozen=True, slots=True)
class Import:
    """One source account into one destination account. `attempts` counts legs without progress."""

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
    labels: LabelRule = LabelRule.ONE  # where the source has labels
    has_labels: bool = False  # the source was seen to have them
    sync_flags: bool = False  # flags that changed at the source since the copy are brought over
    password_fingerprint: str = (
        ""  # keyed fingerprint of both passwords; tells "changed" without holding them
    )
    requested: ControlRequest | None = None
    language: str = ""  # of its mails: "de" and the like, "" as the installation is set
    held_up_since: datetime | None = None  # since when it waits without progress, or is paused

    @property
    def route(self) -> Route:
        return route_of(self.source, self.destination)

    def account(self, side: Side) -> Account:
        return self.source if side is Side.SOURCE else self.destination


@dataclass(frozen=True, slots=True)
class Batch:
    """What a person submitted: 1 to 25 imports."""

    id: BatchId
    created_at: datetime
    name: str = ""  # of the file
    submitter: str = ""
    imports: tuple[ImportId, ...] = ()
    owner: str = ""  # who may look at it: a PersonId of `access.py`, "" for the console alone
    language: str = ""  # of its summary, as for Import


# --- Folders and messages ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Folder:
    """One line of LIST. `name` is decoded, in the server's own hierarchy; `delimiter` None means flat."""

    name: str
    delimiter: str | None
    role: FolderRole | None = None  # by attribute (RFC 6154), never by name
    selectable: bool = True
    subscribed: bool = False


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """How a server names folders: personal namespace prefix (RFC 2342) and delimiter. `cautious`: new
    names hold only what every known server takes, because this one refused others."""

    prefix: str = ""
    delimiter: str | None = "/"
    cautious: bool = False


@dataclass(frozen=True, slots=True)
class FolderRef:
    """A folder as planned with: reads raise FolderChanged when its UIDVALIDITY is another."""

    name: str
    uidvalidity: UidValidity


@dataclass(frozen=True, slots=True)
class FolderStatus:
    """One STATUS answer (RFC 9051 section 6.3.11). Two that are equal mean that the folder holds the same
    messages: where the three numbers do not say that (folders of labels), `contents` does.

    `elsewhere` counts messages that have the folder's label and are shown in another label's folder.
    `highest_modseq` grows with every change of flags too (RFC 7162); 0 where it was not asked for or is not
    kept.
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


class Message(NamedTuple):  # one for each message: made in a fifth of the time of a frozen dataclass
    """One message as the source holds it. `internaldate` is the server's text, zone included."""

    uid: Uid
    flags: tuple[str, ...]
    internaldate: str
    body: Body

    def __repr__(self) -> str:
        """Without content."""
        return f"Message(uid={self.uid}, flags={self.flags}, internaldate={self.internaldate!r})"


class NotHandedOut(NamedTuple):
    """A message that the source holds and that did not come. `broke_connection`: each time it was asked for,
    alone, the connection ended; which may be its own fault or the network's."""

    uid: Uid
    reason: str
    broke_connection: bool = False


class Outgoing(NamedTuple):  # as Message
    """One message as it is to be appended: the flags and the date are already fit for the destination, and
    its lines end with CRLF."""

    uid: Uid  # at the source
    flags: tuple[str, ...]
    internaldate: str
    body: Body

    def __repr__(self) -> str:
        """Without content."""
        return f"Outgoing(uid={self.uid}, flags={self.flags}, internaldate={self.internaldate!r})"


@dataclass(frozen=True, slots=True)
class Stored:
    """The destination holds the message. `uid` is None where the server does not tell (no UIDPLUS);
    `keywords_dropped` counts those that it refused on the spot."""

    uid: Uid | None
    keywords_dropped: int = 0


@dataclass(frozen=True, slots=True)
class Rejected:
    """The destination refuses this one message for good. `reason` is for the report."""

    reason: str


AppendResult = Stored | Rejected


@dataclass(frozen=True, slots=True)
class HeaderLines:
    """Message-ID, Date, From and Subject of one message, as raw header bytes, and RFC822.SIZE."""

    uid: Uid
    size_bytes: int
    header: bytes


@dataclass(frozen=True, slots=True)
class Outline:
    """One message from outside: RFC822.SIZE in bytes, and the server's INTERNALDATE as text."""

    uid: Uid
    size_bytes: int
    internaldate: str


@dataclass(frozen=True, slots=True)
class Quota:
    """How much a mailbox holds and may hold (RFC 9208); a limit of None is none."""

    used_bytes: int = 0
    limit_bytes: int | None = None
    used_messages: int = 0
    limit_messages: int | None = None


# --- What happened ------------------------------------------------------------------------------


class Outcome(StrEnum):
    """What became of a source message. Each message that the source showed has exactly one."""

    COPIED = "copied"
    PRESENT = "present"  # already there
    DUPLICATE = "duplicate"  # same content as another message that goes into the same folder
    SKIPPED = "skipped"  # with a reason
    FAILED = "failed"  # with a reason: a Refusal


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof for one append batch (or for messages settled without an append), one row in the ledger.

    `source_uids`, `destination_uids` and `digests` run in parallel, DIGEST_BYTES each.
    `destination_uids` is empty where the server names none and for DUPLICATE and SKIPPED,
    `digests` is empty for SKIPPED. `flags` are those that COPIED messages went with, or got from us since
    (`flags.fold_flags`, `flag_sync`).
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

    def digest_at(self, index: int) -> bytes:
        return digest_at(self.digests, index)


@dataclass(frozen=True, slots=True)
class Intent:
    """Written before an append: what is about to be sent, and the UIDNEXT it will land at or above."""

    import_id: ImportId
    source: FolderRef
    source_uids: tuple[Uid, ...]
    destination: FolderRef
    uidnext: Uid
    digests: bytes
    sizes_bytes: tuple[int, ...]
    sent_at: datetime
    flags: str = ""  # as in Receipt
    slot: int = 0  # of the lane that sent it: a folder has at most one open intent per slot

    def digest_at(self, index: int) -> bytes:
        return digest_at(self.digests, index)


class RefusalCode(StrEnum):
    """Why something could not be copied, for programs; `Refusal.reason` has the words. See docs/api.md."""

    NOT_HANDED_OUT = "not_handed_out"  # the source lists the message and does not give it
    TOO_LARGE = "too_large"  # for the destination
    NOT_TAKEN = "not_taken"  # the destination refused the message
    BREAKS_CONNECTION = "breaks_connection"  # the destination hangs up whenever it is stored
    FOLDER_UNUSABLE = "folder_unusable"  # it cannot be opened, created or written to, on one of the sides
    PARTLY_SHOWN = "partly_shown"  # the source shows only a part of the folder
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message that could not be copied; or a folder that could not be opened (`uid` None), with `count`
    messages, 0 when nobody knows how many. `partly`: of that folder the server shows only a part, and that
    part was copied."""

    import_id: ImportId
    folder: str
    uidvalidity: UidValidity
    uid: Uid | None
    reason: str
    date: str = ""
    subject: str = ""
    size_bytes: int = 0
    count: int = 1
    partly: bool = False
    code: RefusalCode = RefusalCode.OTHER


@dataclass(frozen=True, slots=True)
class FolderTally:
    """The account of one source folder. `found` is what the source showed; `adds_up` holds at the end.

    The recount is independent of the copier: `confirmed` of the `copied` messages stood at the
    destination when it was looked through again; `source_recount` is what the source then showed.
    `elsewhere` messages have this folder's label and are accounted for in another label's folder.
    `flags_updated` messages were there already and got the flags that the source has by now.
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

    @property
    def skipped_total(self) -> int:
        return sum(self.skipped.values())

    @property
    def adds_up(self) -> bool:
        return self.found == self.copied + self.present + self.duplicate + self.skipped_total + self.failed


@dataclass(frozen=True, slots=True)
class FolderCheckpoint:
    """A folder that was copied to its end, without a refusal: as long as both sides say the same of it,
    there is nothing to look for. `status` is the source's, `account` that of import `import_id`."""

    import_id: ImportId
    status: FolderStatus
    destination: FolderRef
    highest_uid: Uid  # of our messages there, 0 if there are none
    tally: FolderTally
