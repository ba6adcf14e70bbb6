"""Copying one folder: fetch a batch, decide about each message, append what is new, record it.

Invariants:
- Before an append there is an intent in the ledger; after it, receipts. Between the two the folder is
  doubtful and `settle` decides.
- Each message of a batch gets exactly one outcome in the same ledger transaction.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from importer.domain.fit import fit_flags, fit_internaldate
from importer.domain.history import FolderHistory
from importer.domain.identity import digest, header_block
from importer.domain.model import (
    FolderRef,
    FolderStatus,
    Intent,
    KeywordRule,
    Message,
    Outcome,
    Outgoing,
    Receipt,
    Refusal,
    Rejected,
    Stored,
)
from importer.domain.plan import batches
from importer.domain.subject import date_and_subject
from importer.domain.uidset import Uid, UidSet
from importer.domain.wording import spoken_bytes
from importer.engine.context import Leg
from importer.engine.foreign import ForeignMail
from importer.engine.settle import settle
from providers.errors import ConnectionLost, MailError

SIZES_AT_ONCE: Final = 1000
VANISHED: Final = "removed from the old mailbox while it was being copied"
OWN_NOTICE: Final = "completion mail of an earlier import"


@dataclass(slots=True)
class _Sorted:
    """One fetched batch, sorted by what is to become of each message."""

    outgoing: list[Outgoing] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)  # of outgoing, in parallel
    keywords_dropped: list[int] = field(default_factory=list)  # likewise
    twins: list[tuple[Message, bytes]] = field(default_factory=list)  # same content as one of outgoing
    settled: list[tuple[Outcome, str, Uid, bytes, Uid | None]] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)


class FolderCopy:
    """Copies what is to do of one source folder into one destination folder."""

    def __init__(self, leg: Leg, history: FolderHistory, destination: FolderStatus, name: str) -> None:
        self._leg = leg
        self._history = history
        self._destination = destination.ref(name)
        self._rule: KeywordRule = leg.destination.keyword_rule(self._destination)
        self._limit_bytes = leg.destination.append_limit_bytes()
        there = leg.destination.uids(self._destination) if destination.messages else UidSet()
        self._foreign = ForeignMail(leg.destination, self._destination, there - history.destination_uids)

    def run(self, todo: UidSet) -> Iterator[int]:
        """Copies `todo` batch by batch; yields after each, when everything so far is recorded.

        The number yielded is that of the messages settled or refused by the batch.
        """
        for window in todo.chunks(SIZES_AT_ONCE):
            sizes = dict(self._leg.source.sizes(self._history.source, window))
            gone = window - UidSet.of(sizes)
            too_large = {u: s for u, s in sizes.items() if self._limit_bytes and s > self._limit_bytes}
            if gone or too_large:
                self._record(self._without_fetch(gone, too_large), [])
                yield len(gone) + len(too_large)
            pace = self._leg.pace
            fitting = ((uid, size) for uid, size in sizes.items() if uid not in too_large)
            for uids in batches(fitting, max_messages=pace.batch_messages, max_bytes=pace.batch_bytes):
                yield self._copy(uids)

    def _without_fetch(self, gone: UidSet, too_large: dict[Uid, int]) -> _Sorted:
        sorted_ = _Sorted()
        for uid in gone:
            sorted_.settled.append((Outcome.SKIPPED, VANISHED, uid, b"", None))
        for lines in self._leg.source.headers(self._history.source, UidSet.of(too_large)):
            reason = f"larger than the new mailbox takes ({spoken_bytes(self._limit_bytes or 0)})"
            sorted_.refusals.append(self._refusal(lines.uid, reason, lines.header, too_large[lines.uid]))
        return sorted_

    def _copy(self, uids: UidSet) -> int:
        messages: list[Message] = []
        sorted_ = _Sorted()
        unreadable: dict[Uid, str] = {}
        for message in self._leg.source.messages(self._history.source, uids):
            if isinstance(message, tuple):
                unreadable[message[0]] = message[1]
            else:
                messages.append(message)
        if unreadable:
            self._refuse_unreadable(sorted_, unreadable)
        messages.sort(key=lambda message: message.uid)
        self._sort(sorted_, messages)
        for uid in uids - UidSet.of([*(m.uid for m in messages), *unreadable]):
            sorted_.settled.append((Outcome.SKIPPED, VANISHED, uid, b"", None))
        self._record(sorted_, self._append(sorted_))
        return len(uids)

    def _refuse_unreadable(self, sorted_: _Sorted, unreadable: dict[Uid, str]) -> None:
        headers = {}
        try:
            for lines in self._leg.source.headers(self._history.source, UidSet.of(unreadable)):
                headers[lines.uid] = lines
        except ConnectionLost:
            raise
        except MailError:
            headers.clear()  # the server cannot show even the header: the report goes without
        for uid, reason in unreadable.items():
            known = headers.get(uid)
            header, size_bytes = (known.header, known.size_bytes) if known else (b"", 0)
            sorted_.refusals.append(self._refusal(uid, reason, header, size_bytes))

    def _sort(self, sorted_: _Sorted, messages: Sequence[Message]) -> None:
        """Decides about each message; what is new goes to `outgoing`."""
        fresh: list[tuple[Message, bytes, bytes]] = []
        for message in messages:
            header = header_block(message.body)
            body = digest(message.body)
            again = self._history.digests.get(body)
            if self._leg.is_notice(header):
                sorted_.settled.append((Outcome.SKIPPED, OWN_NOTICE, message.uid, b"", None))
            elif again is not None:
                sorted_.settled.append((again, "", message.uid, body, None))
            else:
                fresh.append((message, header, body))
        there = self._foreign.find([(body, header, len(message.body)) for message, header, body in fresh])
        seen: set[bytes] = set()
        for message, header, body in fresh:
            if body in seen:
                sorted_.twins.append((message, body))
            elif body in there:
                sorted_.settled.append((Outcome.PRESENT, "", message.uid, body, there[body]))
            else:
                flags, dropped = fit_flags(message.flags, self._rule)
                date = fit_internaldate(message.internaldate, header, self._leg.clock.now())
                sorted_.outgoing.append(Outgoing(message.uid, flags, date, message.body))
                sorted_.digests.append(body)
                sorted_.keywords_dropped.append(dropped)
                seen.add(body)

    def _append(self, sorted_: _Sorted) -> list[Receipt]:
        """Appends `outgoing`; returns the receipt and adds what was refused to `refusals`."""
        outgoing = sorted_.outgoing
        if not outgoing:
            return []
        leg, folder = self._leg, self._destination
        route = leg.import_.route
        status = leg.destination.status(folder.name)
        leg.ledger.note_intent(
            route,
            Intent(
                import_id=leg.import_.id,
                source=self._history.source,
                source_uids=tuple(message.uid for message in outgoing),
                destination=folder,
                uidnext=status.uidnext,
                digests=b"".join(sorted_.digests),
                sizes_bytes=tuple(len(message.body) for message in outgoing),
                sent_at=leg.clock.now(),
            ),
            leg.lease,
        )
        try:
            results = leg.destination.append(folder, outgoing)
        except ConnectionLost:
            raise  # the next leg settles it, over a new connection
        except MailError:
            self._history.extend(settle(leg, folder.name, answered=True))
            raise
        stored = [i for i, result in enumerate(results) if isinstance(result, Stored)]
        reasons = {
            digest_: result.reason
            for digest_, result in zip(sorted_.digests, results, strict=True)
            if isinstance(result, Rejected)
        }
        self._judge(sorted_, reasons)
        if not stored:
            return []
        uids = [result.uid for result in results if isinstance(result, Stored) and result.uid is not None]
        return [
            self._receipt(
                Outcome.COPIED,
                [outgoing[i].uid for i in stored],
                digests=b"".join(sorted_.digests[i] for i in stored),
                destination_uids=tuple(uids) if len(uids) == len(stored) else (),
                size_bytes=sum(len(outgoing[i].body) for i in stored),
                keywords_dropped=sum(sorted_.keywords_dropped[i] for i in stored),
            )
        ]

    def _judge(self, sorted_: _Sorted, reasons: dict[bytes, str]) -> None:
        """Settles what shares its content with an appended message: as a duplicate, or refused like it."""
        both: list[tuple[Message | Outgoing, bytes]] = [
            *zip(sorted_.outgoing, sorted_.digests, strict=True),
            *sorted_.twins,
        ]
        for message, body in both:
            if body in reasons:
                header = header_block(message.body)
                refusal = self._refusal(message.uid, reasons[body], header, len(message.body))
                sorted_.refusals.append(refusal)
        for message, body in sorted_.twins:
            if body not in reasons:
                sorted_.settled.append((Outcome.DUPLICATE, "", message.uid, body, None))

    def _record(self, sorted_: _Sorted, copied: Sequence[Receipt]) -> None:
        """One ledger transaction for the whole batch; the history learns it too."""
        receipts = [*copied, *self._settled_receipts(sorted_)]
        self._leg.ledger.record(
            self._leg.import_.route,
            self._destination.name,
            receipts,
            sorted_.refusals,
            self._leg.lease,
            closes_intent=bool(sorted_.outgoing),
        )
        self._history.extend(receipts)
        self._history.refuse(sorted_.refusals)

    def _settled_receipts(self, sorted_: _Sorted) -> Iterator[Receipt]:
        groups: dict[tuple[Outcome, str], list[tuple[Uid, bytes, Uid | None]]] = {}
        for outcome, reason, uid, body, there in sorted_.settled:
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
    ) -> Receipt:
        return Receipt(
            self._leg.import_.id,
            self._history.source,
            tuple(uids),
            outcome,
            self._destination,
            destination_uids,
            digests,
            size_bytes,
            reason,
            keywords_dropped,
        )

    def _refusal(self, uid: Uid, reason: str, header: bytes, size_bytes: int) -> Refusal:
        source: FolderRef = self._history.source
        date, subject = date_and_subject(header)
        return Refusal(
            self._leg.import_.id, source.name, source.uidvalidity, uid, reason, date, subject, size_bytes
        )
