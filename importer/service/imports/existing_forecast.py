"""Forecasts how many messages of a folder are at the destination already, brought by another program.

The candidates are those of a copy (`ExistingMailIndex`), but no body is read: the headers decide here, the
bytes during the copy.
"""

from __future__ import annotations

from typing import Final

from importer.compact.uid_set import Uid, UidSet
from importer.domain.mailbox_content import FolderRef
from importer.domain.messages.message_identity import CandidateKeys, ExistingMailIndex
from importer.ports.mailbox import MailboxReader

MAX_EXISTING: Final = 20_000
"""Destination folders with more messages without a receipt are not examined: the headers of all of them would
have to be read."""


def count_existing(
    source: MailboxReader,
    source_folder: FolderRef,
    uids: UidSet,
    destination: MailboxReader,
    destination_folder: FolderRef,
    existing: UidSet,
) -> int:
    """The number of source messages `uids` that probably equal one of the messages `existing`. Raises what
    the sessions raise."""
    if not uids or not existing or len(existing) > MAX_EXISTING:
        return 0
    index = ExistingMailIndex()
    for lines in destination.headers(destination_folder, existing):
        index.add(lines.uid, lines.size_bytes, lines.header)
    taken: set[Uid] = set()  # each message there equals one source message, even if several have its header
    for lines in source.headers(source_folder, uids):
        free = index.namesakes(CandidateKeys.of(lines.header)) - taken
        if free:
            taken.add(min(free))
    return len(taken)
