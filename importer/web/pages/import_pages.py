"""One import: its live progress, its report and its controls."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from fastapi import APIRouter
from starlette.background import BackgroundTask
from starlette.responses import JSONResponse, Response, StreamingResponse

from importer.domain.evidence.evidence_file import EvidenceFormat
from importer.domain.model import Batch, BatchId, Import, ImportId, State
from importer.domain.planning.pace import Rate, average_rate
from importer.domain.reporting.batch_overview import awaits_owner, turns
from importer.domain.reporting.report import Report
from importer.i18n.folder_names import ShownFolders
from importer.i18n.outcome_texts import outcome_text
from importer.i18n.refusal_lists import refusal_lists
from importer.i18n.report_csv import refusals_csv
from importer.i18n.report_json import report_json
from importer.i18n.translations import CatalogTranslator
from importer.service.access.batch_rights import destination_credential
from importer.service.access.owner_reminders import NotReminded, remind
from importer.service.access.rate_limits import RateLimited
from importer.service.access.source_sign_in import give_back
from importer.service.access.visibility import batch_of, import_of
from importer.service.deps import Deps
from importer.service.evidence_files import EvidenceFile
from importer.service.imports.control import Changed, cancel, pause, resume
from importer.service.imports.finish import report_of
from importer.service.imports.undo_import import UndoRefused, undo_credential
from importer.service.queries import undo_report
from importer.web.error_texts import rate_limited
from importer.web.event_streams import (
    KEEP_ALIVE,
    OVER,
    RECONNECT,
    event_stream,
    parts_event,
    snapshots_for,
)
from importer.web.live_progress import Snapshot
from importer.web.owner_views import OwnersOfImports, is_own, owners_of
from importer.web.rendering import fragment, page, redirect, rendered
from importer.web.request_context import Fields, Guest, SignedIn, field_text, guest_batch_right
from importer.web.view_models import ImportView, import_view, report_columns
from providers.errors import Side

router: Final = APIRouter()
_MOST_REFUSALS: Final = 200


class PageNotFound(Exception):
    """The object does not exist or belongs to another person; the response is the same for both."""


@router.get("/imports/{import_id}/live")
def poll_import(guest: SignedIn, import_id: str) -> Response:
    """All parts in one response, for browsers without event streams."""
    view = _view(guest, _import(guest, import_id))
    parts = _parts(guest.visitor.texts, view) | _actions(guest, view)
    return JSONResponse({"parts": parts, "over": view.ended})


@router.get("/imports/{import_id}/events")
async def stream_import(guest: SignedIn, import_id: str) -> Response:
    import_ = await asyncio.to_thread(_import, guest, import_id)
    return event_stream(guest, _stream(guest, import_.id))


@router.get("/imports/{import_id}")
def show_import(guest: SignedIn, import_id: str) -> Response:
    return _import_page(guest, _report(guest, import_id))


@router.get("/imports/{import_id}/report.json")
def download_report_json(guest: SignedIn, import_id: str) -> Response:
    text = json.dumps(
        report_json(guest.visitor.texts, _report(guest, import_id)), ensure_ascii=False, indent=2
    )
    return file_response(text.encode("utf-8"), "application/json", f"mailhaul-{import_id}.json")


@router.get("/imports/{import_id}/report.csv")
def download_report_csv(guest: SignedIn, import_id: str) -> Response:
    # The byte order mark makes spreadsheet programs read it as UTF-8.
    text = refusals_csv(guest.visitor.texts, [_report(guest, import_id)])
    return file_response(text.encode("utf-8-sig"), "text/csv", f"mailhaul-{import_id}.csv")


@router.get("/imports/{import_id}/evidence.csv")
def download_evidence(guest: SignedIn, import_id: str) -> Response:
    import_ = _import(guest, import_id)
    file = EvidenceFile(guest.visitor.site.deps, [import_], EvidenceFormat.CSV)
    return StreamingResponse(file, media_type="text/csv", headers=_attachment(f"evidence-{import_id}.csv"))


@router.post("/imports/{import_id}/again")
def run_again(guest: SignedIn, _fields: Fields, import_id: str) -> Response:
    """Redirect to the password form for the same source: its password was deleted when the import ended."""
    import_ = _import(guest, import_id)
    dropped = guest.session_data.sources
    guest.update_session(lambda before: before.with_rerun(import_))
    response = redirect("/new/mailbox")
    response.background = BackgroundTask(give_back, guest.visitor.site.deps, dropped)
    return response


@router.post("/imports/{import_id}/pause")
def pause_import(guest: SignedIn, _fields: Fields, import_id: str) -> Response:
    return _request(guest, import_id, pause)


@router.post("/imports/{import_id}/resume")
def resume_import(guest: SignedIn, _fields: Fields, import_id: str) -> Response:
    return _request(guest, import_id, resume)


@router.post("/imports/{import_id}/cancel")
def cancel_import(guest: SignedIn, _fields: Fields, import_id: str) -> Response:
    return _request(guest, import_id, cancel)


@router.post("/imports/{import_id}/remind")
def remind_owner(guest: SignedIn, fields: Fields, import_id: str) -> Response:
    """Send the owner of a mailbox one more invitation, now."""
    import_ = _import(guest, import_id)
    batch, _ = batch_or_404(guest, import_.batch_id or "")
    try:
        side = Side(field_text(fields, "side"))
        remind(guest.visitor.site.deps, batch, import_, side, guest.session.person)
    except RateLimited as error:
        return _not_reminded(guest, import_, rate_limited(guest.visitor.texts, error))
    except (NotReminded, ValueError):
        text = guest.visitor.texts.gettext("No reminder can be sent for this mailbox any more.")
        return _not_reminded(guest, import_, text)
    back = field_text(fields, "back")
    return redirect(f"/batches/{batch.id}" if back == "batch" else f"/imports/{import_.id}")


def _import_page(guest: Guest, report: Report, problem: str = "", status: int = 200) -> Response:
    undo_jobs = guest.visitor.site.undo_jobs
    return page(
        guest,
        "import.html",
        status,
        **single_import(guest, report.import_),
        report=report,
        refusals_shown=refusal_lists(guest.visitor.texts, report.refusals, _MOST_REFUSALS),
        most_refusals=_MOST_REFUSALS,
        sources=ShownFolders(guest.visitor.texts, (tally.source_folder for tally in report.tallies)),
        destinations=ShownFolders(guest.visitor.texts, (t.destination_folder for t in report.tallies)),
        columns=report_columns(guest.visitor.texts, report.totals),
        undone=undo_report(guest.visitor.site.deps, report.import_.id),
        undoing=undo_jobs.running(report.import_.id),
        undo_refused=undo_jobs.failure_text(guest.visitor.texts, report.import_),
        verdict=outcome_text(guest.visitor.texts, report.outcome) if report.outcome.findings else "",
        problem=problem,
    )


def _not_reminded(guest: Guest, import_: Import, problem: str) -> Response:
    return _import_page(guest, report_of(guest.visitor.site.deps, import_), problem, 429)


@router.post("/imports/{import_id}/undo")
def undo_import(guest: SignedIn, _fields: Fields, import_id: str) -> Response:
    """Needs the batch right, or the password of the new mailbox, which the session holds if its login was
    verified there."""
    site = guest.visitor.site
    import_ = _import(guest, import_id)
    mailbox = guest.session_data.mailbox(import_.destination.key)
    password, right = mailbox.password if mailbox else None, guest_batch_right(guest)
    if password is None and not right.covers(import_.destination):
        try:
            undo_credential(site.deps, import_, site.catalog.for_host(import_.destination.endpoint.host))
        except UndoRefused as refused:
            site.undo_jobs.refuse(import_, refused)
            return redirect(f"/imports/{import_.id}")
        return redirect("/mailboxes")
    credential = destination_credential(site.deps, right, import_.destination, password)
    site.undo_jobs.start(site.deps, import_, credential, guest.session.person)
    return redirect(f"/imports/{import_.id}")


def _request(guest: Guest, import_id: str, request: Callable[[Deps, ImportId], Changed]) -> Response:
    """Make a control request; its effect is visible on the page of the batch."""
    import_ = _import(guest, import_id)
    request(guest.visitor.site.deps, import_.id)
    return redirect(f"/batches/{import_.batch_id}")


# --- Live parts of a page -------------------------------------------------------------------------


def single_import(guest: Guest, import_: Import) -> dict[str, Any]:
    """The context of the card of an import."""
    owners = _owners(guest, import_).others.get(import_.id, ())
    return {"one": _view(guest, import_), "owners": owners}


def _view(guest: Guest, import_: Import, rate: Rate | None = None) -> ImportView:
    now = guest.visitor.site.deps.clock.now()
    snapshot = Snapshot(import_, average_rate(import_) if rate is None else rate)
    sign_ins = _owners(guest, import_).sign_ins.get(import_.id, ())
    return import_view(guest.visitor.texts, snapshot, now, sign_ins, _turn(guest, import_))


def _turn(guest: Guest, import_: Import) -> int | None:
    """How many of its batch start before it."""
    if import_.state is not State.QUEUED:
        return None
    _, imports = batch_or_404(guest, import_.batch_id or "")
    return turns(imports).get(import_.id)


def _owners(guest: Guest, import_: Import) -> OwnersOfImports:
    if not awaits_owner(import_):
        return OwnersOfImports()
    batch, _ = batch_or_404(guest, import_.batch_id or "")
    return owners_of(guest, [(batch, import_)])


def _parts(texts: CatalogTranslator, view: ImportView) -> dict[str, str]:
    """Element id -> its content, the same for all readers with this language."""
    id_ = view.import_.id
    return {
        f"state-{id_}": fragment(texts, "_state.html", one=view),
        f"numbers-{id_}": fragment(texts, "_numbers.html", one=view),
    }


def _actions(guest: Guest, view: ImportView) -> dict[str, str]:
    """Element id -> the buttons, whose forms contain the CSRF token of this browser."""
    id_, context = view.import_.id, {"one": view, "undone": None, "undoing": False}
    owners = _owners(guest, view.import_).others.get(id_, ())
    return {
        f"actions-{id_}": rendered(guest, "_actions.html", details_link=True, **context),
        f"acts-{id_}": rendered(guest, "_actions.html", details_link=False, **context),
        f"owners-{id_}": rendered(guest, "_owners.html", import_=view.import_, owners=owners),
    }


@dataclass(frozen=True, slots=True)
class _RenderedSnapshot:
    """A snapshot in one language: its parts, and the event that carries them."""

    view: ImportView
    parts: dict[str, str]
    event: bytes

    @property
    def possible_actions(self) -> tuple[object, ...]:
        view = self.view
        waits_for_owner = awaits_owner(view.import_)
        return view.can_pause, view.can_resume, view.can_cancel, view.ended, waits_for_owner


async def _rendered_snapshot(guest: Guest, snapshot: Snapshot) -> _RenderedSnapshot:
    """The snapshot in the guest's language, rendered once for all watchers with this language."""
    import_, key = snapshot.import_, (guest.visitor.texts.tag, is_own(guest, snapshot.import_))
    if key not in snapshot.rendered:
        if awaits_owner(import_) or import_.state is State.QUEUED:  # these are looked up
            view = await asyncio.to_thread(_view, guest, import_, snapshot.rate)
        else:
            view = _view(guest, import_, snapshot.rate)
        parts = _parts(guest.visitor.texts, view)
        snapshot.rendered[key] = _RenderedSnapshot(view, parts, parts_event(parts))
    result: _RenderedSnapshot = snapshot.rendered[key]
    return result


async def _stream(guest: Guest, import_id: ImportId) -> AsyncGenerator[bytes, None]:
    """Server-sent events: `parts` with the changed elements, and `over` after the last change."""
    last: _RenderedSnapshot | None = None
    yield RECONNECT
    async with aclosing(snapshots_for(guest, [import_id])) as snapshots:
        async for snapshot in snapshots:
            if snapshot is None:
                yield KEEP_ALIVE
                continue
            current = await _rendered_snapshot(guest, snapshot)
            if last is None or last.possible_actions != current.possible_actions:
                yield parts_event(current.parts | await asyncio.to_thread(_actions, guest, current.view))
            elif last.event != current.event:
                yield current.event
            last = current
            if current.view.ended:
                yield OVER
                return


# --- Reading ----------------------------------------------------------------------------------------


def batch_or_404(guest: Guest, batch_id: str) -> tuple[Batch, Sequence[Import]]:
    """The batch and its imports. Raises PageNotFound."""
    batch = batch_of(guest.visitor.site.deps, guest.session.person, BatchId(batch_id))
    if batch is None:
        raise PageNotFound
    return batch


def _import(guest: Guest, import_id: str) -> Import:
    """Raises PageNotFound."""
    import_ = import_of(guest.visitor.site.deps, guest.session.person, ImportId(import_id))
    if import_ is None:
        raise PageNotFound
    return import_


def _report(guest: Guest, import_id: str) -> Report:
    """Raises PageNotFound."""
    return report_of(guest.visitor.site.deps, _import(guest, import_id))


def file_response(content: bytes, media_type: str, name: str) -> Response:
    return Response(content, media_type=media_type, headers=_attachment(name))


def _attachment(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}
