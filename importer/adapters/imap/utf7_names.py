"""Converts folder names between text and modified UTF-7 (RFC 3501 section 5.1.3), and preserves names that
are not."""

from __future__ import annotations

from functools import lru_cache
from itertools import count
from typing import Final

from imapclient import imap_utf7

from importer.adapters.imap.commands import quoted

_REMEMBERED: Final = 4096
"""Names whose other form is kept: each is listed and sent several times, and many mailboxes share some."""


class FolderNames:
    """Decodes the folder names of one account and remembers the server's encoding of each. Thread-safe.

    Some servers list raw UTF-8, a bare `&` or malformed base64. The original bytes of such a name are kept,
    so that the folder can be opened, and two folders never get the same decoded name.
    """

    def __init__(self) -> None:
        self._listed: dict[str, bytes] = {}
        self._known: dict[bytes, str] = {}  # names with a number
        self._next_numbers: dict[str, count[int]] = {}

    def decode(self, raw: bytes) -> str:
        """Return the decoded name, always the same for the same bytes. INBOX in any case is "INBOX" (RFC 9051
        section 5.1). If different bytes decode to a name in use, a number is appended."""
        if raw.upper() == b"INBOX":
            return "INBOX"
        name = plain = _decode(raw)
        if self._listed.setdefault(name, raw) == raw:
            return name
        if known := self._known.get(raw):
            return known
        numbers = self._next_numbers.setdefault(plain, count(2))
        while self._listed.setdefault(name, raw) != raw:
            name = f"{plain} ({next(numbers)})"
        return self._known.setdefault(raw, name)

    def encode(self, name: str) -> bytes:
        """Return the name as the server encodes it. Raises UnicodeEncodeError for a lone surrogate."""
        raw = self._listed.get(name)
        return _encode(name) if raw is None else raw

    def quoted(self, name: str) -> bytes:
        """Return the name for a command line. Raises UnsafeText and what `encode` raises."""
        return quoted(self.encode(name))


@lru_cache(_REMEMBERED)
def _encode(name: str) -> bytes:
    return bytes(imap_utf7.encode(name))


@lru_cache(_REMEMBERED)
def _decode(raw: bytes) -> str:
    """Decode modified UTF-7, if encoding the result gives the same bytes again; else UTF-8."""
    try:
        name = str(imap_utf7.decode(raw))
        if _encode(name) == raw:
            return name
    except UnicodeError:
        pass
    return raw.decode("utf-8", "backslashreplace")
