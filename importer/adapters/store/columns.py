"""Column types that return exactly the stored value, on both SQLite and PostgreSQL."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

from sqlalchemy import DateTime, Dialect, Text, TypeDecorator

from providers.text import Text as Coded

# PostgreSQL cannot store NUL, and neither database can store a lone surrogate. Both occur in folder names in
# malformed modified UTF-7 (RFC 3501 section 5.1.3).
_UNSTORABLE: Final = re.compile("[\\\\\x00\ud800-\udfff]")
_ESCAPED: Final = re.compile(r"\\(?:\\|u([0-9a-f]{4}))")


class ExactText(TypeDecorator[str]):
    """Any Python string. NUL and lone surrogates are stored as `\\uXXXX`, a backslash is doubled."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else _UNSTORABLE.sub(_escape, value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else _ESCAPED.sub(_unescape, value)


class CodedText(TypeDecorator[Coded]):
    """A code with its parameters, as ASCII JSON."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Coded | None, dialect: Dialect) -> str | None:
        return None if value is None else json.dumps(value.as_json())

    def process_result_value(self, value: str | None, dialect: Dialect) -> Coded | None:
        return None if value is None else Coded.from_json(json.loads(value))


class EventDetail(TypeDecorator[Coded | str]):
    """A code with its parameters, as ASCII JSON; None is an empty string. Another string, such as a pseudonym
    or the words that earlier versions stored, is kept and returned as by ExactText."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Coded | str | None, dialect: Dialect) -> str:
        if isinstance(value, Coded):
            return json.dumps(value.as_json())
        return _UNSTORABLE.sub(_escape, value or "")

    def process_result_value(self, value: str | None, dialect: Dialect) -> Coded | str | None:
        if value is None:
            return None
        if value.startswith('{"code": "'):
            with suppress(ValueError, KeyError, TypeError, AttributeError):  # words that only look like JSON
                return Coded.from_json(json.loads(value))
        return _ESCAPED.sub(_unescape, value)


class Instant(TypeDecorator[datetime]):
    """An aware datetime with microseconds, returned in UTC. Raises ValueError for a naive one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant without a time zone cannot be stored")
        utc = value.astimezone(UTC)
        # SQLite has no time zones: values are stored as UTC text, so that comparing texts compares instants.
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def folder_key(folder: str) -> str:
    """A hash of a folder name for use in indexes, 32 hexadecimal digits.

    A B-tree entry in PostgreSQL is at most a third of a page (2,704 bytes); a folder name may be longer.
    """
    return sha256(folder.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def personal_digest(text: str) -> str:
    """A hash of an address or an account's key, whatever its case: finds what belongs to that person without
    naming the person. 32 hexadecimal digits."""
    return sha256(text.casefold().encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _escape(match: re.Match[str]) -> str:
    return "\\\\" if match[0] == "\\" else f"\\u{ord(match[0]):04x}"


def _unescape(match: re.Match[str]) -> str:
    return "\\" if match[1] is None else chr(int(match[1], 16))
