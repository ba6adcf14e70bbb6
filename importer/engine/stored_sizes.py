"""Compares the sizes of copies at the destination with those that were sent, since servers and virus scanners
may cut a message and accept it all the same. Only the bytes of a copy that is shorter prove that it was cut.

One round trip for a folder with large copies, and one in a leg for a few others. If some of these were cut, a
few are compared in each folder, and the rest counts as not checked.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress

from importer.compact.uid_set import UidSet
from importer.domain.mailbox_content import NotHandedOut
from importer.domain.messages.message_identity import digest
from importer.domain.receipts.folder_history import FolderHistory
from importer.domain.receipts.marked_copies import MAX_READ_BYTES, PER_MARK
from importer.domain.receipts.receipt import ChangeKind
from importer.engine.destination_traits import DestinationTraits
from importer.engine.leg_context import Lane
from importer.ports.mailbox_errors import FolderChanged, FolderUnusable


def cut_copies(traits: DestinationTraits, lane: Lane, history: FolderHistory) -> Counter[str]:
    """Return the number of copies whose content the destination changed, and of shorter ones that were not
    read. Raises what the session raises, except that the folder cannot be opened."""
    copies, ref = dict(history.sized.large), history.destination
    if traits.sizes_mislead or not (copies or history.sized.few):
        return Counter()
    all_sizes = traits.cuts or traits.sizes_compared_in in (None, ref)
    if all_sizes:
        traits.sizes_compared_in = ref
        copies |= history.sized.few
    counts: Counter[str] = Counter()
    with suppress(FolderUnusable, FolderChanged):
        there = lane.destination.outlines(ref, UidSet.of(copies)) if copies else ()
        shorter = sorted((o.size_bytes, o.uid) for o in there if o.size_bytes < copies[o.uid].size_bytes)
        left_bytes, read = MAX_READ_BYTES, UidSet()
        for size_bytes, uid in shorter[:PER_MARK]:
            left_bytes -= size_bytes
            if left_bytes >= 0 or not read:
                read |= UidSet.of((uid,))
        for message in lane.destination.messages(ref, read) if read else ():
            if not isinstance(message, NotHandedOut) and digest(message.body) != copies[message.uid].digest:
                counts[ChangeKind.CONTENT] += 1
                traits.cuts = traits.cuts or message.uid in history.sized.few
        traits.sizes_mislead = bool(read) and not counts
        if counts:
            others = len(history.copied_here) - len(copies) if traits.cuts and all_sizes else 0
            counts[ChangeKind.UNCHECKED] = len(shorter) - len(read) + others
    return counts
