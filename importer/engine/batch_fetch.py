"""Reads one batch of messages from the source."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from operator import itemgetter

from importer.compact.uid_set import Uid, UidSet
from importer.domain.mailbox_content import Message, NotHandedOut
from importer.domain.messages.message_decision import NextStep, Refuse, Settle, decide_unread
from importer.domain.messages.message_key import MessageKey, identified
from importer.domain.planning.message_batches import MessageBatch
from importer.domain.planning.server_limits import BATCH_S, MAX_UNSTATED_BYTES
from importer.domain.receipts.folder_tally import RefusalCode
from importer.engine.folder_state import FolderState
from importer.engine.leg_context import Lane
from providers.errors import MailError, Side
from providers.text import ByteSize, Text


@dataclass(slots=True)
class FetchedBatch:
    """The result of reading a batch: messages by ascending UID, each with its key, and the outcome of those
    that were not delivered."""

    messages: list[tuple[MessageKey, Message]] = field(default_factory=list)
    decided: list[tuple[MessageKey, Settle | Refuse]] = field(default_factory=list)


def fetch_batch(state: FolderState, lane: Lane, batch: MessageBatch, *, whole: bool = False) -> FetchedBatch:
    """Read one batch, over the lane's source alone. Raises what the session raises.

    If the messages are far larger than the source stated (MAX_UNSTATED_BYTES), or take more than
    BATCH_S once the leg's time is over, only some of them are read, and the rest is returned to the queue,
    unless all are wanted (`whole`).
    """
    return _BatchReader(state, lane, batch, whole=whole).run()


class _BatchReader:
    def __init__(self, state: FolderState, lane: Lane, batch: MessageBatch, *, whole: bool) -> None:
        self._whole = whole
        self._max_bytes = batch.total_bytes + MAX_UNSTATED_BYTES
        self._state = state
        self._source = state.target.source
        self._session = lane.source
        self._batch = batch
        self._leg = state.leg
        self._began_s = state.leg.clock.elapsed_s()
        self._unread: dict[Uid, NotHandedOut] = {}
        self._result = FetchedBatch()

    def run(self) -> FetchedBatch:
        batch, result, limit = self._batch, self._result, self._state.target.limit_bytes
        if limit is not None and len(batch.uids) == 1 and batch.total_bytes > limit:
            reason = Text("too_large", size=ByteSize(limit))
            self._decide(dict.fromkeys(batch.uids, Refuse(RefusalCode.TOO_LARGE, reason)))
            return result
        wanted = self._read()
        self._leg.pace.took(Side.SOURCE, len(result.messages), self._leg.clock.elapsed_s() - self._began_s)
        self._leg.budget.count(Side.SOURCE, sum([key.size_bytes for key, _ in result.messages]))
        missing = wanted - UidSet.of([key.uid for key, _ in result.messages])
        if missing:
            self._decide_missing(missing)
        result.messages.sort(key=itemgetter(0))  # a key begins with its UID
        return result

    def _read(self) -> UidSet:
        """Read the messages and return the UIDs that were requested and not returned to the queue."""
        messages, size_bytes = self._result.messages, 0
        for message in self._session.messages(self._source, self._batch.uids):
            if isinstance(message, NotHandedOut):
                self._unread[message.uid] = message
            else:
                messages.append(identified(message))
                size_bytes += len(message.body)
            if not self._whole and (size_bytes > self._max_bytes or self._is_late()):
                read = UidSet.of([*(key.uid for key, _ in messages), *self._unread])
                if rest := self._batch.uids - read:
                    self._state.put_back(MessageBatch(rest, 0))
                return read
        return self._batch.uids

    def _is_late(self) -> bool:
        """Whether others wait for the end of this batch."""
        leg = self._leg
        return leg.budget.is_over() and leg.clock.elapsed_s() - self._began_s > BATCH_S

    def _decide_missing(self, missing: UidSet) -> None:
        """Decide about messages that were requested and not delivered."""
        listed = missing & self._session.uids(self._source)
        attempts = self._leg.import_.attempts
        decided: dict[Uid, Settle | Refuse] = {}
        left: list[Uid] = []
        for uid in missing:
            decision = decide_unread(self._unread.get(uid), listed=uid in listed, attempts=attempts)
            if isinstance(decision, NextStep):
                left.append(uid)
            else:
                decided[uid] = decision
        if left:
            self._state.leave(UidSet.of(left))
        self._decide(decided)

    def _decide(self, decided: dict[Uid, Settle | Refuse]) -> None:
        """Record the decisions; refusals with header and size of the message, if the source returns them."""
        keys = self._keys([uid for uid, decision in decided.items() if isinstance(decision, Refuse)])
        self._result.decided += [
            (keys.get(uid) or MessageKey(uid), decision) for uid, decision in decided.items()
        ]

    def _keys(self, uids: Collection[Uid]) -> dict[Uid, MessageKey]:
        alone = len(self._batch.uids) == 1
        keys = {uid: MessageKey(uid, self._batch.total_bytes if alone else 0) for uid in uids}
        try:
            for lines in self._session.headers(self._source, UidSet.of(uids)) if uids else ():
                keys[lines.uid] = MessageKey(lines.uid, lines.size_bytes, lines.header)
        except MailError:
            pass  # not even headers can be read: the report has neither date nor subject
        return keys
