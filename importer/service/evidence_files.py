"""The evidence of imports: a file made from the ledger, and its seal.

The file is not stored. As long as the ledger says the same of an import, the same bytes come out; the seal of
its end is stored, so that a new secret key does not change them either.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from importer.domain.evidence.evidence_file import EvidenceFormat, EvidenceWriter, Seal, statement
from importer.domain.evidence.evidence_row import EvidenceRow
from importer.domain.evidence.import_evidence import import_evidence
from importer.domain.folder_mapping.folder_order import folder_order
from importer.domain.model import Import
from importer.domain.reporting.report import Report
from importer.ports.signer import Signer
from importer.service.deps import Deps

_PIECE_BYTES: Final = 1 << 16


class EvidenceFile:
    """The evidence of one or several imports. Iterate once over its pieces; then `seal` is that of the file,
    and `changed_since_end` tells whether the ledger has changed since the end of the one import."""

    def __init__(self, deps: Deps, imports: Sequence[Import], file_format: EvidenceFormat) -> None:
        """Raises ValueError if the installation has no key to sign with."""
        if deps.signer is None:
            raise ValueError("there is no key to seal evidence with")
        self._deps = deps
        self._signer = deps.signer
        self._imports = imports
        self._format = file_format
        self._seal: Seal | None = None
        self.changed_since_end = False

    @property
    def seal(self) -> Seal:
        assert self._seal is not None, "iterate first"  # noqa: S101 - see the class
        return self._seal

    def __iter__(self) -> Iterator[bytes]:
        writer = EvidenceWriter(self._format)
        piece = bytearray(writer.beginning())
        for import_ in self._imports:
            for row in self._rows(import_):
                piece += writer.line(row)
                if len(piece) >= _PIECE_BYTES:
                    yield bytes(piece)
                    piece.clear()
        last, self._seal = writer.seal(*self._signature(writer.content))
        yield bytes(piece + last)

    def _rows(self, import_: Import) -> Iterator[EvidenceRow]:
        store = self._deps.store
        tallies = sorted(store.tallies(import_.id), key=lambda tally: folder_order(tally.source_folder))
        return import_evidence(
            import_, tallies, store.evidence_entries(import_.route, import_.id), store.refusals(import_.id)
        )

    def _signature(self, content: str) -> tuple[str, str]:
        """The public key and the signature: those of the end, if nothing has changed since."""
        stored = None
        if len(self._imports) == 1 and self._format is SEALED_FORMAT:
            stored = self._deps.store.evidence_seal(self._imports[0].id)
        if stored is not None and stored.content == content:
            return stored.public_key, stored.signature
        self.changed_since_end = stored is not None
        return _signed(self._signer, content)


SEALED_FORMAT: Final = EvidenceFormat.CSV
"""The format whose SHA-256 the completion mail states."""


def seal_of(deps: Deps, report: Report) -> Seal | None:
    """The seal of the evidence of an import that ends; None without a signer. Reads all receipts of its
    route."""
    signer, import_ = deps.signer, report.import_
    if signer is None:
        return None
    writer = EvidenceWriter(SEALED_FORMAT)
    writer.beginning()
    entries = deps.store.evidence_entries(import_.route, import_.id)
    for row in import_evidence(import_, report.tallies, entries, report.refusals):
        writer.line(row)
    return writer.seal(*_signed(signer, writer.content))[1]


def batch_digest(deps: Deps, imports: Sequence[Import]) -> str:
    """The SHA-256 of the evidence file of these imports as it is now; "" without a signer. A new secret key
    changes the file, because only the seals of single imports are stored. Reads all receipts of their
    routes."""
    if deps.signer is None:
        return ""
    file = EvidenceFile(deps, imports, SEALED_FORMAT)
    for _ in file:
        pass
    return file.seal.file


def _signed(signer: Signer, content: str) -> tuple[str, str]:
    """The newest public key, and its signature."""
    return signer.public_keys()[0].hex(), signer.sign(statement(content)).hex()
