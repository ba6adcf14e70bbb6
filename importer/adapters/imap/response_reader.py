"""Parser for IMAP responses: bytes in, events out. No sockets, no clock: the result depends on the bytes
alone.

Invariants
- Splitting the input anywhere gives the same events (verified by tests/property/test_wire.py).
- Memory is bounded: no line above `max_line_bytes`, no literals beyond the bounds of `IncomingLiterals`.
- Deviations from the grammar (RFC 9051 section 9) whose meaning is certain are accepted: blanks around the
  asterisk, TABs in place of blanks, CR CR LF, NULs around a line, our tag in lower case, empty lines, a FETCH
  response that continues in the next line, malformed numbers.
- A line that has no meaning is an `Unparsed` event and costs only itself. A response that may be part of the
  content of a message raises WireError: after it no byte of the connection can be trusted.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from importer.adapters.imap.fetch_response import COMMON_FETCH, FETCH_ITEM_NAME, common_fetch, untagged_event
from importer.adapters.imap.incoming_literals import MAX_LITERAL_BYTES, IncomingLiterals, Sink
from importer.adapters.imap.wire_events import (
    TAGGED_REPLY,
    Fetched,
    Unparsed,
    WireEvent,
    status_event,
)
from importer.adapters.imap.wire_values import UnclosedParenthesis, WireError
from importer.compact.uid_set import Uid

MAX_LINE_BYTES: Final = 1 << 20
MAX_STRAY_LINES: Final = 1000
"""Empty and unparsed lines without a response between them, after which the server is no longer trusted."""

_UID = re.compile(rb"\bUID[ \t]([0-9]{1,10})\b", re.IGNORECASE)
_LITERAL_SIZE = re.compile(rb"\{([0-9]{1,20})\+?\}\Z")


class ResponseReader:
    """Incremental parser: accepts bytes as they arrive and returns the events that they complete. For
    `max_literal_bytes` and `spool` see `IncomingLiterals`."""

    def __init__(
        self,
        *,
        max_line_bytes: int = MAX_LINE_BYTES,
        max_literal_bytes: int = MAX_LITERAL_BYTES,
        spool: Callable[[], Sink] | None = None,
    ) -> None:
        self.max_line_bytes = max_line_bytes
        self._literals = IncomingLiterals(max_literal_bytes, spool)
        self._partial = bytearray()  # of a line
        self._text = bytearray()  # complete lines of this response, each ending in a literal's size
        self._last_line = b""
        self._unclosed = False  # `_text` ends in a line with an open parenthesis
        # Sequence number and UID of the last response, if it was a FETCH.
        self._last_fetched: tuple[int, Uid | None] | None = None
        self._stray_lines = 0  # since the last response
        self.unparsed: bytes = b""  # the last line since then that is no response
        self._broken: WireError | None = None

    def feed(self, data: bytes) -> list[WireEvent]:
        """Return the events that `data` completes, in order. Raises WireError, after which the reader is
        unusable.

        Events before the error in the same `data` are returned first, and the next call raises.
        """
        if self._broken is not None:
            raise self._broken
        events: list[WireEvent] = []
        try:
            self._read(data, events)
        except WireError as error:
            named = _UID.search(self._text) or _UID.search(self._last_line)
            error.uid = int(named[1]) if named else None
            if not events:
                raise
            self._broken = error
        return events

    @property
    def broken(self) -> bool:
        """True if the next call of `feed` will raise, whatever its argument."""
        return self._broken is not None

    def _read(self, data: bytes, events: list[WireEvent]) -> None:
        literals = self._literals
        at = 0
        while at < len(data):
            if literals.missing_bytes:
                at = literals.take(data, at)
                continue
            if not (self._partial or self._text) and (after := self._complete_fetches(data, at, events)) > at:
                at = after
                continue
            end = data.find(b"\n", at) + 1
            self._partial += data[at : end or len(data)]
            if len(self._partial) + len(self._text) > self.max_line_bytes:
                raise WireError(f"a line of more than {self.max_line_bytes} bytes")
            if not end:
                break
            at = end
            self._line(events)

    def _complete_fetches(self, data: bytes, at: int, events: list[WireEvent]) -> int:
        """Add the FETCH responses in the common form that `data` contains completely from `at` on, up to the
        first other response. Return the offset behind them."""
        max_bytes = self._literals.max_unspooled_bytes
        fetched: Fetched | None = None
        while head := COMMON_FETCH.match(data, at):
            after, announced = head.end(), head[6]
            if announced is None:
                if not data.startswith(b"\r\n", after):
                    break
                fetched, at = common_fetch(head, None), after + 2
            else:
                end = after + int(announced)
                if end - after > max_bytes or not data.startswith(b")\r\n", end):
                    break
                fetched, at = common_fetch(head, data[after:end]), end + 3
            events.append(fetched)
        if fetched is not None:
            self._last_fetched = fetched[:2]
            self._stray_lines = 0
            self.unparsed = b""
        return at

    def _line(self, events: list[WireEvent]) -> None:
        """Process the line in `_partial` and add the events that it completes."""
        line = bytes(self._partial)
        self._partial.clear()
        line = line[:-1].rstrip(b"\r\0")
        if self._unclosed or not self._text:  # else the line may go on with the rest of a message
            line = line.lstrip(b"\0")
        self._last_line = line
        if self._unclosed and (line.startswith(b"*") or TAGGED_REPLY.match(line)):
            events.append(self._close_response())
        if not self._text:
            if not line.strip():
                self._count_stray_line()
                return
            line = self._repaired(line)
            event = status_event(line)
            if event is not None:
                self._last_fetched = None
                events.append(self._counted(event))
                return
        announced = _LITERAL_SIZE.search(line, max(0, len(line) - 32))
        if announced:
            self._literals.begin(int(announced[1]), line, self._text or line)
            self._append_text(line + b"\r\n")
            return
        self._append_text(line)
        try:
            events.append(self._finish_response(bytes(self._text)))
        except UnclosedParenthesis:
            rest = line.strip(b" )\t")
            word = next(iter(rest.split()), rest)  # `rest` may be a form feed, which splits into nothing
            if self._literals.complete and rest and not FETCH_ITEM_NAME.match(word):
                raise  # the rest of a message, or of another response: to wait for more may be in vain
            self._unclosed = True
            if not line.strip():
                self._count_stray_line()

    def _repaired(self, line: bytes) -> bytes:
        """Return the first line of a response with one blank after its asterisk.

        A line that is indented and follows a FETCH response holds further items of it: the server closed the
        parenthesis too early.
        """
        if line.startswith(b"* ") and line[2:3] not in (b" ", b"\t"):
            return line
        stripped = line.lstrip(b" \t")
        if stripped.startswith(b"*"):
            return b"* " + stripped[1:].lstrip(b" \t")
        if stripped != line and self._last_fetched and not TAGGED_REPLY.match(stripped):
            sequence, uid = self._last_fetched
            known = b"" if uid is None else b"UID %d" % uid
            return b"* %d FETCH (%s%s" % (sequence, known, line)
        return stripped

    def _append_text(self, line: bytes) -> None:
        if self._unclosed:
            self._unclosed = False
            self._text += b" "
        self._text += line

    def _finish_response(self, text: bytes) -> WireEvent:
        """Return the response that is complete with `text`. Raises UnclosedParenthesis if it goes on."""
        literals = tuple(self._literals.complete)
        try:
            event = untagged_event(text, literals)
        except UnclosedParenthesis:
            raise
        except WireError:
            if literals:
                raise
            event = Unparsed(text)
        self._text.clear()
        if literals:
            self._literals.clear()
        self._last_fetched = event[:2] if isinstance(event, Fetched) else None
        return self._counted(event)

    def _close_response(self) -> WireEvent:
        """End a response whose parenthesis the server never closes. Raises WireError if it has literals."""
        self._unclosed = False
        if self._literals.complete:
            raise WireError("an unclosed parenthesis")
        for missing in (b")", b"))"):
            try:
                return self._finish_response(bytes(self._text) + missing)
            except UnclosedParenthesis:
                continue
        event = Unparsed(bytes(self._text))
        self._text.clear()
        return self._counted(event)

    def _counted(self, event: WireEvent) -> WireEvent:
        if isinstance(event, Unparsed):
            self.unparsed = event.text
            self._count_stray_line()
        else:
            self.unparsed = b""
            self._stray_lines = 0
        return event

    def _count_stray_line(self) -> None:
        self._stray_lines += 1
        if self._stray_lines > MAX_STRAY_LINES:
            raise WireError(f"more than {MAX_STRAY_LINES} lines that are no IMAP response")
