"""The messages and folders that a retry of an earlier import's failed messages tries again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from importer.compact.uid_set import Uid, UidSet
from importer.domain.mailbox_content import FolderRef
from importer.domain.receipts.folder_tally import FolderTally, Refusal, RefusalCode
from importer.domain.receipts.receipt import NEVER_SEEN, Receipt
from providers.frozen import frozen

NOT_ABOUT_MESSAGES: Final = (RefusalCode.PARTLY_SHOWN, RefusalCode.SURPLUS)
"""The codes of refusals that name no message to try again."""


@frozen
class RetryScope:
    """`messages` failed one by one; of the folders `whole` it is not known which messages failed."""

    messages: Mapping[FolderRef, UidSet]
    whole: frozenset[str]

    @classmethod
    def of(cls, refusals: Iterable[Refusal], receipts: Iterable[Receipt]) -> RetryScope:
        """The failures of an import, from its refusals and from its receipts of copies: those that no recount
        has seen failed, too."""
        uids: defaultdict[FolderRef, list[Uid]] = defaultdict(list)
        whole: set[str] = set()
        for refusal in refusals:
            if refusal.uid is not None:
                uids[FolderRef(refusal.folder, refusal.uidvalidity)].append(refusal.uid)
            elif refusal.code not in NOT_ABOUT_MESSAGES:
                whole.add(refusal.folder)
        for receipt in receipts:
            if receipt.reason in NEVER_SEEN:
                uids[receipt.source].extend(receipt.source_uids)
        return cls({folder: UidSet.of(numbers) for folder, numbers in uids.items()}, frozenset(whole))

    def __bool__(self) -> bool:
        return bool(self.messages or self.whole)

    @property
    def folders(self) -> frozenset[str]:
        """The source folders in which something failed."""
        return self.whole | {folder.name for folder in self.messages}

    def chosen(self, folder: FolderRef, uids: UidSet, *, labels: bool) -> UidSet:
        """The messages of a folder to try again: all of them if it is not known which failed, or if
        the folder was renumbered since. `labels`: it is a folder of labels."""
        if folder.name in self.whole:
            return uids
        if labels:
            shared = UidSet()
            for other, failed in self.messages.items():
                shared = shared | failed if other.uidvalidity == folder.uidvalidity else shared
            return uids & shared
        if folder in self.messages:
            return uids & self.messages[folder]
        return uids if any(other.name == folder.name for other in self.messages) else UidSet()


def renumbered_folders(earlier: Iterable[FolderTally], now: Iterable[FolderTally]) -> tuple[str, ...]:
    """The source folders in which messages failed and that the source has numbered anew since: a retry looked
    at all of their messages."""
    failed = {
        tally.source_folder: tally.listing.source_uidvalidity
        for tally in earlier
        if tally.listing is not None and (tally.failed or tally.confirmed != tally.copied)
    }
    return tuple(
        tally.source_folder
        for tally in now
        if tally.listing is not None
        and failed.get(tally.source_folder, tally.listing.source_uidvalidity)
        != tally.listing.source_uidvalidity
    )
