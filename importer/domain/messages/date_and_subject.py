"""Date and subject of a message as readable text, from headers with arbitrary content."""

from __future__ import annotations

from email.errors import MessageError
from email.header import Header, decode_header
from email.parser import BytesHeaderParser
from typing import Final

from importer.domain.reporting.formatting import printable

_PARSER: Final = BytesHeaderParser()  # with the policy compat32


def date_and_subject(header: bytes) -> tuple[str, str]:
    """The Date and Subject fields as single lines of readable text, "" for a missing field. Never raises."""
    fields = _PARSER.parsebytes(header)
    return _readable(fields.get("Date")), _readable(fields.get("Subject"))


def _readable(value: str | Header | None) -> str:
    if value is None:
        return ""
    try:
        parts = decode_header(value)
        text = "".join(
            part.decode(_charset(charset), "replace") if isinstance(part, bytes) else part
            for part, charset in parts
        )
    except (MessageError, ValueError):
        text = str(value)
    return printable(text)


def _charset(name: str | None) -> str:
    if name is None or name == "unknown-8bit":
        return "utf-8"
    try:
        "".encode(name)
    except LookupError:
        return "latin-1"
    return name
