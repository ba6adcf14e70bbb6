"""Parser for IMAP responses: bytes in, events out. No sockets, no clock: the result depends on the bytes
alone.

Invariants
- Splitting the input anywhere gives the same events (verified by tests/property/test_wire.py).
- Memory is bounded: no line above `max_line_bytes`, no contents of messages above `max_literal_bytes` per
  response, no headers above MAX_HEADER_BYTES, no names above MAX_NAME_BYTES.
- Deviations from the grammar (RFC 9051 section 9) whose meaning is certain are read as what they mean: blanks
  around the asterisk, TABs in place of blanks, CR CR LF, our tag in lower case, empty lines, a FETCH response
  that goes on in the next line, numbers that are none.
- A line that has no meaning is an `Unparsed` event and costs only itself. What cannot be told from the
  content of a message raises WireError: after it no byte of the connection can be trusted.
- The fast path for FETCH responses in their common form (`_FETCH`) gives the same result as the full parser.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from io import BytesIO
from typing import Final, NamedTuple, Protocol, TypeAlias, TypeGuard

from importer.compact.uid_set import Uid
from importer.domain.messages.message_body import SPOOLED_ABOVE_BYTES, Body, Spooled
from importer.domain.planning.server_limits import MAX_CACHED_FLAGS_BYTES, MAX_HEADER_BYTES, MAX_NAME_BYTES

MAX_LINE_BYTES: Final = 1 << 20
MAX_LITERAL_BYTES: Final = 256 << 20
MAX_STRAY_LINES: Final = 1000
"""Empty and unparsed lines without a response between them, after which the server is not believed any
longer."""

RECENT: Final = "\\Recent"
"""How the flag is spelled in `Fetched.flags`, however the server spells it."""

Value: TypeAlias = "bytes | Spooled | tuple[Value, ...] | None"
"""A parsed part of a response: atom, string or literal (spooled if large); parenthesised list; NIL."""


class Sink(Protocol):
    """Receives a large message piece by piece."""

    def write(self, piece: bytes) -> None: ...

    def finish(self) -> Spooled: ...


class WireError(Exception):
    """The bytes are not an IMAP response. The message quotes at most the first 60 of them. `uid` is that of
    the FETCH response in which it happened, if it is known."""

    uid: int | None = None


class LiteralTooLarge(WireError):
    """The server announced a literal above the size limit."""

    def __init__(self, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(f"a literal of {size_bytes} bytes")
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes


class NameTooLarge(WireError):
    """The server announced a literal above MAX_NAME_BYTES that is no part of a message."""


class _Unclosed(WireError):
    """A parenthesis is open at the end of the line."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A status response (RFC 9051 section 7.1) with its response code parsed.

    `status` is OK, NO, BAD, BYE or PREAUTH. `code` is the response code in upper case without brackets, "" if
    there is none; `arguments` is the text after it inside the brackets; `text` is the human-readable text.
    """

    status: str
    code: str = ""
    arguments: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Tagged:
    """The reply that completes the command with this tag."""

    tag: str
    reply: Reply


@dataclass(frozen=True, slots=True)
class Untagged:
    """A status response that does not complete a command."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Continue:
    """`+`: the server waits for the rest of a command."""

    text: str


class Fetched(NamedTuple):  # one per message: five times as fast to create as a frozen dataclass
    """One FETCH response; items that it does not contain are None, and so are numbers and dates that are NIL
    or malformed. `uid` is None in unsolicited responses.

    `internaldate` is the server's text, unparsed. `body` is BODY[], RFC822 or BODY[]<0>, `header` any
    BODY[HEADER...]. `withheld` means that the server sent NIL for the requested content. `labels` are Gmail's
    labels in its own encoding.
    """

    sequence: int
    uid: Uid | None = None
    flags: tuple[str, ...] | None = None
    internaldate: str | None = None
    size_bytes: int | None = None
    header: bytes | None = None
    body: Body | None = None
    withheld: bool = False
    labels: tuple[bytes, ...] | None = None

    def __repr__(self) -> str:
        """Omit the content."""
        return f"Fetched({self.sequence}, uid={self.uid}, flags={self.flags}, size_bytes={self.size_bytes})"


@dataclass(frozen=True, slots=True)
class LiteralData:
    """Any other untagged response: `* 5 EXISTS`, `* LIST (...) "/" name`. Parsed on demand."""

    name: str
    number: int | None = None
    text: bytes = field(default=b"", repr=False)
    literals: tuple[Body, ...] = field(default=(), repr=False)

    def values(self) -> tuple[Value, ...]:
        """Parse the part after the name. Raises WireError."""
        return parse_values(self.text, self.literals)


@dataclass(frozen=True, slots=True)
class Unparsed:
    """A line that is no IMAP response."""

    text: bytes = field(repr=False)


WireEvent = Tagged | Untagged | Continue | Fetched | LiteralData | Unparsed


class ResponseReader:
    """Incremental parser: accepts bytes as they arrive and returns the events that they complete.

    `missing_bytes` is the number of bytes that a literal still lacks, 0 while a line is read. The content of
    a message (BODY[]) of more than SPOOLED_ABOVE_BYTES is written to a new `spool`, if there is one, else to
    memory; in both cases it is limited to `max_literal_bytes`.
    """

    def __init__(
        self,
        *,
        max_line_bytes: int = MAX_LINE_BYTES,
        max_literal_bytes: int = MAX_LITERAL_BYTES,
        spool: Callable[[], Sink] | None = None,
    ) -> None:
        self._new_spool = spool
        # Receives the current literal: joining a list of pieces would need the memory twice.
        self._literal_sink: Sink | BytesIO = BytesIO()
        self.max_line_bytes = max_line_bytes
        self.max_literal_bytes = max_literal_bytes
        self.missing_bytes = 0
        self._partial = bytearray()  # of a line
        self._text = bytearray()  # complete lines of this response, each ending in a literal's size
        self._literals: list[Body] = []
        self._content_bytes = 0  # of the literals of this response
        self._other_bytes = 0  # of its other literals
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
        at = 0
        while at < len(data):
            if self.missing_bytes:
                chunk = data[at : at + self.missing_bytes]  # a slice of all of `data` makes no copy
                self._literal_sink.write(chunk)
                self.missing_bytes -= len(chunk)
                at += len(chunk)
                if not self.missing_bytes:
                    self._literals.append(self._finish_literal())
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

    def _finish_literal(self) -> Body:
        """Return the literal that is complete now."""
        sink, self._literal_sink = self._literal_sink, BytesIO()
        return sink.getvalue() if isinstance(sink, BytesIO) else sink.finish()

    def _complete_fetches(self, data: bytes, at: int, events: list[WireEvent]) -> int:
        """Add the FETCH responses in the common form that `data` contains completely from `at` on, up to the
        first other response. Return the offset behind them."""
        max_bytes = self.max_literal_bytes
        if self._new_spool is not None:
            max_bytes = min(SPOOLED_ABOVE_BYTES, max_bytes)
        fetched: Fetched | None = None
        while head := _FETCH.match(data, at):
            after, announced = head.end(), head[6]
            if announced is None:
                if not data.startswith(b"\r\n", after):
                    break
                fetched, at = _common_fetch(head, None), after + 2
            else:
                end = after + int(announced)
                if end - after > max_bytes or not data.startswith(b")\r\n", end):
                    break
                fetched, at = _common_fetch(head, data[after:end]), end + 3
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
        line = self._last_line = line[:-1].rstrip(b"\r")
        if self._unclosed and (line.startswith(b"*") or _TAGGED.match(line)):
            events.append(self._close_response())
        if not self._text:
            if not line.strip():
                self._count_stray_line()
                return
            line = self._repaired(line)
            event = _status_or_tagged(line)
            if event is not None:
                self._last_fetched = None
                events.append(self._counted(event))
                return
        announced = _LITERAL_SIZE.search(line, max(0, len(line) - 32))
        if announced:
            self._expect(int(announced[1]), line)
            self._append_text(line + b"\r\n")
            return
        self._append_text(line)
        try:
            events.append(self._finish_response(bytes(self._text)))
        except _Unclosed:
            rest = line.strip(b" )\t")
            word = next(iter(rest.split()), rest)  # `rest` may be a form feed, which splits into nothing
            if self._literals and rest and not _ITEM_NAME.match(word):
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
        if stripped != line and self._last_fetched and not _TAGGED.match(stripped):
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
        """Return the response that is complete with `text`. Raises _Unclosed if it goes on."""
        literals = tuple(self._literals)
        try:
            event = _untagged(text, literals)
        except _Unclosed:
            raise
        except WireError:
            if literals:
                raise
            event = Unparsed(text)
        self._text.clear()
        self._literals = []
        self._content_bytes = self._other_bytes = 0
        self._last_fetched = event[:2] if isinstance(event, Fetched) else None
        return self._counted(event)

    def _close_response(self) -> WireEvent:
        """End a response whose parenthesis the server never closes. Raises WireError if it has literals."""
        self._unclosed = False
        if self._literals:
            raise WireError("an unclosed parenthesis")
        for missing in (b")", b"))"):
            try:
                return self._finish_response(bytes(self._text) + missing)
            except _Unclosed:
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

    def _expect(self, size_bytes: int, line: bytes) -> None:
        is_content = _CONTENT.search(line) is not None
        if is_content:
            self._content_bytes += size_bytes
            if self._content_bytes > self.max_literal_bytes:
                raise LiteralTooLarge(size_bytes, self.max_literal_bytes)
        else:
            self._other_bytes += size_bytes
            of_message = _OF_MESSAGE.match(self._text or line) is not None
            limit_bytes = min(MAX_HEADER_BYTES if of_message else MAX_NAME_BYTES, self.max_literal_bytes)
            if self._other_bytes > limit_bytes:
                raise LiteralTooLarge(size_bytes, limit_bytes) if of_message else NameTooLarge
        if not size_bytes:
            self._literals.append(b"")
            return
        self.missing_bytes = size_bytes
        if size_bytes <= SPOOLED_ABOVE_BYTES:
            self._literal_sink = _preallocated(size_bytes)
        elif self._new_spool is not None and is_content:
            self._literal_sink = self._new_spool()


_FETCH = re.compile(
    rb"\* ([0-9]{1,20}) FETCH \("
    rb"(?:(?:UID ([0-9]{1,20})|RFC822\.SIZE ([0-9]{1,20})|FLAGS \(([^(){\"\r\n]*)\)"
    rb'|INTERNALDATE "([^"\\\r\n]*)")(?: |(?=\))))*'
    rb"(?:BODY\[\] \{([0-9]{1,20})\}\r\n|\))"
)
"""A FETCH response in the form that nearly all servers use, its items in any order and the content last. One
match replaces one per token, which is most of the parsing cost of a small message."""

_STATUS = re.compile(rb"(OK|NO|BAD|BYE|PREAUTH)(?: (.*))?\Z", re.IGNORECASE | re.DOTALL)
_TAGGED = re.compile(rb"([^\s*+]\S*) (OK|NO|BAD)(?: (.*))?\Z", re.IGNORECASE | re.DOTALL)
_DATA = re.compile(rb"\* (?:([0-9]{1,20})[ \t])?([A-Za-z][A-Za-z0-9._-]*)(?:[ \t]|(?=\()|\Z)")
_CODE = re.compile(rb"\[([^\s\[\]]+)(?: ([^\]]*))?\] ?")
_CODE_WITH_LIST = re.compile(rb"\[([^\s\[\]]+) (\([^()]*\))\] ?")  # a keyword in the list may contain "]"
_UID = re.compile(rb"\bUID[ \t]([0-9]{1,10})\b", re.IGNORECASE)
_OWN_TAG = re.compile(rb"M[0-9]+(?: |\Z)")
_CONTENT = re.compile(rb"(?:BODY\[\](?:<0>)?|RFC822)[ \t]\{[0-9]{1,20}\}\Z", re.IGNORECASE)
_OF_MESSAGE = re.compile(rb"\* [0-9]{1,20}[ \t]FETCH[ \t]", re.IGNORECASE)
_LITERAL_SIZE = re.compile(rb"\{([0-9]{1,20})\+?\}\Z")


def _preallocated(size_bytes: int) -> BytesIO:
    """Return a buffer of `size_bytes`, at least 1: a growing buffer is copied again and again.

    Only for bounded sizes, since memory is allocated before the server has sent a byte.
    """
    buffer = BytesIO()
    buffer.seek(size_bytes - 1)
    buffer.write(b"\0")
    buffer.seek(0)
    return buffer


def parse_reply(status: bytes, rest: bytes) -> Reply:
    """Parse a status word and the rest of its line. Without a well-formed response code, the rest is all
    text."""
    code = _CODE_WITH_LIST.match(rest) or _CODE.match(rest)
    if code is None:
        return Reply(_text(status).upper(), text=_words(rest))
    words = _words(rest[code.end() :])
    return Reply(_text(status).upper(), _text(code[1]).upper(), _text(code[2] or b""), words)


def _status_or_tagged(line: bytes) -> WireEvent | None:
    """Return the event of a response that is complete on this line, None for untagged data. Raises WireError
    for a reply to a command that says neither OK nor NO nor BAD."""
    if line.startswith(b"* "):
        status = _STATUS.match(line, 2)
        return Untagged(parse_reply(status[1], status[2] or b"")) if status else None
    if line == b"+" or line.startswith(b"+ "):
        return Continue(_text(line[2:]))
    tagged = _TAGGED.match(line)
    if tagged is not None:
        tag = tagged[1].upper() if tagged[1].startswith(b"m") else tagged[1]  # ours, in lower case
        return Tagged(_text(tag), parse_reply(tagged[2], tagged[3] or b""))
    if _OWN_TAG.match(line):  # no other reply will come
        raise WireError(f"not an IMAP response: {_text(line[:60])!r}")
    # A further line of a response starts with "* " here: `_repaired` made it so.
    return Unparsed(line)


def _common_fetch(head: re.Match[bytes], body: Body | None) -> Fetched:
    sequence, uid, size_bytes, flags, internaldate, _ = head.groups()
    return Fetched(
        int(sequence),
        None if uid is None else Uid(int(uid)),
        None if flags is None else (_flags if len(flags) <= MAX_CACHED_FLAGS_BYTES else _parsed_flags)(flags),
        None if internaldate is None else internaldate.decode("latin-1"),
        None if size_bytes is None else int(size_bytes),
        None,
        body,
    )


def _parsed_flags(text: bytes) -> tuple[str, ...]:
    return _as_flags(parse_values(text))


_flags = lru_cache(maxsize=1024)(_parsed_flags)  # a mailbox has few combinations


def _as_flags(values: Iterable[Value]) -> tuple[str, ...]:
    """Return the values that are flags; \\Recent is always spelled so."""
    flags = (_text(flag) for flag in values if _is_flag(flag))
    return tuple(RECENT if flag.lower() == "\\recent" else flag for flag in flags)


def _untagged(text: bytes, literals: tuple[Body, ...]) -> WireEvent:
    common = _FETCH.match(text)
    if common is not None and text[common.end() :] == (b")" if literals else b"") and len(literals) < 2:
        return _common_fetch(common, literals[0] if literals else None)
    head = _DATA.match(text)
    if head is None:
        raise WireError(f"not an IMAP response: {_text(text[:60])!r}")
    number = int(head[1]) if head[1] else None
    name, rest = _text(head[2]).upper(), text[head.end() :]
    if name == "FETCH" and number is not None:
        return _fetched(number, rest, literals)
    return LiteralData(name, number, rest, literals)


def _fetched(sequence: int, text: bytes, literals: tuple[Body, ...]) -> Fetched:
    values = parse_values(text, literals, ignore_unmatched=True)
    items = values[0] if values else None
    if not isinstance(items, tuple):
        raise WireError("a FETCH response without a list")
    items += values[1:]  # the parenthesis closed too early
    if len(items) % 2:
        raise WireError("a FETCH response that is not a list of pairs")
    if literals and not all(isinstance(n, bytes) and _ITEM_NAME.match(n) for n in items[::2]):
        raise WireError("a FETCH response with an unknown item, perhaps the rest of a message")
    uid: Uid | None = None
    flags: tuple[str, ...] | None = None
    internaldate: str | None = None
    size_bytes: int | None = None
    header: bytes | None = None
    body: Body | None = None
    withheld = False
    labels: tuple[bytes, ...] | None = None
    for name, value in zip(items[::2], items[1::2], strict=True):
        match name.upper() if isinstance(name, bytes) else b"":
            case b"UID":
                number = _number(value)
                uid = None if number is None else Uid(number)
            case b"RFC822.SIZE":
                size_bytes = _number(value)
            case b"FLAGS":
                words = value if isinstance(value, tuple) else ()
                flags = _as_flags(words)
            case b"INTERNALDATE" if isinstance(value, bytes):
                internaldate = _text(value)
            case b"BODY[]" | b"BODY[]<0>" | b"RFC822":
                body = _content(value)
                withheld = value is None
            case b"X-GM-LABELS":
                # An atom NIL in the list is a label named NIL.
                raw_labels = value if isinstance(value, tuple) else ()
                labels = tuple(
                    label or b"NIL" for label in raw_labels if label is None or isinstance(label, bytes)
                )
            case section if section.startswith(b"BODY[HEADER"):
                content = _content(value)
                header = content if isinstance(content, bytes) else b""
            case _:  # not requested
                pass
    return Fetched(sequence, uid, flags, internaldate, size_bytes, header, body, withheld, labels)


_FLAG = re.compile(rb"\\?[^\x00-\x20\x7f(){\"\\]+")


def _is_flag(value: object) -> TypeGuard[bytes]:
    """Return False for a value that no command can carry: a flag is an atom (RFC 9051: `flag`)."""
    return isinstance(value, bytes) and _FLAG.fullmatch(value) is not None


_ITEM_NAME = re.compile(
    rb"(?:UID|FLAGS|MODSEQ|INTERNALDATE|SAVEDATE|ENVELOPE|EMAILID|THREADID|RFC822(?:\.\w+)?|(?:BODY|BINARY)\b.*"
    rb"|PREVIEW|SNIPPET|ANNOTATION|X-[\w.-]+)\Z",
    re.IGNORECASE | re.DOTALL,
)
"""Names of items. Behind a literal nothing else is accepted: it may be the rest of a message whose size the
server announced wrongly."""


def _number(value: Value) -> int | None:
    """Return a number, None for anything else: NIL, -2."""
    if not isinstance(value, bytes) or not value.isdigit() or len(value) > 20:
        return None
    return int(value)


def _content(value: Value) -> Body | None:
    if isinstance(value, tuple):
        raise WireError("a FETCH response with a list instead of the content")
    return value


_TOKEN = re.compile(
    rb"[ \t]*(?:"
    rb"(\()|(\))"
    rb'|"((?:[^"\\\r\n]|\\[^\r\n])*)"'
    rb"|~?\{[0-9]{1,20}\+?\}(\r\n)"
    rb"|((?:BODY|BINARY)(?:\.[A-Z]+)?\[[^\]\r\n]*\](?:<[0-9]+>)?|[^ \t()\"\r\n]+)"
    rb")",
    re.IGNORECASE,
)
_ESCAPED = re.compile(rb"\\(.)")


def parse_values(
    text: bytes, literals: tuple[Body, ...] = (), *, ignore_unmatched: bool = False
) -> tuple[Value, ...]:
    """Parse the values in `text`, in which each `{n}` CRLF represents the next of `literals`. Raises
    WireError. With `ignore_unmatched`, closing parentheses that match none are left out."""
    stack: list[list[Value]] = [[]]
    at, next_literal, end = 0, 0, len(text.rstrip(b" \t"))
    while at < end:
        token = _TOKEN.match(text, at)
        if token is None:
            raise WireError(f"not an IMAP value: {_text(text[at : at + 60])!r}")
        at = token.end()
        kind = token.lastindex
        if kind == 1:
            stack.append([])
        elif kind == 2:
            if len(stack) > 1:
                inner = tuple(stack.pop())
                stack[-1].append(inner)
            elif not ignore_unmatched:
                raise WireError("an unmatched closing parenthesis")
        elif kind == 3:
            quoted = token[3]
            stack[-1].append(_ESCAPED.sub(rb"\1", quoted) if b"\\" in quoted else quoted)
        elif kind == 4:
            stack[-1].append(literals[next_literal])
            next_literal += 1
        else:
            stack[-1].append(None if token[5].upper() == b"NIL" else token[5])
    if len(stack) != 1:
        raise _Unclosed("an unclosed parenthesis")
    return tuple(stack[0])


def _text(value: bytes) -> str:
    """Decode as latin-1, which maps every byte to a character and back: nothing is lost on the way to
    APPEND."""
    return value.decode("latin-1")


def _words(value: bytes) -> str:
    """Decode human-readable text as UTF-8 (RFC 9051 section 7.1), replacing invalid bytes."""
    return value.decode("utf-8", "replace")
