"""Resources to read: batches, imports, reports, explanations, and the token itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from starlette.responses import Response, StreamingResponse

from importer.domain.evidence.evidence_file import EvidenceFormat
from importer.domain.model import BatchId, Import
from importer.i18n.explanation_texts import explanation_json
from importer.i18n.report_csv import refusals_csv
from importer.i18n.report_json import batch_json, report_json
from importer.i18n.undo_report_texts import undo_json
from importer.service import queries
from importer.service.access.api_clients import owner_filter
from importer.service.access.consent_requests import links
from importer.service.evidence_files import EvidenceFile
from importer.service.imports.finish import batch_report, report_of
from importer.service.queries import consent_requests, explain, undo_report
from importer.web.api.authentication import ApiCaller, Reader, Writer
from importer.web.api.import_filters import Chosen
from importer.web.api.problem_details import ProblemAnswer, not_found
from importer.web.api.response_schemas import (
    BatchOut,
    BatchPage,
    ConsentOut,
    ImportCountOut,
    ImportCountsOut,
    ImportOut,
    ImportPage,
    ReportOut,
    SideConsentOut,
    TokenOut,
    batch_out,
    import_out,
)
from providers.errors import Side
from providers.text import Text

router: Final = APIRouter(tags=["look"])

Size = Annotated[int, Query(ge=1, le=100, description="The maximum number of items on the page.")]
After = Annotated[str, Query(max_length=64, description="The `next` of the previous page.")]
Form = Annotated[EvidenceFormat, Query(alias="format", description="CSV or JSON Lines.")]
_CSV: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"text/csv": {"schema": {"type": "string"}}}}
}

_EVIDENCE: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "content": {
            "text/csv": {"schema": {"type": "string"}},
            "application/jsonl": {"schema": {"type": "string"}},
        }
    }
}


@router.get("/token")
def the_token(caller: Reader) -> TokenOut:
    """The scopes, domains and other properties of the token."""
    token = caller.token
    return TokenOut(
        id=token.id,
        name=token.name,
        scopes=sorted(token.scopes),
        domains=sorted(token.domains),
        expires_at=token.expires_at,
        webhook_url=token.webhook_url,
    )


@router.get("/batches")
def list_batches(caller: Reader, limit: Size = 20, after: After = "") -> BatchPage:
    """Newest first."""
    deps = caller.deps
    if after:
        caller.batch(after)
    batches = queries.list_batches(
        deps, owner=owner_filter(caller.token), after=BatchId(after) if after else None, limit=limit + 1
    )
    page, now = batches[:limit], deps.clock.now()
    items = [batch_out(caller.texts, batch, imports, now) for batch, imports in page]
    return BatchPage(items=items, next=page[-1][0].id if len(batches) > limit else None)


@router.get("/batches/{batch_id}")
def show_batch(caller: Reader, batch_id: str) -> BatchOut:
    batch, imports = caller.batch(batch_id)
    return batch_out(caller.texts, batch, imports, caller.deps.clock.now())


@router.get("/batches/{batch_id}/report")
def report_batch(caller: Reader, batch_id: str) -> ReportOut:
    """The report of a batch, import by import."""
    batch, _ = caller.batch(batch_id)
    report = batch_report(caller.deps, batch.id)
    if report is None:
        raise not_found()
    return batch_json(caller.texts, report)


@router.get("/batches/{batch_id}/report.csv", response_class=Response, responses=_CSV)
def report_batch_csv(caller: Reader, batch_id: str) -> Response:
    """Every message that could not be copied, as CSV."""
    _, imports = caller.batch(batch_id)
    return _csv(refusals_csv(caller.texts, (report_of(caller.deps, import_) for import_ in imports)))


@router.get("/batches/{batch_id}/evidence", response_class=Response, responses=_EVIDENCE)
def evidence_of_batch(
    caller: Reader, batch_id: str, file_format: Form = EvidenceFormat.CSV
) -> StreamingResponse:
    """The evidence of all imports of a batch, in one file."""
    _, imports = caller.batch(batch_id)
    return _evidence(caller, imports, file_format)


@router.get("/imports")
def list_imports(caller: Reader, chosen: Chosen, limit: Size = 20, after: After = "") -> ImportPage:
    """Newest first; with `batch`, by row. All of the given parameters have to hold."""
    last = caller.import_(after).id if after else None
    imports = queries.list_imports(caller.deps, chosen.of(caller), after=last, limit=limit + 1)
    now = caller.deps.clock.now()
    page = imports[:limit]
    return ImportPage(
        items=[import_out(caller.texts, import_, now) for import_ in page],
        next=page[-1].id if len(imports) > limit else None,
    )


@router.get("/import-counts")
def count_imports(caller: Reader, chosen: Chosen) -> ImportCountsOut:
    """The number of imports by state and reason; the parameters are those of the list."""
    counts = queries.count_imports(caller.deps, chosen.of(caller))
    return ImportCountsOut(
        total=sum(each.imports for each in counts),
        counts=[ImportCountOut(state=c.state, reason=c.problem, imports=c.imports) for c in counts],
    )


@router.get("/imports/{import_id}")
def show_import(caller: Reader, import_id: str) -> ImportOut:
    """The state of an import, with its progress."""
    return import_out(caller.texts, caller.import_(import_id), caller.deps.clock.now())


@router.get("/imports/{import_id}/report")
def report_import(caller: Reader, import_id: str) -> ReportOut:
    """The tally: found = copied + already there + duplicate + skipped + failed, per folder and in total."""
    return report_json(caller.texts, report_of(caller.deps, caller.import_(import_id)))


@router.get("/imports/{import_id}/report.csv", response_class=Response, responses=_CSV)
def report_import_csv(caller: Reader, import_id: str) -> Response:
    """Every message that could not be copied, as CSV."""
    return _csv(refusals_csv(caller.texts, [report_of(caller.deps, caller.import_(import_id))]))


@router.get("/imports/{import_id}/evidence", response_class=Response, responses=_EVIDENCE)
def evidence_of_import(
    caller: Reader, import_id: str, file_format: Form = EvidenceFormat.CSV
) -> StreamingResponse:
    """The outcome of each message, with a seal: see docs/evidence.md."""
    return _evidence(caller, [caller.import_(import_id)], file_format)


@router.get("/imports/{import_id}/explanation")
def explain_import(caller: Reader, import_id: str) -> ReportOut:
    """Why the import is in its state, since when and until when, what happens next, what can be done."""
    return explanation_json(caller.texts, explain(caller.deps, caller.import_(import_id)))


@router.get("/imports/{import_id}/consent")
def show_consent(caller: Writer, import_id: str) -> ConsentOut:
    """Which mailbox owners still have to sign in, and their links."""
    return _consent(caller, caller.import_(import_id))


@router.get("/imports/{import_id}/undo")
def show_undo(caller: Reader, import_id: str) -> ReportOut:
    """The report of a completed undo."""
    import_ = caller.import_(import_id)
    report = undo_report(caller.deps, import_.id)
    if report is None:
        raise ProblemAnswer("not_found", Text("api.not_found.undo"))
    return undo_json(caller.texts, report)


def _consent(caller: ApiCaller, import_: Import) -> ConsentOut:
    requests = consent_requests(caller.deps, import_.id)
    link_of = links(caller.deps, [import_]).get(import_.id, {})

    def side_consent(side: Side) -> SideConsentOut:
        awaited = side in requests and side in link_of
        expires_at = requests[side].expires_at if awaited else None
        return SideConsentOut(awaited=awaited, link=link_of.get(side), expires_at=expires_at)

    return ConsentOut(source=side_consent(Side.SOURCE), destination=side_consent(Side.DESTINATION))


def _evidence(caller: ApiCaller, imports: Sequence[Import], file_format: EvidenceFormat) -> StreamingResponse:
    media_type = "text/csv" if file_format is EvidenceFormat.CSV else "application/jsonl"
    return StreamingResponse(EvidenceFile(caller.deps, imports, file_format), media_type=media_type)


def _csv(text: str) -> Response:
    return Response(text.encode("utf-8"), media_type="text/csv; charset=utf-8")
