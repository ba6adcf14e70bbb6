"""Where the messages of a route were put by earlier legs, for sources that show labels as folders."""

from __future__ import annotations

from collections.abc import Iterator

from importer.compact.uid_set import UidSet
from importer.domain.model import FolderRef, Route
from importer.ports.ledger import Ledger


def placed(ledger: Ledger, route: Route) -> Iterator[tuple[FolderRef, UidSet]]:
    """Source folder and UIDs of every receipt, and of every append whose outcome is not known yet: what may
    have landed under one label must not be sent under another. Receipts for folders that are gone count too:
    what their owner removed does not come back under another label."""
    for destination in sorted(set(ledger.folder_map(route).values())):
        for receipt in ledger.receipts(route, destination):
            yield receipt.source, UidSet.of(receipt.source_uids)
        for intent in ledger.intents(route, destination):
            yield intent.source, UidSet.of(intent.source_uids)
