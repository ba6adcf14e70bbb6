"""The form of an evidence file: lines, a chain over them, and the seal.

Each line ends with the field `chain`: 16 hexadecimal digits of SHA-256 over the chain of the line before (as
text, "" before the first) and the line without this field and its line end. So a check names the first line
that was altered. The last line, the seal, has the SHA-256 over all bytes before it, and an Ed25519 signature
(RFC 8032) of the installation over `statement`. It depends on the lines alone, so the same ledger always
gives the same file.
"""

from __future__ import annotations

import json
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from typing import Final, NamedTuple

from importer.domain.evidence.evidence_row import COLUMNS, EvidenceRow, LineKind
from importer.domain.reporting.csv_cell import cell

VERSION: Final = 1
CHAIN: Final = "chain"
CHAIN_DIGITS: Final = 16
_HEADING: Final = (",".join((*COLUMNS, CHAIN)) + "\r\n").encode()


class EvidenceFormat(StrEnum):
    """CSV for spreadsheets (RFC 4180, UTF-8), or JSON Lines."""

    CSV = "csv"
    JSONL = "jsonl"


class Seal(NamedTuple):
    """The seal of a file. `content` is the SHA-256 of all bytes before the seal, `file` that of the whole
    file. All are hexadecimal digits."""

    content: str
    file: str
    public_key: str
    signature: str


def statement(content: str) -> bytes:
    """The signed text: ASCII, so that other tools can check it."""
    return f"mailhaul evidence {VERSION} {content}".encode()


class EvidenceWriter:
    """Formats the lines of one file; returns bytes, line end included."""

    def __init__(self, file_format: EvidenceFormat) -> None:
        self._csv = file_format is EvidenceFormat.CSV
        self._content = sha256()
        self._chain = ""
        self._lines = 0

    def beginning(self) -> bytes:
        """The first line, behind the heading in CSV."""
        row = EvidenceRow(LineKind.EVIDENCE.value, detail=f"version={VERSION}")
        heading = self._add(_HEADING) if self._csv else b""
        return heading + self.line(row)

    def line(self, row: EvidenceRow) -> bytes:
        """The next line."""
        return self._add(self._formatted(row))

    def _formatted(self, row: EvidenceRow) -> bytes:
        # Assembled by hand: the csv module and a JSON encoder take three times as long.
        if self._csv:
            head = _csv_head(row).encode()
            return b"%s,%s\r\n" % (head, self._link(head))
        members = [
            f'"{name}":{_json_text(value) if isinstance(value, str) else value}'
            for name, value in zip(COLUMNS, row, strict=True)
            if value
        ]
        head = ("{" + ",".join(members)).encode()
        return b'%s,"%s":"%s"}\n' % (head, CHAIN.encode(), self._link(head))

    def _link(self, head: bytes) -> bytes:
        self._chain = link(self._chain, head)
        return self._chain.encode()

    def _add(self, line: bytes) -> bytes:
        self._content.update(line)
        self._lines += 1
        return line

    @property
    def content(self) -> str:
        """The SHA-256 of all lines so far."""
        return self._content.hexdigest()

    def seal(self, public_key: str, signature: str) -> tuple[bytes, Seal]:
        """The last line, and the seal of the whole file. `signature` is that of `statement(content)`."""
        content = self.content
        last = self.line(
            EvidenceRow(
                LineKind.SEAL,
                digest=content,
                messages=self._lines,
                detail=f"ed25519 public_key={public_key} signature={signature}",
            )
        )
        return last, Seal(content, self.content, public_key, signature)


def link(before: str, head: bytes) -> str:
    """The chain of a line: `head` is the line without it."""
    return sha256(before.encode() + head).hexdigest()[:CHAIN_DIGITS]


def _csv_head(row: EvidenceRow) -> str:
    """The line without its chain. Only names and reasons can need quotes; dates and digests are ours, and
    differ in each line."""
    uid = row.source_uid or ""
    if isinstance(uid, str) and "," in uid:  # a uid-set, which is never cut
        uid = f'"{uid}"'
    return (
        f"{row.record},{row.import_id},{_csv_cell(row.source_folder)},{row.source_uidvalidity or ''},{uid},"
        f"{_csv_cell(row.destination_folder)},{row.destination_uidvalidity or ''},"
        f"{row.destination_uid or ''},{row.outcome},{_csv_cell(row.reason)},{row.size_bytes or ''},"
        f"{row.date},{row.digest},{row.messages or ''},{_csv_cell(row.detail)}"
    )


@lru_cache(maxsize=4096)  # folder names, outcomes and reasons repeat
def _csv_cell(text: str) -> str:
    safe = cell(text)
    return '"' + safe.replace('"', '""') + '"' if set(safe) & {",", '"'} else safe


_json_text: Final = lru_cache(maxsize=4096)(json.dumps)
