"""Reads marked copies back, to find changes that the destination made to them: one command for a folder, none
if no copy is marked."""

from __future__ import annotations

from collections import Counter

from importer.compact.uid_set import UidSet
from importer.domain.mailbox_content import NotHandedOut
from importer.domain.messages.stored_changes import changed_by_server
from importer.domain.receipts.folder_history import FolderHistory
from importer.domain.receipts.receipt import ChangeKind
from importer.engine.leg_context import Lane
from importer.ports.mailbox_errors import FolderChanged, FolderUnusable


def read_back(lane: Lane, history: FolderHistory) -> Counter[str]:
    """Return the number of copies that the destination changed, and of copies that it may have changed and
    that were not read."""
    copies, counts, read = history.marked, Counter[str](), 0
    try:
        for message in (
            lane.destination.messages(history.destination, UidSet.of(copies.sample)) if copies.sample else ()
        ):
            if not isinstance(message, NotHandedOut) and message.uid in copies.sample:
                read += 1
                marks, digest = copies.sample[message.uid]
                counts.update(changed_by_server(marks, digest, message))
    except (FolderUnusable, FolderChanged):
        pass  # copies that were not read count as not checked
    if copies.suspects > read:
        counts[ChangeKind.UNCHECKED] = copies.suspects - read
    return counts
