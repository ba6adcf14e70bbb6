"""Messages that were sent before, into a folder whose UIDVALIDITY has changed since, and whose bytes are not
in it now. The server may hold them in another form: each waits until all others are found or copied, and is
then sent only if no message is left that may be it.

This state ends with the leg. After a leg without progress, such messages are therefore decided with their
batch: otherwise a leg that ends before all of them are fetched would be followed by legs that do the same.
"""

from __future__ import annotations

from collections.abc import Iterable

from importer.compact.uid_set import Uid
from importer.domain.messages.message_key import MessageKey
from importer.engine.folder_state import FolderState
from importer.engine.leg_context import Lane


def indistinguishable(state: FolderState, lane: Lane, keys: Iterable[MessageKey]) -> set[Uid]:
    """The UIDs of those of the messages of which a copy may be in the folder: a message that may be it, and
    that is no other message that was sent. The others need not wait any more.

    A message that the server does not deliver may be any of them. Raises what the session raises.
    """
    existing, recognised = state.target.existing, state.recognised
    is_another: dict[Uid, bool] = {}
    found: set[Uid] = set()
    clear: list[Uid] = []
    for key in keys:
        candidates = existing.altered(key.header, recognised)
        for uid in candidates - is_another.keys():
            content = existing.digest_of(lane.destination, uid)
            is_another[uid] = content is not None and state.was_sent(content)
        if all(is_another[uid] for uid in candidates):
            clear.append(key.uid)
        else:
            found.add(key.uid)
    state.clear(clear)
    return found
