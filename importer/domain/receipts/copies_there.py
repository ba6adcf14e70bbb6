"""Which messages that have a receipt the destination folder still lists.

A message is there if it, or another one with the same content, has a UID that the folder lists. Receipts
without destination UIDs (a server without UIDPLUS, or a folder that was created anew) cannot tell by
themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field

from importer.compact.digest_set import DIGEST_BYTES, Digests
from importer.compact.uid_set import Uid, UidSet
from importer.compact.uids_by_key import UidsByKey
from importer.domain.mailbox_content import FolderRef
from importer.domain.model import ImportId
from importer.domain.receipts.receipt import NEVER_SEEN, Outcome, Receipt
from providers.frozen import frozen


@frozen
class CopiesThere:
    """Source UIDs of messages with a receipt, by what the destination folder lists now; those that are in
    none of these sets are there.

    `gone` were there and are no longer listed; of this import, those that an earlier leg saw there.
    `never_seen` were copied by an earlier import and no recount has seen them. `unchecked` could not be
    looked up; if `unknown`, all of them. `lost` are copies of this import that are not listed. `unnumbered`
    have no known destination UID; of several with the same content, `twins` maps each to the first, and no
    recount has seen the `unproven` ones. `moved` copies are in other folders of the destination. `back` are
    copies of this import that have another UID now.
    """

    gone: UidSet = UidSet()
    never_seen: UidSet = UidSet()
    unchecked: UidSet = UidSet()
    lost: UidSet = UidSet()
    unnumbered: UidSet = UidSet()
    unproven: UidSet = UidSet()
    moved: UidSet = UidSet()
    back: UidSet = UidSet()
    twins: Mapping[Uid, Uid] = field(default_factory=dict)
    unknown: bool = False


def copies_there(
    receipts: Callable[[], Iterator[Receipt]], import_id: ImportId, source: FolderRef, listed: UidSet
) -> CopiesThere:
    """Sort the messages of `source` that have a receipt. `receipts` returns the valid receipts into the
    destination folder, of all imports and source folders; it is called twice."""
    there, missing, looked_up = Digests(), Digests(), UidsByKey(DIGEST_BYTES)
    for receipt in receipts():
        for at, uid in enumerate(receipt.destination_uids):
            (there if uid in listed else missing).add(receipt.digest_at(at))
    gone: list[Uid] = []
    never_seen: list[Uid] = []
    lost: list[Uid] = []
    unnumbered: list[Uid] = []
    unproven: list[Uid] = []
    twins: dict[Uid, Uid] = {}
    for receipt in receipts():
        if receipt.source != source or receipt.outcome is Outcome.SKIPPED:
            continue
        ours = receipt.outcome is Outcome.COPIED and receipt.import_id == import_id
        for at, uid in enumerate(receipt.source_uids):
            numbered, content = bool(receipt.destination_uids), receipt.digest_at(at)
            if (numbered and receipt.destination_uids[at] in listed) or content in there:
                continue
            if not numbered and content not in missing:
                unnumbered.append(uid)
                if receipt.reason in NEVER_SEEN and not ours:
                    unproven.append(uid)
                if (first := next(looked_up.get(content), None)) is None:
                    looked_up.add(content, uid)
                elif uid != first:
                    twins[uid] = first
            elif ours:
                lost.append(uid)
            else:
                (never_seen if receipt.reason in NEVER_SEEN else gone).append(uid)
    return CopiesThere(
        UidSet.of(gone),
        UidSet.of(never_seen),
        lost=UidSet.of(lost),
        unnumbered=UidSet.of(unnumbered),
        unproven=UidSet.of(unproven),
        twins=twins,
    )


def digests_of(receipts: Iterator[Receipt], source: FolderRef, uids: UidSet) -> Mapping[Uid, bytes]:
    """The content of those messages of `source` that have a receipt."""
    return {
        uid: receipt.digest_at(at)
        for receipt in receipts
        if receipt.source == source and receipt.digests
        for at, uid in enumerate(receipt.source_uids)
        if uid in uids
    }
