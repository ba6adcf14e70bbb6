"""Checks an evidence file line by line, with constant memory for each folder. The file is not trusted."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from importer.domain.evidence.evidence_file import CHAIN, CHAIN_DIGITS, link, statement
from importer.domain.evidence.evidence_row import COLUMNS, COUNTED, OUTCOMES, LineKind
from providers.frozen import frozen

Verify = Callable[[bytes, bytes, bytes], bool]
"""Whether the public key made the signature of the message."""

MAX_LINE_BYTES: Final = 64 << 20
_SEAL: Final = re.compile(r"ed25519 public_key=([0-9a-f]{64}) signature=([0-9a-f]{128})")
_NUMBERS: Final = re.compile("; ".join(rf"{outcome}=(\d+)" for outcome in OUTCOMES))


class NotEvidence(Exception):
    """The file is no evidence file."""


@frozen
class Fault:
    """A fault in the file: `code` is `line_altered`, `line_unreadable`, `seal_missing`, `seal_digest`,
    `seal_signature`, `seal_lines` or `sum`; `line` is the first line concerned, from 1."""

    code: str
    line: int
    where: str = ""


@dataclass(slots=True)
class EvidenceCheck:
    """The result. `public_key` is that of the seal, "" without one; `outcomes` are the messages counted."""

    faults: list[Fault] = field(default_factory=list)
    public_key: str = ""
    sha256: str = ""
    lines: int = 0
    imports: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)


def check_lines(lines: Iterable[bytes], verify: Verify) -> EvidenceCheck:
    """Check a file, given its lines with their line ends. Raises NotEvidence."""
    checker = _Checker(verify)
    for line in lines:
        checker.add(line)
    return checker.finish()


class _Checker:
    def __init__(self, verify: Verify) -> None:
        self._verify = verify
        self._check = EvidenceCheck()
        self._content = sha256()  # of all but the last line
        self._held = b""
        self._csv = False
        self._chain = ""
        self._broken = False
        self._found: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        self._expected: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        self._folder_lines: dict[tuple[str, str], int] = {}
        self._seal: tuple[int, dict[str, Any]] | None = None

    def add(self, line: bytes) -> None:
        check = self._check
        self._content.update(self._held)
        self._held = line
        check.lines += 1
        if check.lines == 1:
            self._csv = line.startswith(b"record,import,")
            if not self._csv and not line.startswith(b'{"record":"evidence"'):
                raise NotEvidence
            if self._csv:
                return
        if self._seal is not None and not self._broken:
            self._fault("line_altered")  # behind the seal
        self._follow_chain(line)
        try:
            row = self._parsed(line)
            self._count(row)
        except (ValueError, KeyError, TypeError, StopIteration, csv.Error):
            if not self._broken:
                self._fault("line_unreadable")

    def _fault(self, code: str, where: str = "") -> None:
        self._broken = True
        self._check.faults.append(Fault(code, self._check.lines, where))

    def _follow_chain(self, line: bytes) -> None:
        body = line.rstrip(b"\r\n")
        end = b"," if self._csv else f',"{CHAIN}":"'.encode()
        tail = b"" if self._csv else b'"}'
        head, separator, rest = body.rpartition(end)
        found = rest.removesuffix(tail)
        expected = link(self._chain, head)
        whole = head + end + expected.encode() + tail + (b"\r\n" if self._csv else b"\n")
        if not self._broken and (not separator or whole != line):
            self._fault("line_altered")
        # Continue with the chain in the file, so that a later fault is reported separately.
        self._chain = found.decode("ascii", "replace")[:CHAIN_DIGITS]

    def _parsed(self, line: bytes) -> dict[str, Any]:
        text = line.decode().rstrip("\r\n")
        if not self._csv:
            row = json.loads(text)
            if not isinstance(row, dict):
                raise ValueError(text)
            return row
        cells = next(csv.reader([text], strict=True))
        return dict(zip((*COLUMNS, CHAIN), cells, strict=True))

    def _count(self, row: dict[str, Any]) -> None:
        record = row["record"]
        key = (str(row.get("import", "")), str(row.get("source_folder", "")))
        if record in COUNTED:
            number = int(row["messages"])
            self._found[key][str(row["outcome"])] += number
            self._check.outcomes[str(row["outcome"])] += number
        elif record == LineKind.FOLDER:
            numbers = _NUMBERS.match(str(row["detail"]))
            if numbers is None:
                raise ValueError(row["detail"])
            self._expected[key].update(dict(zip(OUTCOMES, map(int, numbers.groups()), strict=True)))
            self._folder_lines[key] = self._check.lines
            if int(row.get("messages") or 0) != sum(map(int, numbers.groups())):
                self._check.faults.append(Fault("sum", self._check.lines, key[1]))
        elif record == LineKind.IMPORT:
            self._check.imports += 1
        elif record == LineKind.SEAL:
            self._seal = self._check.lines, row

    def finish(self) -> EvidenceCheck:
        check = self._check
        if not check.lines:
            raise NotEvidence
        content = self._content.hexdigest()
        whole = self._content.copy()
        whole.update(self._held)
        check.sha256 = whole.hexdigest()
        for key, line in self._folder_lines.items():
            if +self._expected[key] != +self._found[key]:
                check.faults.append(Fault("sum", line, key[1]))
        for key in self._found.keys() - self._folder_lines.keys():
            check.faults.append(Fault("sum", check.lines, key[1]))
        if self._seal is None or self._seal[0] != check.lines:
            check.faults.append(Fault("seal_missing", check.lines))
        else:
            self._check_seal(self._seal[1], content)
        return check

    def _check_seal(self, row: dict[str, Any], content: str) -> None:
        check = self._check
        parts = _SEAL.fullmatch(str(row.get("detail", "")))
        if parts is None:
            check.faults.append(Fault("seal_missing", check.lines))
            return
        check.public_key = parts[1]
        if row.get("digest") != content:
            check.faults.append(Fault("seal_digest", check.lines))
        if int(row.get("messages") or 0) != check.lines - 1:
            check.faults.append(Fault("seal_lines", check.lines))
        signed = statement(content)
        if not self._verify(bytes.fromhex(parts[1]), bytes.fromhex(parts[2]), signed):
            check.faults.append(Fault("seal_signature", check.lines))
