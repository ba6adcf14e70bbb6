"""The state of a pair of folders for the one lane that holds its phase (`folder_copy.py`): the operations
that begin and end passes, which a lane that joined must not use."""

from __future__ import annotations

from collections.abc import Iterable

from importer.compact.uid_set import Uid, UidSet
from importer.domain.messages.message_decision import Known, Settle, decide
from importer.domain.messages.message_key import MessageKey
from importer.domain.planning.message_batches import MessageBatch
from importer.domain.receipts.folder_history import FolderHistory
from importer.domain.receipts.folder_tally import FolderTally, Refusal
from importer.engine.copy_target import Target
from importer.engine.folder_state import FolderState
from importer.engine.folder_trouble import folder_reason
from importer.ports.mailbox_errors import FolderChanged
from providers.errors import Side
from providers.text import Text


class OwnedFolderState(FolderState):
    """The same state, with the lock of its base class, and the operations that only one lane at a time may
    use."""

    def begin_pass(self) -> tuple[Side | None, Side | None]:
        """Return the side whose connection has to be replaced, and the side whose folder was renumbered. The
        pass tries again what an earlier one left to the next leg."""
        with self._lock:
            trouble = self._trouble
            trouble.pass_over, trouble.full, self._unfetched = False, None, UidSet()
            sides, trouble.renew, trouble.changed = (trouble.renew, trouble.changed), None, None
            return sides

    def drop_claims(self) -> None:
        """No append is under way, and all are settled."""
        with self._lock:
            self._claims.clear()

    def count(self, history: FolderHistory, tally: FolderTally, remaining: int) -> None:
        """Continue with another history of the pair, and its numbers."""
        with self._lock:
            self._history, self._tally, self._remaining = history, tally, remaining

    def open(self, target: Target, uidnext: Uid) -> None:
        with self._lock:
            self._target, self._uidnext = target, uidnext

    def queue(self, batches: Iterable[MessageBatch]) -> None:
        with self._lock:
            self._queue.extend(batches)

    def sort_doubts(self, pending: UidSet) -> tuple[list[Refusal], UidSet, UidSet, UidSet]:
        """Keep the doubts about `pending` messages only. Return the refusals that need no second attempt,
        which are no longer in doubt, all messages that are, those to send in batches, those to send alone."""
        with self._lock:
            doubts = self._doubts
            doubts.forget_settled(pending)
            return doubts.believed(), doubts.all, doubts.batched, doubts.alone

    def forget_postponed(self) -> None:
        """The next pass lists deferred and held messages again."""
        with self._lock:
            self._deferred.clear()
            self._held_back.clear()

    def take_deferred(self) -> tuple[list[tuple[MessageKey, Settle]], list[MessageKey]]:
        """Remove the deferred messages. Return those whose content has a receipt now, with their outcome, and
        those to decide about again."""
        settled: list[tuple[MessageKey, Settle]] = []
        open_: list[MessageKey] = []
        with self._lock:
            for key in self._deferred.values():
                decision = decide(Known(recorded=self._history.again(key.digest)))
                if isinstance(decision, Settle):
                    settled.append((key, decision))
                else:
                    open_.append(key)
            self._deferred.clear()
        return settled, open_

    def take_held_back(self) -> list[MessageKey]:
        with self._lock:
            held = list(self._held_back.values())
            self._held_back.clear()
            return held

    def trouble_in_recount(self, error: FolderChanged, *, last: bool) -> None:
        """Like `trouble`, after the pass has come to its end. `last`: no further pass follows."""
        with self._lock:
            self._trouble.pass_over = False
        self.trouble(error)
        if last:
            self.give_up(folder_reason(error, self._history.source.name))

    def give_up(self, reason: Text) -> None:
        """Mark the folder as unusable."""
        with self._lock:
            self._trouble.unusable = reason
            self._trouble.pass_over = True
            self._queue.clear()

    def close(self) -> None:
        """Free the memory of a finished pair, which would add up over folders; its numbers stay."""
        with self._lock:
            history = self._history
            self._history = FolderHistory(history.import_id, history.source, history.destination)
            self._target = None
            self._claims.clear()
            self._cleared.clear()

    @property
    def unusable(self) -> Text | None:
        """Why the folder was given up."""
        return self._trouble.unusable

    @property
    def is_undone(self) -> bool:
        """Whether messages have no outcome that a further pass can give them. How many are left is unknown if
        the last pass ended early."""
        trouble = self._trouble
        uncertain = trouble.pass_over or bool(self._doubts) or trouble.changed is not None
        return trouble.unusable is None and (uncertain or self._remaining > len(self._unfetched))
