"""Column types that give back exactly what was put in, on SQLite and PostgreSQL alike."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

from sqlalchemy import DateTime, Dialect, Text, TypeDecorator

# PostgreSQL stores no NUL, neither database stores half a surrogate pair, and both come out of folder
# names in modified UTF-7 (RFC 3501 section 5.1.3) that a careless client wrote.
_UNSTORABLE: Final = re.compile("[\\\\\x00\ud800-\udfff]")
_ESCAPED: Final = re.compile(r"\\(?:\\|u([0-9a-f]{4}))")


class ExactText(TypeDecorator[str]):
    """Any Python string. NUL and lone surrogates are kept as `\\uXXXX`, a backslash is doubled."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else _UNSTORABLE.sub(_escape, value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else _ESCAPED.sub(_unescape, value)


class Instant(TypeDecorator[datetime]):
    """An aware datetime, to the microsecond; comes back in UTC. A naive one is refused (ValueError)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant without a time zone cannot be stored")
        utc = value.astimezone(UTC)
        # SQLite has no zones: its text form has to be UTC, so that comparing texts compares instants.
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def folder_key(folder: str) -> str:
    """32 hexadecimal digits that stand for a folder name in an index.

    A B-tree entry of PostgreSQL holds at most a third of a page (2,704 bytes); a folder name may be longer.
    """
    return sha256(folder.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _escape(found: re.Match[str]) -> str:
    return "\\\\" if found[0] == "\\" else f"\\u{ord(found[0]):04x}"


def _unescape(found: re.Match[str]) -> str:
    return "\\" if found[1] is None else chr(int(found[1], 16))
