"""Read access for front ends: current imports, batches, reports and explanations.

There is no access control here; `access.visibility` restricts reads to one person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from importer.domain.import_filter import EVERY_IMPORT, ImportFilter
from importer.domain.model import Batch, BatchId, Import, ImportId
from importer.domain.receipts.undo_report import UndoReport
from importer.domain.reporting.explanation import Explanation, ExplanationContext
from importer.domain.reporting.explanation import explain as explain_report
from importer.ports.consents import ConsentRequest
from importer.ports.monitoring import ImportCount
from importer.service.deps import Deps
from importer.service.imports.finish import report_of
from providers.errors import Side


def find_imports(deps: Deps, ids: Sequence[ImportId]) -> list[Import]:
    """The imports with these ids in the order of `ids`; unknown ids are left out."""
    by_id = {import_.id: import_ for import_ in deps.store.imports(ids=ids, limit=len(ids))} if ids else {}
    return [by_id[id_] for id_ in ids if id_ in by_id]


def list_imports(
    deps: Deps, chosen: ImportFilter = EVERY_IMPORT, *, after: ImportId | None = None, limit: int
) -> Sequence[Import]:
    """Imports, newest first, those of one batch by row; only those that follow `after`."""
    return deps.store.imports(chosen, after=after, limit=limit)


def count_imports(deps: Deps, chosen: ImportFilter = EVERY_IMPORT) -> Sequence[ImportCount]:
    """The number of imports that the filter selects, by state and problem."""
    return deps.store.import_counts(chosen)


def list_batches(
    deps: Deps, *, owner: str | None = None, after: BatchId | None = None, limit: int
) -> list[tuple[Batch, list[Import]]]:
    """Batches with their imports, newest first; of all owners if `owner` is None; only those that
    follow `after`."""
    batches = deps.store.batches(limit, owner=owner, after=after)
    by_id = {i.id: i for i in find_imports(deps, [id_ for batch in batches for id_ in batch.imports])}
    return [(batch, [by_id[id_] for id_ in batch.imports if id_ in by_id]) for batch in batches]


def undo_report(deps: Deps, import_id: ImportId) -> UndoReport | None:
    """None until the import has been undone completely."""
    return deps.store.undo_report(import_id)


def consent_requests(deps: Deps, import_id: ImportId) -> Mapping[Side, ConsentRequest]:
    """The consent requests of this import, by side."""
    return deps.store.consents_of(import_id)


def explain(deps: Deps, import_: Import) -> Explanation:
    """Explain the current state of the import.

    The writer of the new mailbox is named only to an import that has opened it: others must not learn whether
    anything is written there.
    """
    now = deps.clock.now()
    writer = deps.store.holder(f"mailbox:{import_.destination.key}") if import_.proven else None
    context = ExplanationContext(
        now=now,
        worker=deps.store.holder(f"import:{import_.id}") or "",
        writer=writer or "",
        has_passwords=deps.store.grants(import_.id) is not None,
    )
    return explain_report(report_of(deps, import_), context)
