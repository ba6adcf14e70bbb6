"""Events of an IMAP connection, and the status responses (RFC 9051 section 7.1) among them."""

from __future__ import annotations

import re
from dataclasses import field
from typing import Final, NamedTuple

from importer.adapters.imap.wire_values import Value, WireError, human_words, latin1, parse_values
from importer.compact.uid_set import Uid
from importer.domain.messages.message_body import Body
from providers.frozen import frozen

RECENT: Final = "\\Recent"
"""The spelling of the flag in `Fetched.flags`, however the server spells it."""


@frozen
class Reply:
    """A status response (RFC 9051 section 7.1) with its response code parsed.

    `status` is OK, NO, BAD, BYE or PREAUTH. `code` is the response code in upper case without brackets, "" if
    there is none; `arguments` is the text after it inside the brackets; `text` is the human-readable text.
    """

    status: str
    code: str = ""
    arguments: str = ""
    text: str = ""


@frozen
class Tagged:
    """The reply that completes the command with this tag."""

    tag: str
    reply: Reply


@frozen
class Untagged:
    """A status response that does not complete a command."""

    reply: Reply


@frozen
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


@frozen
class LiteralData:
    """Any other untagged response: `* 5 EXISTS`, `* LIST (...) "/" name`. Parsed on demand."""

    name: str
    number: int | None = None
    text: bytes = field(default=b"", repr=False)
    literals: tuple[Body, ...] = field(default=(), repr=False)

    def values(self) -> tuple[Value, ...]:
        """Parse the part after the name. Raises WireError."""
        return parse_values(self.text, self.literals)


@frozen
class Unparsed:
    """A line that is no IMAP response."""

    text: bytes = field(repr=False)


WireEvent = Tagged | Untagged | Continue | Fetched | LiteralData | Unparsed


_STATUS = re.compile(rb"(OK|NO|BAD|BYE|PREAUTH)(?: (.*))?\Z", re.IGNORECASE | re.DOTALL)
TAGGED_REPLY = re.compile(rb"([^\s*+]\S*) (OK|NO|BAD)(?: (.*))?\Z", re.IGNORECASE | re.DOTALL)
_CODE = re.compile(rb"\[([^\s\[\]]+)(?: ([^\]]*))?\] ?")
_CODE_WITH_LIST = re.compile(rb"\[([^\s\[\]]+) (\([^()]*\))\] ?")  # a keyword in the list may contain "]"
_OWN_TAG = re.compile(rb"M[0-9]+(?: |\Z)")


def parse_reply(status: bytes, rest: bytes) -> Reply:
    """Parse a status word and the rest of its line. Without a well-formed response code, the rest is all
    text."""
    code = _CODE_WITH_LIST.match(rest) or _CODE.match(rest)
    if code is None:
        return Reply(latin1(status).upper(), text=human_words(rest))
    words = human_words(rest[code.end() :])
    return Reply(latin1(status).upper(), latin1(code[1]).upper(), latin1(code[2] or b""), words)


def status_event(line: bytes) -> WireEvent | None:
    """Return the event of a response that is complete on this line, None for untagged data. Raises WireError
    for a reply to a command that says neither OK nor NO nor BAD."""
    if line.startswith(b"* "):
        status = _STATUS.match(line, 2)
        return Untagged(parse_reply(status[1], status[2] or b"")) if status else None
    if line == b"+" or line.startswith(b"+ "):
        return Continue(latin1(line[2:]))
    tagged = TAGGED_REPLY.match(line)
    if tagged is not None:
        tag = tagged[1].upper() if tagged[1].startswith(b"m") else tagged[1]  # ours, in lower case
        return Tagged(latin1(tag), parse_reply(tagged[2], tagged[3] or b""))
    if _OWN_TAG.match(line):  # no other reply will come
        raise WireError(f"not an IMAP response: {latin1(line[:60])!r}")
    # A further line of a response starts with "* " here: the reader made it so.
    return Unparsed(line)
