"""The copies that the destination stored of an append: their receipt, and what they tell about the server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from itertools import chain
from typing import Final

from importer.compact.uid_set import Uid, UidSet
from importer.domain.mailbox_content import AppendResult, Stored
from importer.domain.messages.flags import system_flags, unfold_flags
from importer.domain.receipts.receipt import Intent, Receipt
from importer.engine.destination_traits import FlaggedCopies
from importer.engine.folder_state import FolderState
from importer.engine.leg_context import Lane
from importer.engine.new_receipts import copied_receipt, with_dates_left_out
from importer.ports.mailbox_errors import FolderChanged, FolderUnusable

_MOST_NEW: Final = 1000
"""Messages that are new in the folder since an append, of which its copies may be any."""


class StoredCopies:
    """The copies of one lane in the folder of `state`. Methods raise what the sessions raise."""

    def __init__(self, state: FolderState, lane: Lane) -> None:
        self._state = state
        self._traits = state.leg.traits
        self._lane = lane

    def receipt(
        self, intent: Intent, results: Sequence[AppendResult], keywords_dropped: Sequence[int]
    ) -> list[Receipt]:
        """The receipt of what was stored, if anything was."""
        stored = [(i, result) for i, result in enumerate(results) if isinstance(result, Stored)]
        if not stored:
            return []
        self._traits.stored(intent.destination.name)
        indexes = [i for i, _ in stored]
        dropped = sum([keywords_dropped[i] + result.keywords_dropped for i, result in stored])
        # Below UIDNEXT, or with a receipt, it is the UID of an earlier message (RFC 9051 section 2.3.1.1).
        reported = [result.uid for _, result in stored]
        bound = intent.uidnext
        uids = self._state.new_numbers([uid for uid in reported if uid is not None and uid >= bound])
        new = UidSet()
        if len(uids) < len(stored):
            uids = []
            # No UIDPLUS: raise the bound, so that `settle` has few messages to check.
            uidnext = self._lane.destination.status(intent.destination.name).uidnext
            self._state.note_uidnext(uidnext)
            first = intent.uidnext
            new = UidSet.of(range(first, min(uidnext, first + _MOST_NEW)))
        self._traits.accepted = intent.destination, min(uids, default=intent.uidnext)
        receipt = copied_receipt(intent, indexes, uids, keywords_dropped=dropped)
        self._note_flags(receipt, uids or new)
        undated = [result.date_dropped for _, result in stored]
        return [with_dates_left_out(receipt, undated) if any(undated) else receipt]

    def found(self, landed: Sequence[Receipt]) -> None:
        """Note what the destination stored of an append without an outcome; the ledger has these receipts."""
        self._state.add(landed)
        for receipt in landed:
            self._traits.stored(receipt.destination.name)
            self._note_flags(receipt, receipt.destination_uids)

    def shows_nothing(self) -> bool:
        """Whether the destination lists no message of the last batch that it accepted: it may show mail
        late, so that what got no answer may be there, too."""
        accepted = self._traits.accepted
        with suppress(FolderUnusable, FolderChanged):
            return accepted is not None and not self._lane.destination.uids(*accepted)
        return False

    def lacks_the_rest(self, intent: Intent, landed: int, named: int) -> bool:
        """Whether it is certain that the destination has not stored what it accepted and does not list: it
        lists each message that got a UID since before the append, and these are all that it named."""
        session, folder = self._lane.destination, intent.destination
        new = session.uids(folder, at_or_above=intent.uidnext)
        given = session.status(folder.name).uidnext - intent.uidnext
        return given == len(new) and named == landed

    def _note_flags(self, receipt: Receipt, uids: Sequence[Uid] | UidSet) -> None:
        """Note those of these copies that have flags of which nothing is known. `uids` are theirs, or all
        that they may have."""
        traits = self._traits
        if not system_flags(receipt.flags) - traits.kept_flags - traits.lost_flags:
            return
        flags = unfold_flags(receipt.flags)
        copied = {names: system_flags(" ".join(names)) for names in set(flags)}
        put = [copied[names] for names in flags]
        if not isinstance(uids, UidSet):
            uids = UidSet.of([uid for uid, names in zip(uids, put, strict=True) if names])
        numbers = Counter(chain.from_iterable(put))
        traits.note_flagged(receipt.destination, FlaggedCopies(uids, sum(map(bool, put)), numbers))
