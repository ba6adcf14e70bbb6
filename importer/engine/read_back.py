"""Reads marked copies back, to tell what the destination changed about them: one command for a folder, none
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
    """How many copies the destination changed, and how many of those that it may have changed were not
    read."""
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
        pass  # what was not read counts as not checked
    if copies.suspects > read:
        counts[ChangeKind.UNCHECKED] = copies.suspects - read
    return counts
