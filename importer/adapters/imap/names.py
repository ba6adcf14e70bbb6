"""Folder names between people and the wire: modified UTF-7 (RFC 3501 section 5.1.3), and what is not."""

from __future__ import annotations

from imapclient import imap_utf7

from importer.adapters.imap.commands import quoted


class FolderNames:
    """Decodes names and remembers those that no encoder would give back.

    Some servers list raw UTF-8, a bare `&` or sloppy base64. Such a folder keeps the bytes that the
    server gave it, so that it can be opened under them.
    """

    def __init__(self) -> None:
        self._as_listed: dict[str, bytes] = {}

    def decode(self, raw: bytes) -> str:
        """The name for people. INBOX in any case is "INBOX" (RFC 9051 section 5.1)."""
        if raw.upper() == b"INBOX":
            return "INBOX"
        name = _utf7_decoded(raw)
        if name is not None:
            self._as_listed.pop(name, None)
            return name
        name = raw.decode("utf-8", "backslashreplace")
        self._as_listed[name] = raw
        return name

    def quoted(self, name: str) -> bytes:
        """The name for a command line. Raises UnsafeText, or UnicodeEncodeError for half a surrogate pair."""
        raw = self._as_listed.get(name)
        return quoted(imap_utf7.encode(name) if raw is None else raw)


def _utf7_decoded(raw: bytes) -> str | None:
    """The decoded name, None when encoding it would not give the same bytes again."""
    try:
        name = imap_utf7.decode(raw)
        return name if imap_utf7.encode(name) == raw else None
    except UnicodeError:
        return None
