"""The commands of one connection that were sent and have no reply yet."""

from __future__ import annotations

from importer.adapters.imap.fallbacks import Fallbacks
from importer.adapters.imap.wire_events import Tagged


class OutstandingCommands:
    """`awaited`: how many replies a caller waits for. `discarded`: tags of the commands whose replies no
    caller waits for. `ahead`: commands that were sent before the previous reply arrived, by tag; b"" until
    they are known. `refusals`: NO and BAD so far; some servers close the connection after a number of them.
    """

    def __init__(self, fallbacks: Fallbacks) -> None:
        self.awaited = 0
        self.discarded: set[str] = set()
        self.ahead: dict[str, bytes] = {}
        self.refusals = 0
        self._fallbacks = fallbacks
        self._begun = 0
        self._tags: set[str] = set()  # without a reply

    @property
    def completed(self) -> int:
        """A number that changes whenever a command completes."""
        return self._begun - self.awaited

    def begin(self, *, ahead: bool) -> str:
        """Return the tag of a command that is about to be sent and awaited. `ahead`: others are sent with it,
        before it."""
        self._begun += 1
        self.awaited += 1
        tag = f"M{self._begun}"
        self._tags.add(tag)
        if ahead or self.awaited > 1:
            self.ahead[tag] = b""
        return tag

    def discard(self, tag: str) -> None:
        """Do not await the reply to a command that was begun."""
        self.awaited -= 1
        self.discarded.add(tag)

    def complete(self, event: Tagged) -> bool:
        """Note a reply. Return whether a caller waits for it, or has to count it: one to a command of another
        client, which some proxies let through."""
        tag, reply = event.tag, event.reply
        if tag not in self._tags:
            return not self._is_own(tag)  # else it is a second reply to the same command
        self._tags.discard(tag)
        self.refusals += reply.status != "OK"
        if reply.status != "BAD" and self.ahead.pop(tag, None) is not None:
            self._fallbacks.note_answer_ahead()
        if tag in self.discarded:
            self.discarded.discard(tag)
            self._fallbacks.note_answer_to_id()
            return False
        self.awaited -= 1
        return True

    def _is_own(self, tag: str) -> bool:
        """Whether a command of this connection had the tag."""
        return tag.startswith("M") and tag[1:12].isdecimal() and int(tag[1:12]) <= self._begun

    def note_loss(self, *, silent: bool) -> None:
        """The connection was lost; `silent`: the server stopped answering."""
        if self.discarded:
            self._fallbacks.note_loss_at_id()
        if self.ahead:
            self._fallbacks.note_loss_ahead(silent=silent)
        elif self.awaited and not silent:
            self._fallbacks.note_loss_otherwise()
