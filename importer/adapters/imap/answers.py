"""Answers that are held before they are read, and how large they may become."""

from __future__ import annotations

from importer.adapters.imap import response_errors
from importer.adapters.imap.event_stream import EventStream
from importer.adapters.imap.wire_events import Reply, WireEvent
from importer.domain.planning.server_limits import MAX_ANSWER_BYTES, MAX_ANSWER_RESPONSES
from providers.frozen import frozen


@frozen
class Answer:
    """The response to one command: the untagged events in order, and the tagged reply."""

    events: tuple[WireEvent, ...]
    reply: Reply


class AnswerBounds:
    """Bounds the answers that a caller collects before it reads them, over one or several commands."""

    def __init__(self, connection: EventStream, max_bytes: int = MAX_ANSWER_BYTES) -> None:
        self._connection = connection
        self._until_bytes = connection.received_bytes + max_bytes
        self._left = MAX_ANSWER_RESPONSES

    def count(self) -> None:
        """Count one response. Raises BeyondLimit, and drops the connection."""
        self._left -= 1
        connection = self._connection
        if self._left < 0:
            connection.drop()
            raise response_errors.too_many_responses(connection.peer, MAX_ANSWER_RESPONSES)
        if connection.received_bytes > self._until_bytes:
            connection.drop()
            raise response_errors.too_much(connection.peer)
