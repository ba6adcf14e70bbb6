"""Copies one fetched batch over one lane in two steps: decide about each message and send the new ones; wait
for the outcome and record it.

Both steps use only the lane's destination (except after a joint refusal), so that a lane can fetch one batch
while it sends another, and can send the next before the last one is concluded.

Invariants:
- The ledger holds an intent before an append is sent. The intent is removed by the transaction that records
  what was stored, or once the server has refused the whole batch. In between the batch is doubtful, and
  `settle` decides.
- `conclude` records exactly one outcome for each message of a batch, all in one ledger transaction, except
  for messages that are deferred, held back, tried again or left to the next leg. If the append fails, the
  messages that it did store are recorded and the rest stay without an outcome.
- The bodies of several messages are released once they are sent. If the server refuses them together, the
  destination is searched for them, and those that it does not hold are fetched again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol, TypeVar

from importer.compact.message_facts import pack_date
from importer.compact.uid_set import UidSet
from importer.domain.mailbox_content import AppendResult, Message, Outgoing, Rejected, Stored
from importer.domain.messages.flags import fold_flags
from importer.domain.messages.message_decision import (
    NextStep,
    Refuse,
    Settle,
    decide_rejected,
)
from importer.domain.messages.message_key import MessageKey
from importer.domain.messages.normalise import fit_flags, fit_internaldate
from importer.domain.planning.message_batches import MessageBatch
from importer.domain.receipts.folder_tally import Refusal, RefusalCode
from importer.domain.receipts.receipt import Intent, Outcome, Receipt
from importer.engine.batch_decision import decide_batch
from importer.engine.batch_fetch import FetchedBatch, fetch_batch
from importer.engine.folder_state import FolderState
from importer.engine.leg_context import Lane
from importer.engine.new_receipts import settled_receipts
from importer.engine.new_refusals import message_refusal
from importer.engine.settle import SettlingWait, settle_answered, settle_lost
from importer.engine.stored_copies import StoredCopies
from importer.ports.mailbox_errors import FolderUnusable
from providers.errors import ConnectionLost, MailError, Side
from providers.frozen import frozen
from providers.text import Text

T = TypeVar("T")

_DUPLICATE: Final = Settle(Outcome.DUPLICATE)


@dataclass(slots=True)
class _Decided:
    """The messages of a batch: those to append, those with the same content as one of these (`twins`), and
    those that have an outcome without an append."""

    new: list[MessageKey] = field(default_factory=list)
    twins: list[MessageKey] = field(default_factory=list)
    settled: list[tuple[MessageKey, Settle]] = field(default_factory=list)
    refused: list[tuple[MessageKey, Refuse]] = field(default_factory=list)

    def add(self, key: MessageKey, decision: Settle | Refuse) -> None:
        if isinstance(decision, Settle):
            self.settled.append((key, decision))
        else:
            self.refused.append((key, decision))


@frozen
class _SentAppend:
    """An append that was sent; `results` waits for its outcome."""

    intent: Intent
    keywords_dropped: list[int]  # per message
    results: Callable[[], Sequence[AppendResult] | None]


class WithSource(Protocol):
    """Calls a function that uses the lane's source, once nothing else uses it."""

    def __call__(self, call: Callable[[], T]) -> T: ...


class InFlightBatch:
    """A batch on its way into the destination, under an intent of `slot`.

    Methods raise what the sessions and the ledger raise; outcomes recorded before an error stay recorded.
    """

    def __init__(
        self,
        state: FolderState,
        lane: Lane,
        slot: int,
        with_source: WithSource,
        *,
        apart: bool = False,
    ) -> None:
        """`with_source` settles and reads again after a joint refusal. `apart`: a message that is sent alone
        because of a doubt; a refusal of it counts."""
        self._state = state
        self._leg = state.leg
        self._target = state.target
        self._lane = lane
        self._stored = StoredCopies(state, lane)
        self._slot = slot
        self._with_source = with_source
        self._apart = apart
        self._intent: Intent | None = None
        self._claimed: list[bytes] = []
        self._decided = _Decided()
        self._sent_append: _SentAppend | None = None

    def send(self, fetched: FetchedBatch) -> bool:
        """Decide about each message of the batch and send the new ones. True if exactly one is sent: its body
        is held until its outcome is known, since a large message should not be fetched twice."""
        for key, decision in fetched.decided:
            self._decided.add(key, decision)
        new = self._decide(fetched.messages)
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
        that were not stored; they have no outcome then. If the destination may hold them without showing
        them, they count as copied, are recounted, and are not returned.

        The source must not be in use. `wait` is that of all appends that were under way then. After a BYE
        there is none once one was in vain: the server said it because of a message. Raises `lost` if nothing
        was sent, and what the sessions and the ledger raise.
        """
        decided, intent = self._decided, self._intent
        if intent is None:
            raise lost
        traits = self._leg.traits
        wait = SettlingWait() if lost.announced and traits.bye_is_final else wait

        def may_hide(_landed: int) -> bool:
            return not lost.announced and self._stored.shows_nothing()

        self._set_aside(decided, *settle_lost(self._leg, self._lane, intent, wait, may_hide))
        traits.bye_is_final = traits.bye_is_final or (lost.announced and bool(decided.new))
        self._record(decided, [])
        return decided.new

    def _set_aside(self, decided: _Decided, landed: Sequence[Receipt], hidden: Sequence[Receipt]) -> None:
        """Take the messages with these receipts out of those to be sent; their twins are duplicates."""
        self._stored.found(landed)
        self._state.add(hidden)
        uids = UidSet.of(uid for receipt in (*landed, *hidden) for uid in receipt.source_uids)
        digests = {key.digest for key in decided.new if key.uid in uids}
        decided.new = [key for key in decided.new if key.uid not in uids]
        decided.settled += [(key, _DUPLICATE) for key in decided.twins if key.digest in digests]
        decided.twins = [key for key in decided.twins if key.digest not in digests]

    def refuse(self, key: MessageKey, lost: ConnectionLost) -> Refusal:
        """The refusal of a message at which the connection ends."""
        reason = Text("breaks_connection").quoting(lost.server_text)
        return self._refusal(key, Refuse(RefusalCode.BREAKS_CONNECTION, reason))

    @property
    def sent(self) -> bool:
        """Whether messages were sent, or may have been."""
        return self._intent is not None

    def _record(
        self, decided: _Decided, receipts: Sequence[Receipt], *, closes_slot: int | None = None
    ) -> None:
        """Record the outcomes and release the claims: after a lost reply these must outlast the settling, so
        that no other lane appends what may have landed."""
        self._decided = _Decided()
        self._state.record(
            [*receipts, *settled_receipts(self._leg.import_.id, self._target, decided.settled)],
            [self._refusal(key, refuse) for key, refuse in decided.refused],
            closes_slot=closes_slot,
            releases=self._claimed,
        )

    def _refusal(self, key: MessageKey, refuse: Refuse) -> Refusal:
        return message_refusal(self._leg.import_.id, self._target.source, key, refuse)

    # --- Deciding ----------------------------------------------------------------------------------

    def _decide(self, fetched: Sequence[tuple[MessageKey, Message]]) -> list[tuple[MessageKey, Message]]:
        """Sort the messages; claim the new ones and return them."""
        decisions = decide_batch(self._state, self._lane, fetched)
        decided = self._decided
        new: list[tuple[MessageKey, Message]] = []
        for item, decision in zip(fetched, decisions, strict=True):
            if decision is NextStep.COPY:
                new.append(item)
            elif decision is NextStep.FOLLOW:
                decided.twins.append(item[0])
            elif not isinstance(decision, NextStep):
                decided.add(item[0], decision)
        decided.new = [key for key, _ in new]
        self._claimed = [key.digest for key in decided.new]
        return new

    # --- Appending ----------------------------------------------------------------------------------

    def _append(
        self, new: Sequence[tuple[MessageKey, Message]], *, individually: bool = False
    ) -> _SentAppend:
        """Note an intent and send the messages. With `individually`, wait for the outcome, and let the server
        accept or refuse each message on its own."""
        leg, target = self._leg, self._target
        now = leg.clock.now()
        fitted = {flags: fit_flags(flags, target.rule) for flags in {message.flags for _, message in new}}
        outgoing: list[Outgoing] = []
        dropped: list[int] = []
        marks: list[int] = []
        for key, message in new:
            flags, count = fitted[message.flags]
            date, changed = fit_internaldate(message.internaldate, key.header, now)
            marks.append(key.marks | changed)
            outgoing.append(Outgoing(message.uid, flags, date, message.body))
            dropped.append(count)
        intent = Intent(
            import_id=leg.import_.id,
            source=target.source,
            source_uids=tuple([message.uid for message in outgoing]),
            destination=target.folder,
            uidnext=self._state.uidnext,
            digests=b"".join([key.digest for key, _ in new]),
            sizes_bytes=tuple([key.size_bytes for key, _ in new]),
            sent_at=now,
            flags=fold_flags([message.flags for message in outgoing]),
            slot=self._slot,
            marks=bytes(marks) if any(marks) else b"",
            dates=b"".join([pack_date(message.internaldate) for message in outgoing]),
        )
        leg.ledger.note_intent(leg.import_.route, intent, leg.lease)
        self._intent = intent
        leg.budget.count(Side.DESTINATION, sum(intent.sizes_bytes))
        with self._settling(intent):
            if individually:
                results = self._lane.destination.append(target.folder, outgoing)
                return _SentAppend(intent, dropped, lambda: results)
            wait = self._lane.destination.begin_append(target.folder, outgoing)
            return _SentAppend(intent, dropped, wait)

    def _await_receipts(self, decided: _Decided, append: _SentAppend) -> list[Receipt]:
        """Wait for the outcome and return the receipt of what was stored; decide about the twins."""
        with self._settling(append.intent):
            results = append.results()
        named = _named(results or ())
        if results is not None and named is None:
            return self._outcomes(decided, append, results)
        # Refused together. Some servers store a part all the same, against RFC 3502 section 6.3.11, and the
        # headers of the source recognise what they altered. Others accept all and store only a part.
        wait = SettlingWait() if named is None else SettlingWait(self._leg.limits.settle_quiet)

        def may_hide(landed: int) -> bool:
            return named is not None and not self._stored.lacks_the_rest(append.intent, landed, named)

        settling = partial(settle_lost, self._leg, self._lane, append.intent, wait, may_hide)
        self._set_aside(decided, *self._with_source(settling))
        if named is not None:
            self._leg.traits.stored(self._target.folder.name)
        refetched = self._refetch_new(decided) if decided.new else []
        if not refetched:
            return []
        append = self._append(refetched, individually=True)
        return self._outcomes(decided, append, append.results() or ())

    def _refetch_new(self, decided: _Decided) -> list[tuple[MessageKey, Message]]:
        """Fetch the new messages again and return those whose content is the same.

        Messages that are no longer available get their outcome. A message whose content has changed is
        deferred, and so is each twin of a message that was lost either way: the twin may be the last copy.
        """
        wanted = {key.uid: key.digest for key in decided.new}
        total_bytes = sum(key.size_bytes for key in decided.new)
        again = MessageBatch(UidSet.of(wanted), total_bytes)
        fetched = self._with_source(partial(fetch_batch, self._state, self._lane, again, whole=True))
        for key, decision in fetched.decided:
            decided.add(key, decision)
        same = [(key, message) for key, message in fetched.messages if key.digest == wanted[key.uid]]
        digests = {key.digest for key, _ in same}
        self._state.defer(
            [
                *(key for key, _ in fetched.messages if key.digest != wanted[key.uid]),
                *(key for key in decided.twins if key.digest not in digests),
            ]
        )
        decided.new = [key for key, _ in same]
        decided.twins = [key for key in decided.twins if key.digest in digests]
        return same

    @contextmanager
    def _settling(self, intent: Intent) -> Iterator[None]:
        """On an error that leaves the outcome of the append open, settle it where possible."""
        try:
            yield
        except ConnectionLost:
            raise  # the next leg settles it over a new connection
        except FolderUnusable:  # the leg continues without the folder and may reuse the slot
            self._stored.found(self._settle(intent, leave_doubt=False))
            raise
        except MailError:
            with suppress(MailError):  # the next leg settles it; the first error is the one to raise
                self._stored.found(self._settle(intent, leave_doubt=True))
            raise

    def _settle(self, intent: Intent, *, leave_doubt: bool) -> list[Receipt]:
        return settle_answered(self._leg, self._lane, intent, leave_doubt=leave_doubt)

    # --- Outcomes -----------------------------------------------------------------------------------

    def _outcomes(
        self, decided: _Decided, append: _SentAppend, results: Sequence[AppendResult]
    ) -> list[Receipt]:
        rejected = {
            key.digest: result
            for key, result in zip(decided.new, results, strict=True)
            if isinstance(result, Rejected)
        }
        self._decide_rejected(decided, rejected)
        decided.settled += [(key, _DUPLICATE) for key in decided.twins if key.digest not in rejected]
        return self._stored.receipt(append.intent, results, append.keywords_dropped)

    def _decide_rejected(self, decided: _Decided, rejected: dict[bytes, Rejected]) -> None:
        """Decide about the messages that the destination rejected, and about their twins."""
        if not rejected:
            return
        for key in (*decided.new, *decided.twins):
            if key.digest not in rejected:
                continue
            answer = rejected[key.digest]
            decision = decide_rejected(answer, apart=self._apart, attempts=self._leg.import_.attempts)
            if isinstance(decision, Refuse):
                decided.add(key, decision)
            else:
                refuse = Refuse(RefusalCode.NOT_TAKEN, answer.reason)
                self._state.doubt_refused(self._refusal(key, refuse))


def _named(results: Sequence[AppendResult]) -> int | None:
    """How many UIDs the server named, if they are fewer than the messages that it accepted."""
    return next((result.named for result in results if isinstance(result, Stored)), None)
