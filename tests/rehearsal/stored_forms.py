"""The stored form of a message on each tested server: the bytes that it returns after an APPEND, or a
refusal.

Found by appending each of ODD_MESSAGES to Dovecot 2.3.19, Cyrus 3.6.1, Courier 5.0.13, GNU mailutils 3.15 and
pymap 0.36, and the messages without their last characters, as pymap returns them. A server whose rule is
wrong here fails `tests/integration/test_server_matrix.py`. `sent` is Mailhaul's own rule.
"""

from __future__ import annotations

import re
from collections.abc import Callable

UNPREDICTABLE = b"?"
"""The server stores the message, but returns it truncated, duplicated or rearranged."""

StoredForm = Callable[[bytes], bytes | None]
"""The bytes of an appended message that the server stores; None: it refuses the message."""

_OF_MBOX = re.compile(rb"(?i)(status|x-status|x-keywords|x-uid|x-imapbase|content-length):")
_OF_MAILUTILS = re.compile(rb"(?i)(status|x-uid|x-imapbase):")


def sent(content: bytes) -> bytes:
    """The form in which Mailhaul appends a message: a bare LF becomes CRLF, which the report counts."""
    return re.sub(rb"(?<!\r)\n", b"\r\n", content)


def dovecot(content: bytes) -> bytes | None:
    """NUL becomes 0x80; one CR before a CRLF or at the end is removed. Empty messages are refused."""
    return _one_cr(content).removesuffix(b"\r").replace(b"\0", b"\x80") or None


def dovecot_mbox(content: bytes) -> bytes | None:
    """Like `dovecot`. The fields of an mbox and a From_ line are removed, and header and text get a line
    end."""
    stored = dovecot(content)
    if stored is None:
        return None
    header, text = _split(_without_separator(stored))
    return _without(_OF_MBOX, header) + _one_cr(text if text.endswith(b"\n") else text + b"\n")


def cyrus(content: bytes) -> bytes | None:
    """Unchanged. Empty messages, NUL, bare LF and lines of a header that are no field or have no end are
    refused."""
    message = _without_separator(content)
    fields = _header_lines(message)
    invalid = any(not re.match(rb"[!-9;-~\x80-\xff]+[ \t]*:|[ \t]", line) for line in fields)
    invalid = invalid or bool(re.match(rb"[^\s:]+[ \t]", fields[0] if fields else b""))
    invalid = invalid or b"\n".join(fields) == message
    if not content or b"\0" in content or re.search(rb"(?<!\r)\n", content) or invalid:
        return None
    return content


def munging_cyrus(content: bytes) -> bytes | None:
    """Like `cyrus`; 8-bit characters in the header also become X."""
    if cyrus(content) is None:
        return None
    header, text = _split(content, complete=False)
    return re.sub(rb"[\x80-\xff]", b"X", header) + text


def courier(content: bytes) -> bytes | None:
    """Each CR is removed, each LF becomes CRLF, and the last line gets a line end."""
    stored = content.replace(b"\r", b"").replace(b"\n", b"\r\n")
    return stored if stored.endswith(b"\r\n") else stored + b"\r\n"


def mailutils(content: bytes) -> bytes | None:
    """A bare LF becomes CRLF, a From_ line and mailutils' own fields are removed, and the header gets its
    end.

    Messages without a header, with a NUL or with spaces before a colon are returned damaged. An empty message
    ends the connection; a header with a line without a colon is refused.
    """
    if not content:
        return None
    header, text = _split(_without_separator(sent(content)))
    lines = _header_lines(header)
    if any(b":" not in line and line[:1] not in b" \t" for line in lines):
        return None
    kept = _header_lines(_without(_OF_MAILUTILS, header))
    if not kept or b"\0" in content or any(re.match(rb"[^\s:]+[ \t]+:", line) for line in lines):
        return UNPREDICTABLE
    return _without(_OF_MAILUTILS, header) + text


def mailutils_mbox(content: bytes) -> bytes | None:
    """Like `mailutils`. The text gets a line end, and mailutils' own fields are added: see
    `without_own_fields`."""
    stored = mailutils(content)
    if not stored or stored == UNPREDICTABLE:
        return stored
    header, text = _split(stored)
    return header + (text if text.endswith(b"\r\n") else text + b"\r\n")


def pymap(content: bytes) -> bytes | None:
    """Unchanged, but a header without its end loses its last character. Empty messages are refused."""
    if content and not re.search(rb"(\A|\n)\r?\n", content) and content.endswith(b"\n"):
        return content[:-1]
    return content or None


def without_own_fields(content: bytes) -> bytes:
    """The message without the fields that mailutils adds to messages in an mbox."""
    header, text = _split(content)
    return _without(_OF_MAILUTILS, header) + text


def _one_cr(content: bytes) -> bytes:
    return re.sub(rb"\r?\r?\n", b"\r\n", content)


def _without_separator(content: bytes) -> bytes:
    return content.partition(b"\n")[2] if content.startswith(b"From ") else content


def _split(content: bytes, *, complete: bool = True) -> tuple[bytes, bytes]:
    """The header with the empty line at its end, added if it is missing (`complete`), and the text."""
    end = re.search(rb"(\A|\r\n)\r\n", content)
    if end:
        return content[: end.end()], content[end.end() :]
    if not complete:
        return content, b""
    return content + (b"\r\n" if content.endswith(b"\r\n") else b"\r\n\r\n"), b""


def _header_lines(content: bytes) -> list[bytes]:
    lines: list[bytes] = []
    for line in content.split(b"\n"):
        if not line.rstrip(b"\r"):
            break
        lines.append(line)
    return lines


def _without(fields: re.Pattern[bytes], header: bytes) -> bytes:
    kept: list[bytes] = []
    dropping = False
    for line in header.splitlines(keepends=True):
        if line[:1] not in b" \t" or not line.strip():
            dropping = bool(fields.match(line))
        if not dropping:
            kept.append(line)
    return b"".join(kept)
