"""Copies one batch over one lane in three steps: fetch it; decide about each message and send the new ones;
conclude it.

Fetching uses only the lane's source, sending and concluding only its destination (except for a batch that is
fetched again), so that a lane can fetch one batch while it sends another, and can send the next before the
last one is concluded.

Invariants:
- The ledger holds an intent before an append is sent. The intent is removed by the transaction that records
  what was stored, or once the server has refused the whole batch. In between the batch is doubtful, and
  `settle` decides.
- `conclude` records exactly one outcome for each message of a batch, all in one ledger transaction, except
  for messages that are deferred or left to the next leg. If the append fails, the messages that it did store
  are recorded and the rest stay without an outcome.
- The bodies of several messages are released once they are sent. If the server refuses them together, the
  destination is searched for them, and those that it does not hold are fetched again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from math import inf
from typing import Final, NamedTuple

from importer.compact.uid_set import Uid, UidSet
from importer.domain.messages.date_and_subject import date_and_subject
from importer.domain.messages.flags import fold_flags
from importer.domain.messages.message_identity import digest_of_sent, header_block, with_crlf
from importer.domain.messages.normalise import fit_flags, fit_internaldate
from importer.domain.messages.stored_changes import content_marks
from importer.domain.model import (
    CHANGED_ELSEWHERE,
    AppendResult,
    Intent,
    Message,
    NotHandedOut,
    Outcome,
    Outgoing,
    Receipt,
    Refusal,
    RefusalCode,
    Rejected,
    Stored,
)
from importer.domain.planning.message_batches import MessageBatch
from importer.domain.planning.server_limits import MAX_UNSTATED_BYTES
from importer.domain.reporting.formatting import spoken_bytes
from importer.engine.folder_copy import Deferred, FolderCopy
from importer.engine.held_back import HeldMessage
from importer.engine.leg_context import Lane
from importer.engine.settle import SettlingWait, settle_answered, settle_lost
from providers.errors import ConnectionLost, FolderUnusable, MailError, Side

VANISHED: Final = "removed from the old mailbox while it was being copied"
ENDED_CONNECTION: Final = "the new mailbox ended the connection each time it was to be stored"
NOT_HANDED_OUT: Final = "the old server lists it but does not deliver it"
MAX_UNREAD_ATTEMPTS: Final = 4
"""Legs without progress in a row after which a message that breaks the connection is refused. Together these
legs wait for half a minute, in which a disturbed network recovers."""

NOT_COMPARED: Final = (
    "it may be in the new mailbox already: the new server lists such a message but does not deliver it"
)

LEGS_WITH_SECOND_ATTEMPTS: Final = 2
"""Legs without progress from which on a refused message is not tried again: there was no time for it."""

OWN_NOTICE: Final = "completion mail of an earlier import"


class MessageKey(NamedTuple):  # one per message, so a NamedTuple, as Message is
    """The identity of a message, held while its outcome is open."""

    uid: Uid
    size_bytes: int
    header: bytes
    digest: bytes  # of the body
    marks: int = 0  # of the content


def _held(key: MessageKey) -> HeldMessage:
    return HeldMessage(key.uid, key.size_bytes, key.header, key.digest)


class _Fetched(NamedTuple):  # likewise
    """A message and its key."""

    message: Message
    key: MessageKey


def _fetched(message: Message) -> _Fetched:
    body = original = message.body
    if isinstance(original, bytes):
        body = with_crlf(original)
        message = message if body is original else message._replace(body=body)
    header = (message.header if body is original else b"") or header_block(body)
    marks = content_marks(body, header, original)
    return _Fetched(message, MessageKey(message.uid, len(body), header, digest_of_sent(body), marks))


@dataclass(slots=True)
class FetchedBatch:
    """The result of reading a batch: messages by ascending UID, refusals, and the UIDs that the source no
    longer lists."""

    messages: list[_Fetched] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    vanished: UidSet = UidSet()


@dataclass(slots=True)
class _Decided:
    """The decision about each message of a batch.

    `settled` holds (outcome, reason, source UID, digest, destination UID) of messages that are not sent.
    """

    new: list[MessageKey] = field(default_factory=list)
    twins: list[MessageKey] = field(default_factory=list)  # same content as one of `new`
    settled: list[tuple[Outcome, str, Uid, bytes, Uid | None]] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)


def fetch_batch(pair: FolderCopy, lane: Lane, batch: MessageBatch, *, whole: bool = False) -> FetchedBatch:
    """Read one batch, over the lane's source alone. Raises what the session raises.

    If the messages are far larger than the source stated (MAX_UNSTATED_BYTES), only some of them are read,
    and the rest is returned to the queue, unless all are wanted (`whole`).
    """
    return _BatchReader(pair, lane, batch, whole=whole).run()


class _BatchReader:
    def __init__(self, pair: FolderCopy, lane: Lane, batch: MessageBatch, *, whole: bool) -> None:
        self._most_bytes = inf if whole else batch.total_bytes + MAX_UNSTATED_BYTES
        self._pair = pair
        self._lane = lane
        self._batch = batch

    def run(self) -> FetchedBatch:
        result = FetchedBatch()
        batch, limit = self._batch, self._pair.target.limit_bytes
        alone = len(batch.uids) == 1
        too_large = batch.uids if alone and limit is not None and batch.total_bytes > limit else UidSet()
        unreadable: dict[Uid, NotHandedOut] = {}
        wanted = batch.uids - too_large
        size_bytes = 0
        for message in self._lane.source.messages(self._pair.source, wanted):
            if isinstance(message, NotHandedOut):
                unreadable[message.uid] = message
            else:
                result.messages.append(_fetched(message))
                size_bytes += len(message.body)
            if size_bytes > self._most_bytes:
                wanted = self._return_rest(wanted, result, unreadable)
                break
        self._pair.leg.budget.count(Side.SOURCE, sum([item.key.size_bytes for item in result.messages]))
        missing = wanted - UidSet.of([item.key.uid for item in result.messages])
        if missing:
            self._sort_missing(result, missing, unreadable)
        if too_large:
            reason = f"larger than the new mailbox accepts ({spoken_bytes(limit or 0)})"
            result.refusals += self._refusals(dict.fromkeys(too_large, reason), RefusalCode.TOO_LARGE)
        result.messages.sort(key=lambda item: item.key.uid)
        return result

    def _return_rest(
        self, wanted: UidSet, result: FetchedBatch, unreadable: dict[Uid, NotHandedOut]
    ) -> UidSet:
        """Return the messages that were not read yet to the queue, and the others to the caller."""
        read = UidSet.of([*(item.key.uid for item in result.messages), *unreadable])
        if rest := wanted - read:
            self._pair.return_batch(MessageBatch(rest, 0))
        return read

    def _sort_missing(
        self, result: FetchedBatch, missing: UidSet, unreadable: dict[Uid, NotHandedOut]
    ) -> None:
        """Sort messages that were requested and not handed out: vanished if the source no longer lists them,
        else refused.

        A server may still show a removed message in a session that has the folder open, without its content
        (RFC 2180 section 4.1), so the reason alone decides nothing. A message that broke connections is left
        to the next leg until `MAX_UNREAD_ATTEMPTS` is reached: the network may be the cause.
        """
        still_listed = missing & self._lane.source.uids(self._pair.source)
        result.vanished = missing - still_listed
        if self._pair.leg.import_.attempts < MAX_UNREAD_ATTEMPTS:
            broke_connection = UidSet.of(
                uid for uid in still_listed if uid in unreadable and unreadable[uid].broke_connection
            )
            self._pair.leave_unfetched(broke_connection)
            still_listed -= broke_connection
        reasons = {
            uid: unreadable[uid].reason if uid in unreadable else NOT_HANDED_OUT for uid in still_listed
        }
        beyond_limit = {uid for uid in reasons if uid in unreadable and unreadable[uid].too_large}
        for code, uids in (
            (RefusalCode.NOT_HANDED_OUT, reasons.keys() - beyond_limit),
            (RefusalCode.BEYOND_LIMIT, beyond_limit),
        ):
            if uids:
                result.refusals += self._refusals({uid: reasons[uid] for uid in sorted(uids)}, code)

    def _refusals(self, reasons: dict[Uid, str], code: RefusalCode) -> Iterator[Refusal]:
        """Refusals of messages that were not fetched, with date and subject from their headers."""
        headers: dict[Uid, tuple[bytes, int]] = {}
        try:
            for lines in self._lane.source.headers(self._pair.source, UidSet.of(reasons)):
                headers[lines.uid] = (lines.header, lines.size_bytes)
        except MailError:
            headers.clear()  # not even headers can be read: the report has neither date nor subject
        for uid, reason in reasons.items():
            header, size_bytes = headers.get(
                uid, (b"", self._batch.total_bytes if len(self._batch.uids) == 1 else 0)
            )
            yield _refusal(self._pair, uid, code, reason, header, size_bytes)


@dataclass(frozen=True, slots=True)
class _SentAppend:
    """An append that was sent; `results` waits for its outcome."""

    intent: Intent
    flags: list[tuple[str, ...]]  # per message
    keywords_dropped: list[int]  # per message
    results: Callable[[], Sequence[AppendResult] | None]


class InFlightBatch:
    """A batch on its way into the destination, under an intent of `slot`.

    It uses only the lane's destination; `fetch_again` reads a batch once more after a joint refusal. Methods
    raise what the sessions and the ledger raise; outcomes recorded before an error stay recorded.
    """

    def __init__(
        self,
        pair: FolderCopy,
        lane: Lane,
        slot: int,
        fetch_again: Callable[[MessageBatch], FetchedBatch],
        *,
        apart: bool = False,
    ) -> None:
        """`apart`: a message that is sent alone because of a doubt; a refusal of it counts."""
        self._pair = pair
        self._apart = apart
        self._intent: Intent | None = None
        self._lane = lane
        self._slot = slot
        self._fetch_again = fetch_again
        self._claimed: set[bytes] = set()
        self._decided = _Decided()
        self._sent_append: _SentAppend | None = None

    def send(self, fetched: FetchedBatch) -> bool:
        """Decide about each message of the batch and send the new ones. True if exactly one is sent: its body
        is held until its outcome is known, since a large message should not be fetched twice."""
        decided = self._decided
        decided.refusals += fetched.refusals
        for uid in fetched.vanished:
            decided.settled.append((Outcome.SKIPPED, VANISHED, uid, b"", None))
        new = self._decide(decided, fetched.messages)
        if new:
            self._sent_append = self._append(new)
        return len(new) == 1

    def conclude(self) -> None:
        """Wait for the outcome and record it."""
        decided, append = self._decided, self._sent_append
        self._sent_append = None
        receipts = self._await_receipts(decided, append) if append else []
        self._record(decided, receipts, closes_slot=self._slot if append else None)

    def recover(self, lost: ConnectionLost, wait: SettlingWait) -> list[MessageKey]:
        """Settle an append during which the connection was lost, over a new connection. Return the messages
        that were not stored; they have no outcome then.

        The source must not be in use. `wait` is that of all appends that were under way then; a server that
        said BYE stores nothing more. Raises `lost` if nothing was sent, and what the sessions and the ledger
        raise.
        """
        decided, intent = self._decided, self._intent
        if intent is None:
            raise lost
        wait = SettlingWait() if lost.announced else wait
        self._set_aside(decided, settle_lost(self._pair.leg, self._lane, intent, wait))
        self._record(decided, [])
        return decided.new

    def _set_aside(self, decided: _Decided, landed: Sequence[Receipt]) -> None:
        """Take the messages with these receipts out of those to be sent; their twins are duplicates."""
        self._pair.add_to_history(landed)
        uids = UidSet.of(uid for receipt in landed for uid in receipt.source_uids)
        digests = {key.digest for key in decided.new if key.uid in uids}
        decided.new = [key for key in decided.new if key.uid not in uids]
        decided.settled += [
            (Outcome.DUPLICATE, "", key.uid, key.digest, None)
            for key in decided.twins
            if key.digest in digests
        ]
        decided.twins = [key for key in decided.twins if key.digest not in digests]

    def refuse(self, key: MessageKey, lost: ConnectionLost) -> Refusal:
        """The refusal of a message at which the connection ends."""
        words = f" ({lost.server_text})" if lost.server_text else ""
        return _refusal(
            self._pair,
            key.uid,
            RefusalCode.BREAKS_CONNECTION,
            ENDED_CONNECTION + words,
            key.header,
            key.size_bytes,
        )

    @property
    def sent(self) -> bool:
        """Whether messages were sent, or may have been."""
        return self._intent is not None

    def _record(
        self, decided: _Decided, receipts: Sequence[Receipt], *, closes_slot: int | None = None
    ) -> None:
        self._decided = _Decided()
        self._pair.record(
            [*receipts, *self._settled_receipts(decided)], decided.refusals, closes_slot=closes_slot
        )
        # Last: after a lost reply no other lane may append what may have landed.
        with self._pair.lock:
            self._pair.claims -= self._claimed

    # --- Deciding ----------------------------------------------------------------------------------

    def _decide(self, decided: _Decided, fetched: Sequence[_Fetched]) -> list[_Fetched]:
        """Sort the messages; claim the new ones and return them. Messages with a content that another lane
        has claimed, or has recorded since, are deferred."""
        pair = self._pair
        unsettled = [item for item in fetched if not self._is_settled(decided, item.key)]
        existing = pair.target.foreign.find(
            self._lane.destination,
            [(item.key.digest, item.key.header, item.message.body) for item in unsettled],
        )
        unmatched = [item.key for item in unsettled if item.key.digest not in existing.matches]
        doubtful = pair.doubt_at_once(self._lane, map(_held, unmatched))
        decided.refusals += doubtful
        refused = {refusal.uid for refusal in doubtful}
        new: list[_Fetched] = []
        deferred: dict[Uid, Deferred] = {}
        with pair.lock:
            for item in unsettled:
                key = item.key
                if key.uid in refused:
                    continue
                if (match := existing.matches.get(key.digest)) is not None:
                    reason = CHANGED_ELSEWHERE if match.changed else ""
                    decided.settled.append((Outcome.PRESENT, reason, key.uid, key.digest, match.uid))
                elif key.digest in existing.unknown:
                    decided.refusals.append(
                        _refusal(
                            pair, key.uid, RefusalCode.NOT_COMPARED, NOT_COMPARED, key.header, key.size_bytes
                        )
                    )
                elif key.digest in self._claimed:
                    decided.twins.append(key)
                elif pair.hold_back(_held(key)):
                    continue
                elif key.digest in pair.claims or pair.history.knows(key.digest):
                    deferred[key.uid] = Deferred(key.size_bytes, key.digest)
                else:
                    new.append(item)
                    self._claimed.add(key.digest)
            pair.claims |= self._claimed
            pair.defer(deferred)
        decided.new = [item.key for item in new]
        return new

    def _is_settled(self, decided: _Decided, key: MessageKey) -> bool:
        """Whether the message needs no copying: our own notice, or content that has a receipt."""
        uid = key.uid
        outcome = self._pair.history.again(key.digest)
        if self._pair.leg.is_notice(key.header):
            decided.settled.append((Outcome.SKIPPED, OWN_NOTICE, uid, b"", None))
        elif outcome is not None:
            decided.settled.append((outcome, "", uid, key.digest, None))
        else:
            return False
        return True

    # --- Appending ----------------------------------------------------------------------------------

    def _append(self, new: Sequence[_Fetched], *, individually: bool = False) -> _SentAppend:
        """Note an intent and send the messages. With `individually`, wait for the outcome, and let the server
        accept or refuse each message on its own."""
        pair, leg = self._pair, self._pair.leg
        folder, now = pair.target.folder, leg.clock.now()
        outgoing: list[Outgoing] = []
        dropped: list[int] = []
        marks: list[int] = []
        for item in new:
            flags, count = fit_flags(item.message.flags, pair.target.rule)
            date, changed = fit_internaldate(item.message.internaldate, item.key.header, now)
            marks.append(item.key.marks | changed)
            outgoing.append(Outgoing(item.message.uid, flags, date, item.message.body))
            dropped.append(count)
        flags_of_each = [message.flags for message in outgoing]
        intent = Intent(
            import_id=leg.import_.id,
            source=pair.source,
            source_uids=tuple([message.uid for message in outgoing]),
            destination=folder,
            uidnext=pair.uidnext,
            digests=b"".join([item.key.digest for item in new]),
            sizes_bytes=tuple([item.key.size_bytes for item in new]),
            sent_at=now,
            flags=fold_flags(flags_of_each),
            slot=self._slot,
            marks=bytes(marks) if any(marks) else b"",
        )
        leg.ledger.note_intent(leg.import_.route, intent, leg.lease)
        self._intent = intent
        leg.budget.count(Side.DESTINATION, sum(intent.sizes_bytes))
        with self._settling(intent):
            if individually:
                results = self._lane.destination.append(folder, outgoing)
                return _SentAppend(intent, flags_of_each, dropped, lambda: results)
            wait = self._lane.destination.begin_append(folder, outgoing)
            return _SentAppend(intent, flags_of_each, dropped, wait)

    def _await_receipts(self, decided: _Decided, append: _SentAppend) -> list[Receipt]:
        """Wait for the outcome and return the receipt of what was stored; decide about the twins."""
        with self._settling(append.intent):
            results = append.results()
        if results is not None:
            return self._outcomes(decided, append, results)
        # Refused together. Some servers store a part all the same, against RFC 3502 section 6.3.11.
        self._set_aside(decided, self._settle(append.intent, leave_doubt=False))
        refetched = self._refetch_new(decided) if decided.new else []
        if not refetched:
            return []
        append = self._append(refetched, individually=True)
        return self._outcomes(decided, append, append.results() or ())

    def _refetch_new(self, decided: _Decided) -> list[_Fetched]:
        """Fetch the new messages again and return those whose content is the same.

        Messages that are no longer available are recorded as vanished or refused. A message whose content has
        changed is deferred, and so is each twin of a message that was lost either way: the twin may be the
        last copy.
        """
        wanted = {key.uid: key for key in decided.new}
        total_bytes = sum(key.size_bytes for key in decided.new)
        fetched = self._fetch_again(MessageBatch(UidSet.of(wanted), total_bytes))
        decided.refusals += fetched.refusals
        decided.settled += [(Outcome.SKIPPED, VANISHED, uid, b"", None) for uid in fetched.vanished]
        same = [item for item in fetched.messages if item.key.digest == wanted[item.key.uid].digest]
        uids, digests = {item.key.uid for item in same}, {item.key.digest for item in same}
        deferred = [item.key for item in fetched.messages if item.key.uid not in uids]
        deferred += [key for key in decided.twins if key.digest not in digests]
        decided.new = [item.key for item in same]
        decided.twins = [key for key in decided.twins if key.digest in digests]
        with self._pair.lock:
            self._pair.defer({key.uid: Deferred(key.size_bytes, key.digest) for key in deferred})
        return same

    def _outcomes(
        self, decided: _Decided, append: _SentAppend, results: Sequence[AppendResult]
    ) -> list[Receipt]:
        pair = self._pair
        rejected = {
            key.digest: result
            for key, result in zip(decided.new, results, strict=True)
            if isinstance(result, Rejected)
        }
        self._decide_refused(decided, rejected)
        stored = [i for i, result in enumerate(results) if isinstance(result, Stored)]
        if not stored:
            return []
        pair.leg.appends.stored()
        marks = append.intent.marks
        refused_keywords = sum(r.keywords_dropped for r in results if isinstance(r, Stored))
        reported = (result.uid for result in results if isinstance(result, Stored))
        # Below UIDNEXT it is the UID of an earlier message (RFC 9051 section 2.3.1.1).
        uids = [uid for uid in reported if uid is not None and uid >= append.intent.uidnext]
        if len(uids) < len(stored):
            uids = []
            folder = pair.target.folder.name
            # No UIDPLUS: raise the bound, so that `settle` has few messages to check.
            pair.uidnext = self._lane.destination.status(folder).uidnext
        return [
            self._receipt(
                Outcome.COPIED,
                [decided.new[i].uid for i in stored],
                digests=b"".join(decided.new[i].digest for i in stored),
                destination_uids=tuple(uids),
                size_bytes=sum(decided.new[i].size_bytes for i in stored),
                keywords_dropped=sum(append.keywords_dropped[i] for i in stored) + refused_keywords,
                flags=fold_flags(append.flags[i] for i in stored),
                marks=bytes(marks[i] for i in stored) if marks else b"",
            )
        ]

    @contextmanager
    def _settling(self, intent: Intent) -> Iterator[None]:
        """On an error that leaves the outcome of the append open, settle it where possible."""
        try:
            yield
        except ConnectionLost:
            raise  # the next leg settles it over a new connection
        except FolderUnusable:  # the leg continues without the folder and may reuse the slot
            self._pair.add_to_history(self._settle(intent, leave_doubt=False))
            raise
        except MailError:
            with suppress(MailError):  # the next leg settles it; the first error is the one to raise
                self._pair.add_to_history(self._settle(intent, leave_doubt=True))
            raise

    def _settle(self, intent: Intent, *, leave_doubt: bool) -> list[Receipt]:
        return settle_answered(self._pair.leg, self._lane, intent, leave_doubt=leave_doubt)

    def _decide_refused(self, decided: _Decided, rejected: dict[bytes, Rejected]) -> None:
        """Refuse the messages that the destination refused, with their twins, or try them once more if they
        were not sent apart. Other twins are duplicates."""
        for key in (*decided.new, *decided.twins):
            if key.digest not in rejected:
                continue
            result = rejected[key.digest]
            refusal = _refusal(
                self._pair, key.uid, RefusalCode.NOT_TAKEN, result.reason, key.header, key.size_bytes
            )
            no_time = self._pair.leg.import_.attempts >= LEGS_WITH_SECOND_ATTEMPTS
            if self._apart or result.certain or (no_time and not result.passing):
                decided.refusals.append(refusal)
            else:
                self._pair.doubt_refused(refusal)
        for key in decided.twins:
            if key.digest not in rejected:
                decided.settled.append((Outcome.DUPLICATE, "", key.uid, key.digest, None))

    # --- Receipts -------------------------------------------------------------------------------------

    def _settled_receipts(self, decided: _Decided) -> Iterator[Receipt]:
        groups: dict[tuple[Outcome, str], list[tuple[Uid, bytes, Uid | None]]] = {}
        for outcome, reason, uid, digest, destination_uid in decided.settled:
            groups.setdefault((outcome, reason), []).append((uid, digest, destination_uid))
        for (outcome, reason), members in groups.items():
            destination_uids = tuple(uid for _, _, uid in members if uid is not None)
            yield self._receipt(
                outcome,
                [uid for uid, _, _ in members],
                digests=b"".join(digest for _, digest, _ in members),
                destination_uids=destination_uids if len(destination_uids) == len(members) else (),
                reason=reason,
            )

    def _receipt(
        self,
        outcome: Outcome,
        uids: Sequence[Uid],
        *,
        digests: bytes = b"",
        destination_uids: tuple[Uid, ...] = (),
        size_bytes: int = 0,
        reason: str = "",
        keywords_dropped: int = 0,
        flags: str = "",
        marks: bytes = b"",
    ) -> Receipt:
        return Receipt(
            self._pair.leg.import_.id,
            self._pair.source,
            tuple(uids),
            outcome,
            self._pair.target.folder,
            destination_uids,
            digests,
            size_bytes,
            reason,
            keywords_dropped,
            flags,
            marks,
        )


def _refusal(
    pair: FolderCopy, uid: Uid, code: RefusalCode, reason: str, header: bytes, size_bytes: int
) -> Refusal:
    source = pair.source
    date, subject = date_and_subject(header)
    return Refusal(
        pair.leg.import_.id,
        source.name,
        source.uidvalidity,
        uid,
        reason,
        date,
        subject,
        size_bytes,
        code=code,
    )
