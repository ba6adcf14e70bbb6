"""The imports and batches of the person at the page; those of others do not exist here."""

from __future__ import annotations

from collections.abc import Sequence

from importer.domain.model import Batch, BatchId, Import, ImportId
from importer.domain.reporting.report import Report
from importer.service.access.visibility import batch_of, import_of
from importer.service.imports.finish import report_of
from importer.web.request_context import Guest


class PageNotFound(Exception):
    """The object does not exist or belongs to another person; the response is the same for both."""


def batch_or_404(guest: Guest, batch_id: str) -> tuple[Batch, Sequence[Import]]:
    """The batch and its imports. Raises PageNotFound."""
    batch = batch_of(guest.visitor.site.deps, guest.session.person, BatchId(batch_id))
    if batch is None:
        raise PageNotFound
    return batch


def import_or_404(guest: Guest, import_id: str) -> Import:
    """Raises PageNotFound."""
    import_ = import_of(guest.visitor.site.deps, guest.session.person, ImportId(import_id))
    if import_ is None:
        raise PageNotFound
    return import_


def report_or_404(guest: Guest, import_id: str) -> Report:
    """Raises PageNotFound."""
    return report_of(guest.visitor.site.deps, import_or_404(guest, import_id))
