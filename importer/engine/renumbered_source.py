"""Notices that a source folder was renumbered under its UIDVALIDITY: an old UID means another message.

A mailbox that is restored from a backup assigns UIDs again that were assigned since, and some servers give
all folders one UIDVALIDITY. UIDNEXT and the number of messages do not show it once enough mail has arrived.
"""

from __future__ import annotations

from typing import Final

from importer.compact.message_facts import unpack_facts
from importer.compact.uid_set import Uid, UidSet
from importer.domain.mailbox_content import FolderRef, NotHandedOut
from importer.domain.messages.message_identity import digest
from importer.domain.messages.normalise import instant_of
from importer.domain.receipts.receipt import Receipt
from importer.ports.mailbox import MailboxReader

_COMPARED: Final = 3
_MAX_BYTES: Final = 1 << 20


def means_another(session: MailboxReader, source: FolderRef, last: Receipt, listed: UidSet) -> bool:
    """Whether one of the latest listed messages of the receipt is another now: another size, another date,
    and in the end other bytes. Usually one round trip; raises what the session raises."""
    if not (last.facts and last.digests) or last.source != source:
        return False
    places = {uid: at for at, uid in enumerate(last.source_uids)}
    latest = UidSet.of(sorted(UidSet.of(places) & listed)[-_COMPARED:])
    facts = unpack_facts(last.facts, len(last.source_uids))
    suspects: list[Uid] = []
    for outline in session.outlines(source, latest) if latest else ():
        size_bytes, date = facts[places[outline.uid]]
        other = outline.size_bytes != size_bytes and (
            date is None or instant_of(outline.internaldate) != date
        )
        if other and outline.size_bytes <= _MAX_BYTES:
            suspects.append(outline.uid)
    return any(
        not isinstance(message, NotHandedOut) and digest(message.body) != last.digest_at(places[message.uid])
        for message in (session.messages(source, UidSet.of(suspects)) if suspects else ())
    )
