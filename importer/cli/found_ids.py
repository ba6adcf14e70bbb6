"""The imports and batches that an argument names, by an id or the beginning of one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from importer.cli.exit_codes import Usage
from importer.domain.model import Batch, BatchId, Import
from importer.domain.reporting.report import BatchReport, Report
from importer.i18n.translations import CatalogTranslator
from importer.service import id_lookup
from importer.service.deps import Deps
from importer.service.imports.finish import batch_report, report_of

T = TypeVar("T", bound=Import | Batch)


def import_of(deps: Deps, id_: str, words: CatalogTranslator) -> Import:
    """The import. Raises Usage if there is none or, with the candidates, if there are several."""
    return _found(id_, words, lambda: id_lookup.import_beginning(deps, id_))


def batch_id_of(deps: Deps, id_: str, words: CatalogTranslator) -> BatchId:
    """The id of the batch. Raises Usage."""
    return _found(id_, words, lambda: id_lookup.batch_beginning(deps, id_)).id


def imports_of(deps: Deps, id_: str, words: CatalogTranslator) -> list[Import]:
    """The import, or the imports of the batch. Raises Usage."""
    return [report.import_ for report in single_reports(report_named(deps, id_, words))]


def report_named(deps: Deps, id_: str, words: CatalogTranslator) -> Report | BatchReport:
    """The report of the import or of the batch. Raises Usage."""
    find: Callable[[], Import | Batch | None] = partial(id_lookup.import_or_batch_beginning, deps, id_)
    found: Import | Batch = _found(id_, words, find)
    if isinstance(found, Batch):
        return batch_report(deps, found.id) or BatchReport(found)
    return report_of(deps, found)


def single_reports(result: Report | BatchReport) -> tuple[Report, ...]:
    """The reports of the single imports."""
    return result.reports if isinstance(result, BatchReport) else (result,)


def _found(id_: str, words: CatalogTranslator, find: Callable[[], T | None]) -> T:
    try:
        found = find()
    except id_lookup.Ambiguous as several:
        more = ", …" if len(several.ids) == id_lookup.MAX_CANDIDATES else ""
        raise Usage(
            words.gettext(
                "Several ids begin with %(id)s: %(candidates)s. Give more of it.",
                id=id_,
                candidates=f"{', '.join(several.ids)}{more}",
            )
        ) from None
    if found is None:
        raise Usage(
            words.gettext("No import and no batch begins with %(id)s; `mailhaul list` shows all.", id=id_)
        )
    return found
