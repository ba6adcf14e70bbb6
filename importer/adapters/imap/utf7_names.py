"""Folder names between people and the wire: modified UTF-7 (RFC 3501 section 5.1.3), and what is not."""

from __future__ import annotations

from itertools import count

from imapclient import imap_utf7

from importer.adapters.imap.commands import quoted


class FolderNames:
    """Decodes the names of one account and remembers how the server wrote them. For any number of threads.

    Some servers list raw UTF-8, a bare `&` or sloppy base64. Such a folder keeps the bytes that the
    server gave it, so that it can be opened under them; and two folders never become one.
    """

    def __init__(self) -> None:
        self._listed: dict[str, bytes] = {}

    def decode(self, raw: bytes) -> str:
        """The name for people, the same for the same bytes; INBOX in any case is "INBOX" (RFC 9051
        section 5.1). Other bytes that spell a name that is taken get a number behind it."""
        if raw.upper() == b"INBOX":
            return "INBOX"
        name = plain = _decoded(raw)
        numbers = count(2)
        while self._listed.setdefault(name, raw) != raw:
            name = f"{plain} ({next(numbers)})"
        return name

    def encode(self, name: str) -> bytes:
        """The name as the server writes it. Raises UnicodeEncodeError for half a surrogate pair."""
        raw = self._listed.get(name)
        return bytes(imap_utf7.encode(name)) if raw is None else raw

    def quoted(self, name: str) -> bytes:
        """The name for a command line. Raises UnsafeText and what `encode` does."""
        return quoted(self.encode(name))


def _decoded(raw: bytes) -> str:
    """From modified UTF-7, unless encoding it would not give the same bytes again."""
    try:
        name = str(imap_utf7.decode(raw))
        if imap_utf7.encode(name) == raw:
            return name
    except UnicodeError:
        pass
    return raw.decode("utf-8", "backslashreplace")
