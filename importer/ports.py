"""What the engine and the use cases need from the world: Protocols only.

Every port has one contract suite in tests/contract, run against memory and every real implementation.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol

from importer.domain.access import Visit, VisitId
from importer.domain.allowance import Backoff, HourlyBytes
from importer.domain.clients import ApiToken, TokenId
from importer.domain.labels import LabelRule
from importer.domain.model import (
    Account,
    AppendResult,
    Batch,
    BatchId,
    Folder,
    FolderAccount,
    FolderMark,
    FolderRef,
    FolderStatus,
    HeaderLines,
    Hierarchy,
    Import,
    ImportId,
    Intent,
    KeywordRule,
    Message,
    NotHandedOut,
    Outgoing,
    Outline,
    Progress,
    Quota,
    Receipt,
    Refusal,
    Route,
    State,
    Wish,
)
from importer.domain.report import BatchReport, Report
from importer.domain.uidset import Uid, UidSet, UidValidity
from importer.domain.undo import UndoReport
from providers.errors import FolderUnusable, Side
from providers.grants import Credential
from providers.model import Secret


class Clock(Protocol):
    """The time, so that tests can turn it."""

    def now(self) -> datetime:
        """The instant, aware, UTC."""
        ...

    def sleep(self, seconds: float) -> None: ...


# --- A mailbox ----------------------------------------------------------------------------------


class MailboxSession(Protocol):
    """One logged-in connection to one mailbox, for one thread.

    Reads reconnect by themselves a few times before they raise ConnectionLost; `append` never does:
    when it raises ConnectionLost, nobody knows what landed. Folder names are decoded, in the server's
    own hierarchy. Every method may raise ConnectionLost, ProtocolViolation, ServerUnavailable,
    Throttled, LoginRejected or GrantExpired; methods that name a folder may raise FolderUnusable;
    methods that take a FolderRef raise FolderChanged when the folder's UIDVALIDITY is another.
    """

    side: Side

    def hierarchy(self) -> Hierarchy: ...

    def folders(self) -> Sequence[Folder]:
        """Every folder of the personal namespace, unselectable ones included, in the server's order."""
        ...

    def status(self, folder: str) -> FolderStatus: ...

    def statuses(self, folders: Sequence[str]) -> Mapping[str, FolderStatus | FolderUnusable]:
        """The status of many folders in few round trips; for one that cannot be opened, why."""
        ...

    def folders_and_statuses(
        self, *, modseqs: bool = False
    ) -> tuple[Sequence[Folder], Mapping[str, FolderStatus | FolderUnusable]]:
        """`folders`, and `statuses` of those that can be selected, in as few round trips as there can be;
        with `modseqs`, the highest modification sequence of each where the server keeps one."""
        ...

    def has_labels(self) -> bool:
        """Whether the host has labels and no folders (X-GM-EXT-1): at a source, a LabelView decides then what
        its folders show."""
        ...

    def unshown(self) -> Mapping[str, str]:
        """Folder -> a sentence, where the server is known to show only a part of the mail, for the report.
        To be asked after `statuses`."""
        ...

    def uids(self, folder: FolderRef, at_or_above: Uid = Uid(1)) -> UidSet:
        """The UIDs that the folder holds now."""
        ...

    def sizes(self, folder: FolderRef, uids: UidSet) -> Iterator[tuple[Uid, int]]:
        """(UID, RFC822.SIZE in bytes), ascending, lazily; vanished messages are left out."""
        ...

    def headers(self, folder: FolderRef, uids: UidSet) -> Iterator[HeaderLines]:
        """Identifying headers, in any order, lazily; vanished messages are left out."""
        ...

    def messages(self, folder: FolderRef, uids: UidSet) -> Iterator[Message | NotHandedOut]:
        """Whole messages, in any order, lazily, without marking them as read; vanished ones are left out.

        For a message that the server cannot hand out NotHandedOut comes instead.
        """
        ...

    def create(self, folder: str) -> None:
        """Creates the folder; already there is fine. Raises FolderUnusable."""
        ...

    def subscribe(self, folder: str) -> None: ...

    def establish(self, create: Sequence[str], subscribe: Sequence[str]) -> Collection[str]:
        """`create` and then `subscribe` for many folders, in few round trips. Returns those that the
        server will not have; whoever needs one is told why then."""
        ...

    def open_for_appending(self, folder: str) -> tuple[FolderStatus, KeywordRule | None]:
        """How a destination folder stands, and which keywords it stores for good; None when it takes
        nothing at all. Later appends into it may be faster."""
        ...

    def append_limit_bytes(self) -> int | None:
        """The largest message the server takes (RFC 7889), None if it does not say."""
        ...

    def append(self, folder: FolderRef, messages: Sequence[Outgoing]) -> Sequence[AppendResult]:
        """Stores the messages in order and says for each what became of it.

        Raises ConnectionLost when the outcome is unknown, QuotaExceeded when the mailbox is full
        (some may have landed in both cases: look before repeating).
        """
        ...

    def begin_append(
        self, folder: FolderRef, messages: Sequence[Outgoing]
    ) -> Callable[[], Sequence[AppendResult]]:
        """Sends the messages; the function that it returns waits for what became of them, as `append` says.

        More may be begun before that, each to be waited for once. Either of the two raises what `append`
        raises; what this one raised was not begun, or nobody knows.
        """
        ...

    def flags(
        self, folder: FolderRef, uids: UidSet, changed_since: int = 0
    ) -> Iterator[tuple[Uid, tuple[str, ...]]]:
        """The flags of messages, without \\Recent, in any order, lazily; vanished ones are left out. With
        `changed_since` (a highest modification sequence) those may be left out that did not change after."""
        ...

    def change_flags(
        self, folder: FolderRef, uids: UidSet, add: Sequence[str], remove: Sequence[str]
    ) -> bool:
        """Changes these flags of these messages and no others; messages that are gone do not matter. False
        when the server will not, or not for all. Safe to repeat. Raises ValueError at a source."""
        ...

    def outlines(self, folder: FolderRef, uids: UidSet) -> Iterator[Outline]:
        """Size and date of messages, in any order, lazily; vanished ones are left out."""
        ...

    def folder_bytes(self, folders: Sequence[str]) -> Mapping[str, int]:
        """What the messages of those folders weigh, exactly, in few round trips; folders whose size the
        server does not tell are missing (RFC 8438: STATUS=SIZE)."""
        ...

    def quota(self) -> Quota | None:
        """That of INBOX, the tightest where there are several; None where the server tells none."""
        ...

    def removes_exactly(self) -> bool:
        """Whether `remove` can be told which messages to remove (UIDPLUS, RFC 4315 section 2.1)."""
        ...

    def remove(self, folder: FolderRef, uids: UidSet, *, unchanged_since: int = 0) -> UidSet:
        """Removes these messages and no other, for good. Those that are gone already are gone.

        With `unchanged_since` (a modification sequence of the folder) those stay, and are what is returned,
        whose flags changed later; the server tells them apart in one step. Without it, and where servers keep
        no such sequences, nothing stays.

        Only where `removes_exactly`; FolderUnusable elsewhere. Safe to repeat. Raises ValueError at a source.
        """
        ...

    def remove_folder(self, folder: FolderRef) -> None:
        """Removes a folder that holds nothing, and its subscription. Raises FolderUnusable when there is
        mail in it, folders are inside it, or the server will not."""
        ...

    def close(self) -> None:
        """Logs out; never raises."""
        ...


def _nothing_settled() -> Iterable[tuple[FolderRef, UidSet]]:
    return ()


@dataclass(frozen=True, eq=False)
class LabelView:
    """How the folders of a source with labels are shown: one object per leg, given with each of its
    sessions, so that they show the same. `settled` tells where messages were put before: source folder and
    UIDs, as receipts and intents have them."""

    rule: LabelRule = LabelRule.ONE
    settled: Callable[[], Iterable[tuple[FolderRef, UidSet]]] = _nothing_settled


class SessionFactory(Protocol):
    """Opens sessions."""

    def open(
        self, account: Account, credential: Credential, side: Side, labels: LabelView | None = None
    ) -> MailboxSession:
        """Connects and logs in: with a password for a Secret, else with an access token, fetched before
        connecting and once more when the host refuses it. Raises any MailError of scope session or
        account. With `labels`, a host that has labels shows them as folders with a message each, to be read
        only; other hosts are as they are."""
        ...


# --- The ledger -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on `name` until it expires. `fence` grows with every new holder."""

    name: str
    owner: str
    fence: int


class LeaseLost(Exception):
    """Somebody else holds the lease now; nothing was written."""


class Leases(Protocol):
    """Leases by name, with fencing."""

    def acquire(self, name: str, owner: str, now: datetime, ttl: timedelta) -> Lease | None:
        """A new lease, or None while another holder's has not expired (the same owner's counts too)."""
        ...

    def renew(self, lease: Lease, now: datetime, ttl: timedelta) -> bool:
        """False when it is no longer ours."""
        ...

    def holder(self, name: str, now: datetime) -> str | None:
        """Who holds it, None when nobody does."""
        ...

    def release(self, lease: Lease) -> None:
        """Gives it back; a lease that is no longer ours is left alone."""
        ...


@dataclass(frozen=True, slots=True)
class Copies:
    """One receipt of copies, with its `number` in the ledger, and those that undo was about to remove when
    it was last seen (`undoing`, destination UIDs)."""

    number: int
    receipt: Receipt
    undoing: UidSet = UidSet()


class Ledger(Protocol):
    """Receipts, intents, refusals and the folder map, by route. Writing methods raise LeaseLost
    (and write nothing) unless `lease` is still the holder's; each is one transaction."""

    def folder_map(self, route: Route) -> Mapping[str, str]:
        """Source folder -> destination folder, as chosen when the folder was first planned."""
        ...

    def map_folders(self, route: Route, mapping: Mapping[str, str], lease: Lease) -> None: ...

    def mailbox_epoch(self, route: Route) -> UidValidity | None:
        """UIDVALIDITY of the destination's INBOX at the last import: another one is another mailbox."""
        ...

    def set_mailbox_epoch(self, route: Route, epoch: UidValidity, lease: Lease) -> None:
        """Removes the route's detached receipts and marks with it: they spoke of the mailbox before."""
        ...

    def marks(self, route: Route) -> Mapping[str, FolderMark]:
        """Source folder -> its mark."""
        ...

    def mark(self, route: Route, mark: FolderMark, lease: Lease) -> None:
        """Replaces the mark of that source folder (`mark.account.source_folder`)."""
        ...

    def receipts(self, route: Route, destination_folder: str) -> Iterator[Receipt]:
        """All receipts into that folder that count, oldest first, of any UIDVALIDITY."""
        ...

    def detach(self, route: Route, destination_folder: str, uidvalidity: UidValidity, lease: Lease) -> None:
        """That folder is gone: its receipts get ANY_UIDVALIDITY and no destination UIDs."""
        ...

    def attach(self, route: Route, destination_folder: str, uidvalidity: UidValidity, lease: Lease) -> None:
        """A new folder stands in its place: detached receipts get its UIDVALIDITY, without UIDs."""
        ...

    def copies(self, route: Route, import_id: ImportId) -> Iterator[Copies]:
        """That import's COPIED receipts that are not undone, folder by folder, oldest first."""
        ...

    def copies_into(self, route: Route, destination_folder: str) -> Iterator[Copies]:
        """All COPIED receipts into that folder that are not undone, of every import, oldest first."""
        ...

    def note_flags(self, flags: Mapping[int, str], lease: Lease) -> None:
        """Receipt number -> the flags that are remembered from now on (`flags.fold_flags`)."""
        ...

    def undone(self, route: Route, import_id: ImportId) -> Mapping[FolderRef, int]:
        """How many of that import's copies were undone, by the folder they stood in."""
        ...

    def note_undoing(self, number: int, uids: UidSet, lease: Lease) -> None:
        """Before they are removed: those of the copies that are about to be. Replaces what was noted."""
        ...

    def undo_copies(self, number: int, uids: UidSet, lease: Lease) -> None:
        """After they were removed: these copies count no more, so that another import may bring them again.
        The marks of their folder are forgotten."""
        ...

    def undo_followers(self, route: Route, import_id: ImportId, folder: str, lease: Lease) -> None:
        """What was settled as present or duplicate in that folder because of copies that are undone now
        counts no more either; its marks are forgotten. Safe to repeat."""
        ...

    def note_created(self, import_id: ImportId, folders: Sequence[str], lease: Lease) -> None:
        """Before they are created: destination folders that were not there."""
        ...

    def created(self, import_id: ImportId) -> Sequence[str]:
        """Those that it noted, each once, in that order."""
        ...

    def forget_folder(self, route: Route, import_id: ImportId, folder: str, lease: Lease) -> None:
        """An undone import's folder is gone: nothing is mapped to it, marked or noted as created any more."""
        ...

    def intents(self, route: Route, destination_folder: str) -> Sequence[Intent]:
        """The open ones, by slot."""
        ...

    def note_intent(self, route: Route, intent: Intent, lease: Lease) -> None:
        """Replaces the folder's intent of that slot."""
        ...

    def record(
        self,
        route: Route,
        destination_folder: str,
        receipts: Sequence[Receipt],
        refusals: Sequence[Refusal],
        lease: Lease,
        *,
        closes_slot: int | None = None,
    ) -> None:
        """Adds receipts and refusals, and removes the folder's intent of `closes_slot` with them."""
        ...

    def refusals(self, import_id: ImportId) -> Iterator[Refusal]:
        """In the order of recording, a page at a time."""
        ...


# --- The store --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SealedGrants:
    """What lets an import into its two mailboxes (`providers.grants`), as the vault sealed it."""

    source: bytes
    destination: bytes


@dataclass(frozen=True, slots=True)
class ConsentRequest:
    """The owner of one side who was asked to sign in for one import, over a link that works until
    `expires_at`.

    The link's token is kept as `token_hash`, to find the consent by, and sealed, to show the link again.
    `state_hash` and `question` (sealed) belong to the sign-in that was begun last, empty before.
    """

    import_id: ImportId
    side: Side
    token_hash: str
    token: bytes
    asked_at: datetime
    expires_at: datetime
    state_hash: str = ""
    question: bytes = b""


class Consents(Protocol):
    """Owners who are asked; at most one consent for each side of an import. It ends with the import."""

    def add_consent(self, consent: ConsentRequest) -> ConsentRequest:
        """The one that stands: this one, or the one that was there."""
        ...

    def consents_of(self, import_id: ImportId) -> Mapping[Side, ConsentRequest]: ...

    def consent_by_token(self, token_hash: str) -> ConsentRequest | None: ...

    def consent_by_state(self, state_hash: str) -> ConsentRequest | None:
        """None for an empty hash."""
        ...

    def begin_consent(self, import_id: ImportId, side: Side, state_hash: str, question: bytes) -> bool:
        """Replaces the sign-in that was begun; False when there is nothing to begin any more."""
        ...

    def give_consent(self, import_id: ImportId, side: Side, state_hash: str, sealed: bytes) -> bool:
        """In one transaction: removes the consent, if that sign-in is its last one, keeps the sealed grant
        for that side, and the import waits no longer (`not_before`, `problem`). Else False, and nothing
        is written; so too when the import has ended."""
        ...

    def keep_grant(self, import_id: ImportId, side: Side, sealed: bytes, lease: Lease) -> None:
        """Replaces the grant of that side. Raises LeaseLost unless the lease still holds."""
        ...


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


CALLS_KEPT_FOR: Final = timedelta(days=100)
"""Longer than an owner may take to sign in: nobody is told of the same twice."""


class CallState(StrEnum):
    """Where a call to a webhook stands."""

    PENDING = "pending"
    DONE = "done"
    GIVEN_UP = "given up"


@dataclass(frozen=True, slots=True)
class Call:
    """One event for one webhook. `key` is unique: posting the same key again changes nothing. `hook` names
    the webhook, whose address and secret are looked up when it is called."""

    key: str
    hook: str
    event_id: str
    body: str
    created_at: datetime
    state: CallState = CallState.PENDING
    attempts: int = 0
    not_before: datetime | None = None
    error: str = ""


class Calls(Protocol):
    """Webhooks to be called, each at least once."""

    def post_calls(self, calls: Sequence[Call]) -> None:
        """Adds those whose key is new."""
        ...

    def due_calls(self, now: datetime, limit: int = 50) -> Sequence[Call]:
        """PENDING ones whose `not_before` has come, oldest first."""
        ...

    def claim_call(self, key: str, now: datetime, until: datetime) -> bool:
        """Nobody else's until then; counts an attempt. False when it is not due (any more)."""
        ...

    def settle_call(
        self, key: str, state: CallState, *, error: str = "", not_before: datetime | None = None
    ) -> None: ...

    def calls(self) -> Sequence[Call]:
        """Oldest first."""
        ...


class Budgets(Protocol):
    """What all workers together may still ask of accounts and hosts; each method is one transaction.

    Names are the caller's: they tell an account, a host, or the direction of bytes.
    """

    def take_slots(
        self, holder: str, wanted: Sequence[tuple[str, int]], now: datetime, ttl: timedelta
    ) -> bool:
        """Takes one slot under each name of (name, most at a time), or none at all (False). A slot that
        is neither renewed nor released is free again after `ttl`; a holder may have any number."""
        ...

    def renew_slots(self, holder: str, now: datetime, ttl: timedelta) -> None: ...

    def release_slots(self, holder: str) -> None: ...

    def count_bytes(self, name: str, now: datetime, size_bytes: int) -> None: ...

    def counted_bytes(self, name: str, now: datetime) -> Sequence[HourlyBytes]:
        """Of the last 24 hours, the hour that they began in as a whole; oldest first."""
        ...

    def back_off(self, backoff: Backoff) -> None:
        """The later of this and what was said of the same name before counts."""
        ...

    def backoff(self, names: Sequence[str], now: datetime) -> Backoff | None:
        """Of those that are not over, the one that lasts longest."""
        ...


class Visits(Protocol):
    """Who is signed in, and how often something was tried."""

    def add_visit(self, visit: Visit) -> None: ...

    def visit(self, visit_id: VisitId, now: datetime) -> Visit | None:
        """None for one that has ended or expired."""
        ...

    def save_visit(self, visit_id: VisitId, sealed: bytes, before: bytes) -> bool:
        """Replaces what the visit remembers; False, and nothing is written, when it has ended or remembers
        something else than `before` by now."""
        ...

    def end_visit(self, visit_id: VisitId) -> None: ...

    def count(self, key: str, now: datetime, span: timedelta) -> int:
        """Counts one more under `key`, and says how many there are in the span that the first of them
        began; when it is over, counting starts anew."""
        ...

    def uncount(self, key: str) -> None:
        """Takes one back; never below zero."""
        ...

    def sweep(self, now: datetime) -> None:
        """Removes visits, counts and kept answers that are over, and calls of long ago."""
        ...


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """A request that may be sent again without being done again. `fingerprint` tells it from others; until
    it is answered `status` is None. `sealed` is the answer, for the vault."""

    fingerprint: str
    status: int | None = None
    sealed: bytes = b""


class Clients(Protocol):
    """Programs that call: their tokens, and what was answered to requests with a key of theirs."""

    def add_token(self, token: ApiToken) -> None: ...

    def token_by_digest(self, digest: str) -> ApiToken | None:
        """Revoked and expired ones too."""
        ...

    def tokens(self) -> Sequence[ApiToken]:
        """All there ever were, newest first."""
        ...

    def revoke_token(self, token_id: TokenId, now: datetime) -> ApiToken | None:
        """Sets `revoked_at` if it is not set, and returns the token; None if there is none."""
        ...

    def begin_request(
        self, token_id: TokenId, key: str, fingerprint: str, now: datetime, until: datetime
    ) -> KeptAnswer | None:
        """None: it is the caller's to do, and until then nobody else's. Else what is known of the key."""
        ...

    def keep_answer(self, token_id: TokenId, key: str, status: int, sealed: bytes, until: datetime) -> None:
        """The request is done; the answer is kept until then."""
        ...

    def forget_request(self, token_id: TokenId, key: str) -> None:
        """It was not done: the key is free again. What is answered stays."""
        ...


class RouteUnderWay(Exception):
    """An import of the same route is under way already; nothing was added."""


class Store(Leases, Ledger, Outbox, Budgets, Consents, Visits, Clients, Calls, Protocol):
    """The truth: batches, imports, sealed grants and accounts, beside ledger, leases, outbox, budgets,
    consents, visits, clients and calls."""

    def add_batch(self, batch: Batch, imports: Sequence[tuple[Import, SealedGrants | None]]) -> None:
        """All or nothing. Raises RouteUnderWay when a route has an import with grants that has not
        ended and is to get another with grants."""
        ...

    def batch(self, batch_id: BatchId) -> Batch | None: ...

    def batches(
        self, limit: int = 50, *, owner: str | None = None, after: BatchId | None = None
    ) -> Sequence[Batch]:
        """Newest first; with an owner, only theirs; with `after`, those that follow it in that order."""
        ...

    def import_(self, import_id: ImportId) -> Import | None: ...

    def imports(
        self,
        *,
        batch_id: BatchId | None = None,
        ids: Sequence[ImportId] | None = None,
        states: Sequence[State] = (),
        owner: str | None = None,
        after: ImportId | None = None,
        limit: int = 200,
    ) -> Sequence[Import]:
        """Newest first; those of a batch in the order of their rows. With `ids`, only those of them; with
        an owner, only those of their batches; with `after`, those that follow it (of all batches)."""
        ...

    def latest_import(self, route: Route) -> Import | None:
        """The one of that route that has grants and has not ended; if there is none, the newest."""
        ...

    def update_import(self, changed: Import, lease: Lease | None = None) -> None:
        """Replaces the import's changeable part (state, problem, not_before, attempts, started_at,
        finished_at, held_up_since). With a lease: raises LeaseLost unless it still holds."""
        ...

    def wish(self, import_id: ImportId, wish: Wish | None) -> Import | None:
        """Notes what a person wants of the import; None: that it goes on. Needs no lease: who has it does
        what is wanted. One that has ended, or is to be cancelled, stays as it is. Returns it as it is then,
        None if there is no such import."""
        ...

    def finish_import(
        self,
        changed: Import,
        notices: Sequence[Notice],
        lease: Lease,
        *,
        password_mark: str | None = None,
        calls: Sequence[Call] = (),
    ) -> bool:
        """In one transaction: `update_import`, erase its grants and its consent, post notices and calls. With
        a `password_mark`: False, and nothing is written, when the import has another one by now."""
        ...

    def set_progress(self, import_id: ImportId, progress: Progress, lease: Lease) -> None:
        """Raises LeaseLost unless the lease still holds."""
        ...

    def due_imports(self, now: datetime, limit: int = 100) -> Sequence[ImportId]:
        """Those with grants that have not ended and whose lease (`import:<id>`) is free or expired, when
        their `not_before` has come or a wish is not yet done, oldest first."""
        ...

    def grants(self, import_id: ImportId) -> SealedGrants | None:
        """None once they were erased."""
        ...

    def replace_grants(self, import_id: ImportId, sealed: SealedGrants, password_mark: str) -> bool:
        """Replaces both, and the import waits no longer (`not_before`) unless it is paused. False, and
        nothing is written, when it has ended or has no grants."""
        ...

    def save_account(self, import_id: ImportId, account: FolderAccount, lease: Lease) -> None:
        """Replaces the account of that source folder. Raises LeaseLost unless the lease still holds."""
        ...

    def accounts(self, import_id: ImportId) -> Sequence[FolderAccount]:
        """In the order first saved."""
        ...

    def save_undo(self, report: UndoReport, lease: Lease) -> None:
        """Replaces the report of an earlier undo of that import. Raises LeaseLost."""
        ...

    def undo_report(self, import_id: ImportId) -> UndoReport | None:
        """None while it was not undone to its end."""
        ...


# --- The rest ---------------------------------------------------------------------------------------


class Queue(Protocol):
    """The doorbell. Losing a ring, or hearing it twice, changes nothing."""

    def ring(self, import_id: ImportId, delay: timedelta = timedelta(0)) -> None: ...

    def ring_mail(self) -> None:
        """There may be notices to send."""
        ...


class Vault(Protocol):
    """Seals secrets for the store."""

    def seal(self, secret: Secret, context: str) -> bytes:
        """Sealed for `context` (which import, which side): it opens for no other."""
        ...

    def open(self, sealed: bytes, context: str) -> Secret:
        """Raises VaultError when the key, the context or the bytes do not fit."""
        ...

    def mark(self, *secrets: Secret) -> str:
        """A keyed fingerprint, equal for equal secrets, of no use without the key."""
        ...


class Unusable(Exception):
    """A part of the installation that its operator has to mend; the text says which, why and how."""


class OwnDiskFull(Unusable):
    """The disk that Mailferry keeps its own files or its database on takes nothing more. No host's fault and
    no owner's: what was not written is done again when there is room."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"Mailferry's own disk takes nothing more ({reason}). Nothing is lost: it goes on by itself as"
            " soon as its operator has made room."
        )
        self.reason = reason


class VaultError(Unusable):
    """A sealed secret cannot be opened: wrong key, wrong row, or damaged."""


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


class Caller(Protocol):
    """Calls webhooks."""

    def call(self, url: str, body: bytes, headers: Mapping[str, str]) -> str:
        """POSTs the body; "" when it was answered with a 2xx, else why not. Never raises."""
        ...


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


class Budget(Protocol):
    """How much one leg may still do; the engine looks at it between batches. For any thread."""

    def count(self, side: Side, size_bytes: int) -> None:
        """So many bytes of messages were read from the source, or sent to the destination."""
        ...

    def spent(self) -> bool:
        """True when the leg has to end: time, bytes, or the worker wants to stop. Raises LeaseLost."""
        ...


class Observer(Protocol):
    """Told as it happens; for progress."""

    def progressed(self, progress: Progress) -> None: ...

    def account_changed(self, account: FolderAccount) -> None: ...
