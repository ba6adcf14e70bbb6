"""One leg: a bounded stretch of work on one import.

survey both sides -> map the folders -> for each folder: settle what is doubtful, copy until the budget is
spent, recount. Whatever a leg leaves undone, the next one finds from the receipts; a leg keeps nothing
else. Raises what the sessions and the ledger raise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from importer.domain.folders import FolderPair, map_folders
from importer.domain.model import (
    ANY_UIDVALIDITY,
    FolderAccount,
    FolderRef,
    FolderStatus,
    Progress,
    Refusal,
)
from importer.domain.uidset import UidValidity
from importer.engine.context import Leg
from importer.engine.pair import PairCopy
from importer.engine.survey import Survey, survey
from providers.errors import FolderUnusable, MailError

PASSES: Final = 3
"""Mail that comes in while we copy is fetched in a further pass; after this many the next import has it."""


class LegEnd(StrEnum):
    """How a leg ended, when it did not raise."""

    DONE = "done"
    AGAIN = "again"  # the budget is spent, there is more to do


def run_leg(leg: Leg) -> LegEnd:
    """Runs one leg. DONE means: every message that the source showed is accounted for and recounted."""
    return _Run(leg).run()


@dataclass(slots=True)
class _Run:
    leg: Leg
    progress: Progress = field(default_factory=Progress)

    def run(self) -> LegEnd:
        leg = self.leg
        source, destination = survey(leg.source), survey(leg.destination)
        pairs = self._plan(source, destination)
        self._refuse_unusable(source)
        self.progress = Progress(folders_total=len(pairs), messages_total=source.messages)
        for pair in pairs:
            if not self._copy(pair, source.statuses[pair.source.name]):
                return LegEnd.AGAIN
        return LegEnd.DONE

    def _plan(self, source: Survey, destination: Survey) -> Sequence[FolderPair]:
        """The folder pairs of this leg; creates and subscribes the folders that are new to the route."""
        leg, route = self.leg, self.leg.import_.route
        remembered = leg.ledger.folder_map(route)
        mapped = map_folders(
            source.folders, source.hierarchy, destination.folders, destination.hierarchy, remembered
        )
        pairs = [pair for pair in mapped if pair.source.name in source.statuses]
        epoch_before, epoch = leg.ledger.mailbox_epoch(route), _epoch(destination)
        moved_house = epoch_before is not None and epoch_before != epoch
        for pair in pairs:
            # A remembered folder that is missing was removed by its owner, and does not come back by
            # itself; unless the whole mailbox is a new one.
            if moved_house or pair.source.name not in remembered:
                self._introduce(pair, source, destination.statuses)
        # Written after the folders stand: a crash in between must find the same news again.
        if epoch != epoch_before:
            leg.ledger.set_mailbox_epoch(route, epoch, leg.lease)
        mapping = {pair.source.name: pair.destination for pair in pairs}
        if any(remembered.get(name) != target for name, target in mapping.items()):
            leg.ledger.map_folders(route, mapping, leg.lease)
        return pairs

    def _introduce(self, pair: FolderPair, source: Survey, there: Mapping[str, FolderStatus]) -> None:
        """Creates the destination folder unless it is there, and subscribes it as the source did."""
        destination = self.leg.destination
        nobody_subscribes = not any(folder.subscribed for folder in source.folders)
        try:
            if pair.destination not in there:
                destination.create(pair.destination)
            if pair.source.subscribed or nobody_subscribes:
                destination.subscribe(pair.destination)
        except FolderUnusable:
            return  # told when there is something to copy into it

    def _refuse_unusable(self, source: Survey) -> None:
        """Folders that the source lists but does not open: told, with a number of messages nobody knows."""
        leg = self.leg
        known = {refusal.folder for refusal in leg.ledger.refusals(leg.import_.id)}
        for name, error in source.unusable.items():
            if name not in known:
                refusal = Refusal(leg.import_.id, name, ANY_UIDVALIDITY, uid=None, reason=str(error), count=0)
                leg.ledger.record(leg.import_.route, "", [], [refusal], leg.lease)
            leg.observer.account_changed(FolderAccount(name, ""))

    def _copy(self, pair: FolderPair, shown: FolderStatus) -> bool:
        """Copies and recounts one folder. False when the budget is spent."""
        before = self.progress
        source = FolderRef(pair.source.name, shown.uidvalidity)
        work = PairCopy(self.leg, source, pair.destination)
        for _ in range(PASSES):
            try:
                for account in work.run():
                    self._tell(before, account, work.left)
                    if self.leg.budget.spent():
                        return False
            except MailError:
                self._tell(before, work.account, work.left)
                raise
            recounted, arrived = work.recount()
            self._tell(before, recounted, 0)
            if not arrived:
                break
        self.progress = replace(self.progress, folders_done=before.folders_done + 1)
        return True

    def _tell(self, before: Progress, account: FolderAccount, left: int) -> None:
        self.progress = replace(
            self.progress,
            folder=account.source_folder,
            messages_done=before.messages_done + account.found - left,
            bytes_done=before.bytes_done + account.copied_bytes,
        )
        self.leg.observer.account_changed(account)
        self.leg.observer.progressed(self.progress)


def _epoch(destination: Survey) -> UidValidity:
    inboxes = (s.uidvalidity for name, s in destination.statuses.items() if name.upper() == "INBOX")
    return next(inboxes, UidValidity(1))
