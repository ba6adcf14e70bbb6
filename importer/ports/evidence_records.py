"""The evidence of an import, as the store holds it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from importer.domain.evidence.evidence_file import Seal
from importer.domain.evidence.import_evidence import LedgerEntry
from importer.domain.model import ImportId, Route


class EvidenceRecords(Protocol):
    """Reads the ledger of a route for one of its imports, and keeps the seal of its evidence."""

    def evidence_entries(self, route: Route, import_id: ImportId) -> Iterator[LedgerEntry]:
        """The receipts of that import, undone ones included, and the valid ones of the route's other imports
        that were created before it, without their digests, facts and flags. By destination folder, then
        oldest first; read page by page."""
        ...

    def evidence_seal(self, import_id: ImportId) -> Seal | None:
        """The seal of the evidence as of the last end of the import (`finish_import`); None without one."""
        ...
