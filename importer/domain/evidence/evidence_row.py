"""One line of an evidence file. docs/evidence.md explains the columns to readers of the file."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple


class LineKind(StrEnum):
    """The subject of a line. MESSAGE, MESSAGES and REST are counted in the sum of their folder."""

    EVIDENCE = "evidence"  # the first line
    IMPORT = "import"
    MESSAGE = "message"
    MESSAGES = "messages"  # several, with the same outcome: `source_uid` is a uid-set
    REST = "rest"  # messages that the report counts and whose UIDs are not recorded
    FORMER = "former"  # an earlier outcome of a message, or in a folder that was numbered anew
    NOTE = "note"  # of a folder
    FOLDER = "folder"  # the numbers of the report, after all lines about the folder
    SEAL = "seal"  # the last line


COUNTED: Final = frozenset({LineKind.MESSAGE, LineKind.MESSAGES, LineKind.REST})

GONE: Final = "gone"
OUTCOMES: Final = ("copied", "present", GONE, "duplicate", "skipped", "failed")
"""The outcomes of the report, in its order; `found` is their sum."""


class EvidenceRow(NamedTuple):  # one per message, so a NamedTuple
    """The columns in order. Numbers are 0 and texts empty if they are unknown or have no meaning."""

    record: str
    import_id: str = ""
    source_folder: str = ""
    source_uidvalidity: int = 0
    source_uid: int | str = 0
    destination_folder: str = ""
    destination_uidvalidity: int = 0
    destination_uid: int = 0
    outcome: str = ""
    reason: str = ""
    size_bytes: int = 0
    date: str = ""
    digest: str = ""
    messages: int = 0
    detail: str = ""


COLUMNS: Final = ("record", "import", *EvidenceRow._fields[2:])
