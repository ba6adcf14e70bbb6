"""Files of an import or a batch: reports, results, evidence."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from fastapi import APIRouter
from starlette.responses import Response, StreamingResponse

from importer.domain.evidence.evidence_file import EvidenceFormat
from importer.domain.model import Import
from importer.i18n.batch_results import results_csv, results_workbook
from importer.i18n.report_csv import refusals_csv
from importer.i18n.report_json import report_json
from importer.service.evidence_files import EvidenceFile
from importer.web.pages.own_imports import batch_or_404, import_or_404, report_or_404
from importer.web.request_context import Guest, SignedIn

router: Final = APIRouter()

_WORKBOOK: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@router.get("/imports/{import_id}/report.json")
def download_report_json(guest: SignedIn, import_id: str) -> Response:
    text = json.dumps(
        report_json(guest.visitor.texts, report_or_404(guest, import_id)), ensure_ascii=False, indent=2
    )
    return _file(text.encode("utf-8"), "application/json", f"{_brand(guest)}-{import_id}.json")


@router.get("/imports/{import_id}/report.csv")
def download_report_csv(guest: SignedIn, import_id: str) -> Response:
    # The byte order mark makes spreadsheet programs read it as UTF-8.
    text = refusals_csv(guest.visitor.texts, [report_or_404(guest, import_id)])
    return _file(text.encode("utf-8-sig"), "text/csv", f"{_brand(guest)}-{import_id}.csv")


@router.get("/imports/{import_id}/evidence.csv")
def download_evidence(guest: SignedIn, import_id: str) -> Response:
    return _evidence(guest, [import_or_404(guest, import_id)], import_id)


@router.get("/batches/{batch_id}/results.csv")
def download_results(guest: SignedIn, batch_id: str) -> Response:
    _, imports = batch_or_404(guest, batch_id)
    tallies = guest.visitor.site.deps.store.tallies_by_import([import_.id for import_ in imports])
    content = results_csv(guest.visitor.texts, imports, tallies)
    return _file(content, "text/csv", f"{_brand(guest)}-{batch_id}.csv")


@router.get("/batches/{batch_id}/results.xlsx")
def download_workbook(guest: SignedIn, batch_id: str) -> Response:
    _, imports = batch_or_404(guest, batch_id)
    tallies = guest.visitor.site.deps.store.tallies_by_import([import_.id for import_ in imports])
    content = results_workbook(guest.visitor.texts, imports, tallies)
    return _file(content, _WORKBOOK, f"{_brand(guest)}-{batch_id}.xlsx")


@router.get("/batches/{batch_id}/evidence.csv")
def download_batch_evidence(guest: SignedIn, batch_id: str) -> Response:
    _, imports = batch_or_404(guest, batch_id)
    return _evidence(guest, imports, batch_id)


def _evidence(guest: Guest, imports: Sequence[Import], name: str) -> Response:
    file = EvidenceFile(guest.visitor.site.deps, imports, EvidenceFormat.CSV)
    return StreamingResponse(file, media_type="text/csv", headers=_attachment(f"evidence-{name}.csv"))


def _brand(guest: Guest) -> str:
    return guest.visitor.site.brand.file_name


def _file(content: bytes, media_type: str, name: str) -> Response:
    return Response(content, media_type=media_type, headers=_attachment(name))


def _attachment(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}
