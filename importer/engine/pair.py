"""Copying one pair of folders, as often as it takes.

Invariant: the history is rebuilt from the ledger whenever the destination folder may have changed under
us, so that no decision rests on what an earlier folder or an earlier pass left in memory.
"""

from __future__ import annotations

from collections.abc import Iterator

from importer.domain.history import FolderHistory
from importer.domain.model import (
    ANY_UIDVALIDITY,
    FolderAccount,
    FolderRef,
    FolderStatus,
    Refusal,
)
from importer.domain.uidset import UidSet, UidValidity
from importer.engine.context import Leg
from importer.engine.settle import settle
from importer.engine.transfer import FolderCopy
from importer.engine.verify import recount
from providers.errors import FolderUnusable


class PairCopy:
    """One source folder into one destination folder."""

    def __init__(self, leg: Leg, source: FolderRef, destination: str) -> None:
        self._leg = leg
        self._source = source
        self._destination = destination
        self._shown = UidSet()
        self._history = FolderHistory(leg.import_.id, source, FolderRef(destination, ANY_UIDVALIDITY))

    @property
    def left(self) -> int:
        """How many messages still have to be looked at."""
        return len(self._history.todo(self._shown))

    def run(self) -> Iterator[FolderAccount]:
        """Copies what is to do; yields the account after each batch, when all of it is recorded.

        Trouble with the folder itself becomes refusals; everything else is raised.
        """
        leg = self._leg
        settle(leg, self._destination)
        there = self._look()
        try:
            self._shown = leg.source.uids(self._source)
            todo = self._history.todo(self._shown)
            if not todo:
                return
            there = there or self._recreate()
            for _settled in FolderCopy(leg, self._history, there, self._destination).run(todo):
                yield self.account
        except FolderUnusable as error:
            self._refuse_rest(str(error))
            yield self.account

    def recount(self) -> tuple[FolderAccount, bool]:
        """The account with its recount; True when mail came in at the source meanwhile."""
        try:
            result = recount(self._leg, self._history, self.account)
        except FolderUnusable:
            return self.account, False
        return result.account, bool(result.arrived)

    @property
    def account(self) -> FolderAccount:
        """As of now."""
        return self._history.account(self._shown, self._destination)

    def _look(self) -> FolderStatus | None:
        """The destination folder as it is now, and the history that follows; None while it is missing."""
        try:
            there = self._leg.destination.status(self._destination)
        except FolderUnusable:
            there = None
        leg, route = self._leg, self._leg.import_.route
        self._history = FolderHistory(
            leg.import_.id,
            self._source,
            FolderRef(self._destination, there.uidvalidity if there else self._last_uidvalidity()),
            there.uidnext if there else None,
        )
        self._history.recall(leg.ledger.receipts(route, self._destination))
        self._history.refuse(leg.ledger.refusals(leg.import_.id))
        if there and self._history.detached:  # we were stopped while we made the folder anew
            leg.ledger.attach(route, self._destination, there.uidvalidity, leg.lease)
        return there

    def _last_uidvalidity(self) -> UidValidity:
        """Of the folder that its owner removed or renamed: what was copied into it stays accounted for."""
        last = ANY_UIDVALIDITY
        for receipt in self._leg.ledger.receipts(self._leg.import_.route, self._destination):
            last = receipt.destination.uidvalidity
        return last

    def _recreate(self) -> FolderStatus:
        """New mail for a folder that is not there: what went into the old one stays settled."""
        leg = self._leg
        leg.ledger.detach(
            leg.import_.route, self._destination, self._history.destination.uidvalidity, leg.lease
        )
        leg.destination.create(self._destination)
        there = self._look()
        if there is None:
            raise FolderUnusable(
                f"The folder “{self._destination}” could not be created at the new mailbox.",
                side=leg.destination.side,
            )
        return there

    def _refuse_rest(self, reason: str) -> None:
        """The folder cannot be used on one of the sides: each message that was to be copied is refused."""
        leg, source = self._leg, self._source
        left = self._history.todo(self._shown)
        refusals = [Refusal(leg.import_.id, source.name, source.uidvalidity, uid, reason) for uid in left]
        if not self._shown and not self._history.unlistable:
            refusals = [Refusal(leg.import_.id, source.name, source.uidvalidity, None, reason, count=0)]
        leg.ledger.record(leg.import_.route, self._destination, [], refusals, leg.lease)
        self._history.refuse(refusals)
