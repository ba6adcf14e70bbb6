"""Copying one batch on one lane: fetch it; decide about each message and send what is new; conclude.

Fetching uses the lane's source alone, sending and concluding its destination, so that a lane can fetch one
batch while it sends another; and the next can be sent before the last one is concluded.

Invariants:
- Before an append there is an intent in the ledger, after it a receipt. Between the two the batch is
  doubtful and `settle` decides.
- Each message of a batch gets exactly one outcome in the same ledger transaction, or is put off.
- What is sent is let go of. If the server refuses several together, none of them is there, and those that
  are wanted again are fetched again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from importer.compact.uid_set import Uid, UidSet
from importer.domain.messages.date_and_subject import date_and_subject
from importer.domain.messages.flag_runs import fold_flags
from importer.domain.messages.message_identity import digest_of_sent, header_block, with_crlf
from importer.domain.messages.normalise import fit_flags, fit_internaldate
from importer.domain.model import (
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
from importer.domain.reporting.formatting import spoken_bytes
from importer.engine.folder_copy import Deferred, FolderCopy
from importer.engine.leg_context import Lane
from importer.engine.settle import settle_answered
from providers.errors import ConnectionLost, FolderUnusable, MailError, Side

VANISHED: Final = "removed from the old mailbox while it was being copied"
NOT_HANDED_OUT: Final = "the old server lists it but does not hand it out"
TRIES_UNREAD: Final = 4
"""Legs in a row that end because a message breaks the connection, until the next one that meets it gives it
up: they wait for half a minute together, and a disturbed network has passed."""

OWN_NOTICE: Final = "completion mail of an earlier import"


class MessageKey(NamedTuple):  # one for each message, as Message is
    """What identifies a message, for as long as its outcome is open."""

    uid: Uid
    size_bytes: int
    header: bytes
    body: bytes  # the digest


class _Fetched(NamedTuple):  # likewise
    """A message with what identifies it."""

    message: Message
    known: MessageKey


def _fetched(message: Message) -> _Fetched:
    if isinstance(message.body, bytes):
        body = with_crlf(message.body)
        message = message if body is message.body else message._replace(body=body)
    whole = message.body
    return _Fetched(message, MessageKey(message.uid, len(whole), header_block(whole), digest_of_sent(whole)))


@dataclass(slots=True)
class FetchedBatch:
    """What reading a batch brought: messages by ascending UID, and those that could not be had."""

    messages: list[_Fetched] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    vanished: UidSet = UidSet()


@dataclass(slots=True)
class _Decided:
    """What is to become of each message of a batch."""

    new: list[MessageKey] = field(default_factory=list)
    twins: list[MessageKey] = field(default_factory=list)  # same content as one of `new`
    settled: list[tuple[Outcome, str, Uid, bytes, Uid | None]] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)


def fetch_batch(pair: FolderCopy, lane: Lane, batch: MessageBatch) -> FetchedBatch:
    """Reads one batch, over the lane's source alone. Raises what the session raises."""
    return _Reading(pair, lane, batch).run()


class _Reading:
    def __init__(self, pair: FolderCopy, lane: Lane, batch: MessageBatch) -> None:
        self._pair = pair
        self._lane = lane
        self._batch = batch

    def run(self) -> FetchedBatch:
        done = FetchedBatch()
        batch, limit = self._batch, self._pair.target.limit_bytes
        alone = len(batch.uids) == 1
        too_large = batch.uids if alone and limit is not None and batch.total_bytes > limit else UidSet()
        unreadable: dict[Uid, NotHandedOut] = {}
        wanted = batch.uids - too_large
        for message in self._lane.source.messages(self._pair.source, wanted):
            if isinstance(message, NotHandedOut):
                unreadable[message.uid] = message
            else:
                done.messages.append(_fetched(message))
        self._pair.leg.budget.count(Side.SOURCE, sum(one.known.size_bytes for one in done.messages))
        missing = wanted - UidSet.of(one.known.uid for one in done.messages)
        if missing:
            self._tally_missing(done, missing, unreadable)
        if too_large:
            reason = f"larger than the new mailbox takes ({spoken_bytes(limit or 0)})"
            done.refusals += self._described(dict.fromkeys(too_large, reason), RefusalCode.TOO_LARGE)
        done.messages.sort(key=lambda one: one.known.uid)
        return done

    def _tally_missing(
        self, done: FetchedBatch, missing: UidSet, unreadable: dict[Uid, NotHandedOut]
    ) -> None:
        """Asked for and not handed out: gone, if the source does not list it any more; else refused.

        A server may show a removed message to those who have the folder open, without its content
        (RFC 2180 section 4.1), so that a reason alone tells nothing. What only broke connections so far is
        left for another leg: that may have been the network.
        """
        still_listed = missing & self._lane.source.uids(self._pair.source)
        done.vanished = missing - still_listed
        if self._pair.leg.import_.attempts < TRIES_UNREAD:
            broke = UidSet.of(
                uid for uid in still_listed if uid in unreadable and unreadable[uid].broke_connection
            )
            self._pair.leave(broke)
            still_listed -= broke
        if still_listed:
            reasons = {
                uid: unreadable[uid].reason if uid in unreadable else NOT_HANDED_OUT for uid in still_listed
            }
            done.refusals += self._described(reasons, RefusalCode.NOT_HANDED_OUT)

    def _described(self, reasons: dict[Uid, str], code: RefusalCode) -> Iterator[Refusal]:
        """Refusals of messages that were not fetched, with what their headers tell."""
        headers: dict[Uid, tuple[bytes, int]] = {}
        try:
            for lines in self._lane.source.headers(self._pair.source, UidSet.of(reasons)):
                headers[lines.uid] = (lines.header, lines.size_bytes)
        except MailError:
            headers.clear()  # the server cannot show even the header: the report goes without
        for uid, reason in reasons.items():
            header, size_bytes = headers.get(
                uid, (b"", self._batch.total_bytes if len(self._batch.uids) == 1 else 0)
            )
            yield _refusal(self._pair, uid, code, reason, header, size_bytes)


@dataclass(frozen=True, slots=True)
class _UnderWay:
    """An append that was sent: what was sent, and how to wait for what became of it."""

    intent: Intent
    flags: list[tuple[str, ...]]  # of each message
    keywords_dropped: list[int]  # for each message
    results: Callable[[], Sequence[AppendResult] | None]


class InFlightBatch:
    """A batch on its way into the destination, under an intent of `slot`. What it does goes over the
    lane's destination alone, but for what has to be fetched again, which `fetch_again` does; it raises what
    the sessions and the ledger raise, and what is recorded stays."""

    def __init__(
        self, pair: FolderCopy, lane: Lane, slot: int, fetch_again: Callable[[MessageBatch], FetchedBatch]
    ) -> None:
        self._pair = pair
        self._lane = lane
        self._slot = slot
        self._fetch_again = fetch_again
        self._claimed: set[bytes] = set()
        self._decided = _Decided()
        self._under_way: _UnderWay | None = None

    def send(self, fetched: FetchedBatch) -> bool:
        """Decides about each message of the batch and sends what is new. True when that is one message,
        which is held until its outcome is known: a large one is better not fetched twice."""
        decided = self._decided
        decided.refusals += fetched.refusals
        for uid in fetched.vanished:
            decided.settled.append((Outcome.SKIPPED, VANISHED, uid, b"", None))
        new = self._decide(decided, fetched.messages)
        if new:
            self._under_way = self._append(new)
        return len(new) == 1

    def conclude(self) -> None:
        """Waits for what became of it, and records that."""
        decided, under_way = self._decided, self._under_way
        self._decided, self._under_way = _Decided(), None
        receipts = self._appended(decided, under_way) if under_way else []
        self._pair.record(
            [*receipts, *self._settled_receipts(decided)],
            decided.refusals,
            closes_slot=self._slot if under_way else None,
        )
        # Only now: after a lost reply nobody else may append what may have landed; the next leg settles it.
        with self._pair.lock:
            self._pair.claims -= self._claimed

    # --- Deciding ----------------------------------------------------------------------------------

    def _decide(self, decided: _Decided, fetched: Sequence[_Fetched]) -> list[_Fetched]:
        """Sorts the messages, and returns what is new: claimed. What another lane has claimed is put off."""
        pair = self._pair
        unknown = [one for one in fetched if not self._is_settled(decided, one.known)]
        there = pair.target.foreign.find(
            self._lane.destination, [(one.known.body, one.known.header, one.message.body) for one in unknown]
        )
        new: list[_Fetched] = []
        put_off: dict[Uid, Deferred] = {}
        with pair.lock:
            for candidate in unknown:
                one = candidate.known
                if one.body in there:
                    decided.settled.append((Outcome.PRESENT, "", one.uid, one.body, there[one.body]))
                elif one.body in self._claimed:
                    decided.twins.append(one)
                elif one.body in pair.claims or pair.history.knows(one.body):
                    put_off[one.uid] = Deferred(one.size_bytes, one.body)
                else:
                    new.append(candidate)
                    self._claimed.add(one.body)
            pair.claims |= self._claimed
            pair.put_off(put_off)
        decided.new = [one.known for one in new]
        return new

    def _is_settled(self, decided: _Decided, one: MessageKey) -> bool:
        """Whether the message needs no copying: our own notice, or content that has a receipt."""
        uid = one.uid
        again = self._pair.history.again(one.body)
        if self._pair.leg.is_notice(one.header):
            decided.settled.append((Outcome.SKIPPED, OWN_NOTICE, uid, b"", None))
        elif again is not None:
            decided.settled.append((again, "", uid, one.body, None))
        else:
            return False
        return True

    # --- Appending ----------------------------------------------------------------------------------

    def _append(self, new: Sequence[_Fetched], *, apart: bool = False) -> _UnderWay:
        """Sends what is new, after its intent. With `apart` it is stored, as far as the server takes it."""
        pair, leg = self._pair, self._pair.leg
        folder, now = pair.target.folder, leg.clock.now()
        outgoing: list[Outgoing] = []
        dropped: list[int] = []
        for one in new:
            flags, count = fit_flags(one.message.flags, pair.target.rule)
            date = fit_internaldate(one.message.internaldate, one.known.header, now)
            outgoing.append(Outgoing(one.message.uid, flags, date, one.message.body))
            dropped.append(count)
        intent = Intent(
            import_id=leg.import_.id,
            source=pair.source,
            source_uids=tuple(message.uid for message in outgoing),
            destination=folder,
            uidnext=pair.uidnext,
            digests=b"".join(one.known.body for one in new),
            sizes_bytes=tuple(one.known.size_bytes for one in new),
            sent_at=now,
            flags=fold_flags(message.flags for message in outgoing),
            slot=self._slot,
        )
        leg.ledger.note_intent(leg.import_.route, intent, leg.lease)
        leg.budget.count(Side.DESTINATION, sum(intent.sizes_bytes))
        flags_of_each = [message.flags for message in outgoing]
        with self._settling(intent):
            if apart:
                found = self._lane.destination.append(folder, outgoing)
                return _UnderWay(intent, flags_of_each, dropped, lambda: found)
            results = self._lane.destination.begin_append(folder, outgoing)
            return _UnderWay(intent, flags_of_each, dropped, results)

    def _appended(self, decided: _Decided, under_way: _UnderWay) -> list[Receipt]:
        """The receipt of what was stored; settles the twins."""
        with self._settling(under_way.intent):
            results = under_way.results()
        if results is not None:
            return self._outcomes(decided, under_way, results)
        self._pair.record([], [], closes_slot=self._slot)  # refused together: none of them is there
        again = self._fetched_again(decided)
        if not again:
            return []
        under_way = self._append(again, apart=True)
        return self._outcomes(decided, under_way, under_way.results() or ())

    def _fetched_again(self, decided: _Decided) -> list[_Fetched]:
        """What is new, with its bytes. What is not had any more is told, or put off if it is something else
        now, and so is each twin of it: it may be the last one."""
        wanted = {one.uid: one for one in decided.new}
        total_bytes = sum(one.size_bytes for one in decided.new)
        fetched = self._fetch_again(MessageBatch(UidSet.of(wanted), total_bytes))
        decided.refusals += fetched.refusals
        decided.settled += [(Outcome.SKIPPED, VANISHED, uid, b"", None) for uid in fetched.vanished]
        same = [one for one in fetched.messages if one.known.body == wanted[one.known.uid].body]
        uids, bodies = {one.known.uid for one in same}, {one.known.body for one in same}
        others = [one.known for one in fetched.messages if one.known.uid not in uids]
        others += [one for one in decided.twins if one.body not in bodies]
        decided.new = [one.known for one in same]
        decided.twins = [one for one in decided.twins if one.body in bodies]
        with self._pair.lock:
            self._pair.put_off({one.uid: Deferred(one.size_bytes, one.body) for one in others})
        return same

    def _outcomes(
        self, decided: _Decided, under_way: _UnderWay, results: Sequence[AppendResult]
    ) -> list[Receipt]:
        pair = self._pair
        reasons = {
            one.body: result.reason
            for one, result in zip(decided.new, results, strict=True)
            if isinstance(result, Rejected)
        }
        self._judge(decided, reasons)
        stored = [i for i, result in enumerate(results) if isinstance(result, Stored)]
        if not stored:
            return []
        refused_keywords = sum(r.keywords_dropped for r in results if isinstance(r, Stored))
        uids = [result.uid for result in results if isinstance(result, Stored) and result.uid is not None]
        if len(uids) < len(stored):
            uids = []
            folder = pair.target.folder.name
            pair.uidnext = self._lane.destination.status(folder).uidnext  # no UIDPLUS: keep the tail short
        return [
            self._receipt(
                Outcome.COPIED,
                [decided.new[i].uid for i in stored],
                digests=b"".join(decided.new[i].body for i in stored),
                destination_uids=tuple(uids),
                size_bytes=sum(decided.new[i].size_bytes for i in stored),
                keywords_dropped=sum(under_way.keywords_dropped[i] for i in stored) + refused_keywords,
                flags=fold_flags(under_way.flags[i] for i in stored),
            )
        ]

    @contextmanager
    def _settling(self, intent: Intent) -> Iterator[None]:
        """After an answer that is no outcome, looks what became of the append."""
        try:
            yield
        except ConnectionLost:
            raise  # the next leg settles it, over a new connection
        except FolderUnusable:  # the leg goes on without the folder, and may use the slot again
            self._settle(intent, leave_doubt=False)
            raise
        except MailError:
            with suppress(MailError):  # the next leg settles it; the first trouble is the one to tell
                self._settle(intent, leave_doubt=True)
            raise

    def _settle(self, intent: Intent, *, leave_doubt: bool) -> None:
        leg = self._pair.leg
        self._pair.learn(settle_answered(leg, self._lane, intent, leave_doubt=leave_doubt))

    def _judge(self, decided: _Decided, reasons: dict[bytes, str]) -> None:
        """Refuses what the destination refused, and each twin with it; other twins are duplicates."""
        for one in (*decided.new, *decided.twins):
            if one.body in reasons:
                decided.refusals.append(
                    _refusal(
                        self._pair,
                        one.uid,
                        RefusalCode.NOT_TAKEN,
                        reasons[one.body],
                        one.header,
                        one.size_bytes,
                    )
                )
        for one in decided.twins:
            if one.body not in reasons:
                decided.settled.append((Outcome.DUPLICATE, "", one.uid, one.body, None))

    # --- Writing it down ------------------------------------------------------------------------------

    def _settled_receipts(self, decided: _Decided) -> Iterator[Receipt]:
        groups: dict[tuple[Outcome, str], list[tuple[Uid, bytes, Uid | None]]] = {}
        for outcome, reason, uid, body, there in decided.settled:
            groups.setdefault((outcome, reason), []).append((uid, body, there))
        for (outcome, reason), members in groups.items():
            landed = tuple(there for _, _, there in members if there is not None)
            yield self._receipt(
                outcome,
                [uid for uid, _, _ in members],
                digests=b"".join(body for _, body, _ in members),
                destination_uids=landed if len(landed) == len(members) else (),
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
