"""Messages that were sent before, into a folder whose UIDVALIDITY has changed since, and whose bytes are not
in it now. The server may hold them in another form: each waits until all others are found or copied, and is
then sent only if no message is left that may be it.

Nothing of this outlives the leg. After a leg without progress they are therefore decided with their batch:
otherwise a leg that ends before all of them are fetched would be followed by legs that do the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from importer.compact.uid_set import Uid, UidSet
from importer.engine.existing_mail import ExistingMail
from importer.ports.mailbox import MailboxSession


@dataclass(frozen=True, slots=True)
class HeldMessage:
    """The identity of a message that waits."""

    uid: Uid
    size_bytes: int
    header: bytes
    digest: bytes


class HeldBack:
    """The messages of one pair of folders that wait. Callers hold the lock of the pair."""

    def __init__(self) -> None:
        self._waiting: dict[Uid, HeldMessage] = {}
        self._cleared: set[Uid] = set()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, message: HeldMessage) -> bool:
        """Have the message wait. False if it waited before and may be sent now."""
        if message.uid in self._cleared:
            return False
        self._waiting[message.uid] = message
        return True

    def clear(self, messages: Iterable[HeldMessage]) -> None:
        """These need not wait any more."""
        self._cleared.update(message.uid for message in messages)

    def take(self) -> list[HeldMessage]:
        """Those that wait; none waits any more."""
        waiting = [*self._waiting.values()]
        self._waiting.clear()
        return waiting


def decide(
    messages: Iterable[HeldMessage],
    session: MailboxSession,
    existing: ExistingMail,
    recognised: UidSet,
    is_known: Callable[[bytes], bool],
) -> tuple[list[HeldMessage], list[HeldMessage]]:
    """Return the messages to send and those of which a copy may be in the folder.

    `recognised` are the UIDs in the folder that have a receipt; `is_known` tells digests of other
    messages. What the server does not hand out may be any message. Raises what the session raises.
    """
    others: dict[Uid, bool] = {}
    send: list[HeldMessage] = []
    doubtful: list[HeldMessage] = []
    for message in messages:
        may_be = existing.altered(message.header, recognised)
        for uid in may_be - others.keys():
            content = existing.digest_of(session, uid)
            others[uid] = content is not None and is_known(content)
        there = any(not others[uid] for uid in may_be)
        (doubtful if there else send).append(message)
    return send, doubtful
