"""The text of an uploaded file: its encoding, and files that are no text."""

from __future__ import annotations

from dataclasses import field
from typing import Final

from providers.frozen import frozen

_ENDINGS: Final = frozenset({"csv", "txt", "tsv", "tab", "xlsx", "xlsm"})
_MARKS: Final = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_ZIP: Final = b"PK\x03\x04"  # workbooks of Excel since 2007, LibreOffice and Numbers
_OLE: Final = b"\xd0\xcf\x11\xe0"  # workbooks of Excel before 2007


@frozen
class FileText:
    """The text of a file. `guessed`: its encoding is assumed to be Windows-1252, which any bytes may be."""

    text: str = field(repr=False)
    guessed: bool = False


def may_hold_rows(name: str, data: bytes) -> bool:
    """Whether a file with that name may hold rows: not one whose ending or first bytes say otherwise."""
    _, dot, ending = name.rpartition(".")
    return (not dot or ending.lower() in _ENDINGS) and not data.startswith(_OLE)


def is_workbook(data: bytes) -> bool:
    """Whether the file looks like a workbook that `workbook.rows_of` may read."""
    return data.startswith(_ZIP)


def is_old_workbook(data: bytes) -> bool:
    return data.startswith(_OLE)


def decode(data: bytes) -> FileText | None:
    """Decode by byte order mark (UTF-8, UTF-16), as UTF-16 if it has its zero bytes, as UTF-8, or as
    Windows-1252, in this order. None if the data is not valid in the encoding found."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _decoded(data[len(mark) :], encoding)
    start = data[:64]
    if len(start) >= 4 and len(data) % 2 == 0:
        # The names of columns are Latin: in UTF-16, every second byte is zero and no other.
        for encoding, zero in (("utf-16-le", 1), ("utf-16-be", 0)):
            if not any(start[zero::2]) and all(start[1 - zero :: 2]):
                return _decoded(data, encoding)
    return _decoded(data, "utf-8") or _decoded(data, "cp1252", guessed=True)


def _decoded(data: bytes, encoding: str, *, guessed: bool = False) -> FileText | None:
    try:
        return FileText(data.decode(encoding), guessed)
    except UnicodeDecodeError:
        return None
