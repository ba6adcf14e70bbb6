"""Imports: the list, the live progress of a batch, reports, and the controls of an import."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from fastapi import APIRouter
from starlette.background import BackgroundTask
from starlette.responses import JSONResponse, Response

from importer.domain.model import Batch, BatchId, Import, ImportId
from importer.domain.planning.pace import average_rate
from importer.domain.reporting.report import Report
from importer.i18n.outcome_texts import outcome_text
from importer.i18n.report_csv import refusals_csv
from importer.i18n.report_json import report_json
from importer.service.access.batch_rights import destination_credential
from importer.service.access.owner_consent import links
from importer.service.access.source_sign_in import give_back
from importer.service.access.visibility import batch_of, batches_of, import_of
from importer.service.access.web_sessions import is_open
from importer.service.deps import Deps
from importer.service.imports.control import Changed, cancel, pause, resume
from importer.service.imports.finish import report_of
from importer.service.imports.undo_import import UndoRefused, undo_credential
from importer.service.queries import undo_report
from importer.web.event_streams import event_stream
from importer.web.live_progress import Snapshot, all_ended
from importer.web.rendering import fragment, page, redirect, rendered
from importer.web.request_context import Fields, Guest, SignedIn, guest_batch_right
from importer.web.view_models import ImportView, import_view, report_columns

STREAM_LIFETIME_S: Final = 600.0
"""Then the browser reconnects, which fails if the session has ended."""

SESSION_CHECKED_EVERY_S: Final = 5.0
"""A stream ends this long after the session at most, and one step of the feed."""

router: Final = APIRouter()


class PageNotFound(Exception):
    """The object does not exist or belongs to another person; the response is the same for both."""


@router.get("/imports")
def list_batches(guest: SignedIn) -> Response:
    batches = [
        (batch, _views(guest, imports))
        for batch, imports in batches_of(guest.visitor.site.deps, guest.session.person)
    ]
    return page(guest, "imports.html", batches=batches)


@router.get("/batches/{batch_id}")
def show_batch(guest: SignedIn, batch_id: str) -> Response:
    batch, imports = _batch(guest, batch_id)
    return page(guest, "batch.html", batch=batch, shown=_views(guest, imports), over=all_ended(imports))


@router.get("/batches/{batch_id}/live")
def poll_batch(guest: SignedIn, batch_id: str) -> Response:
    """All parts in one response, for browsers without event streams."""
    _, imports = _batch(guest, batch_id)
    parts: dict[str, str] = {}
    for view in _views(guest, imports):
        parts |= _parts(guest.visitor.texts.language, view) | _actions(guest, view)
    return JSONResponse({"parts": parts, "over": all_ended(imports)})


@router.get("/batches/{batch_id}/events")
async def stream_batch(guest: SignedIn, batch_id: str) -> Response:
    _, imports = await asyncio.to_thread(_batch, guest, batch_id)
    return event_stream(guest, _stream(guest, [import_.id for import_ in imports]))


@router.get("/imports/{import_id}")
def show_import(guest: SignedIn, import_id: str) -> Response:
    report = _report(guest, import_id)
    undo_jobs = guest.visitor.site.undo_jobs
    return page(
        guest,
        "import.html",
        one=_views(guest, [report.import_])[0],
        report=report,
        columns=report_columns(guest.visitor.texts, report.totals),
        undone=undo_report(guest.visitor.site.deps, report.import_.id),
        undoing=undo_jobs.running(report.import_.id),
        undo_refused=undo_jobs.failure_text(guest.visitor.texts, report.import_),
        verdict=outcome_text(guest.visitor.texts, report.outcome) if report.outcome.findings else "",
    )


@router.get("/imports/{import_id}/report.json")
def download_report_json(guest: SignedIn, import_id: str) -> Response:
    text = json.dumps(
        report_json(guest.visitor.texts, _report(guest, import_id)), ensure_ascii=False, indent=2
    )
    return _file(text.encode("utf-8"), "application/json", f"mailhaul-{import_id}.json")


@router.get("/imports/{import_id}/report.csv")
def download_report_csv(guest: SignedIn, import_id: str) -> Response:
    # The byte order mark makes spreadsheet programs read it as UTF-8.
    text = refusals_csv(guest.visitor.texts, [_report(guest, import_id)])
    return _file(text.encode("utf-8-sig"), "text/csv", f"mailhaul-{import_id}.csv")


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


def _views(guest: Guest, imports: Sequence[Import]) -> list[ImportView]:
    now = guest.visitor.site.deps.clock.now()
    sign_ins = _sign_ins(guest, imports)
    return [
        import_view(guest.visitor.texts, Snapshot(i, average_rate(i)), now, sign_ins.get(i.id, ()))
        for i in imports
    ]


def _sign_ins(guest: Guest, imports: Sequence[Import]) -> dict[ImportId, tuple[tuple[str, str], ...]]:
    """For each import that waits for owners: the mailboxes and the paths of their consent links."""
    waiting = {i.id: i for i in imports if i.problem is not None and i.problem.code == "consent_needed"}
    links_by_import = links(guest.visitor.site.deps, waiting.values()) if waiting else {}
    return {
        import_id: tuple(
            (waiting[import_id].account(side).address, urlsplit(link).path) for side, link in by_side.items()
        )
        for import_id, by_side in links_by_import.items()
    }


def _parts(language: str, view: ImportView) -> dict[str, str]:
    """Element id -> its content, the same for all readers with this language."""
    id_ = view.import_.id
    return {
        f"state-{id_}": fragment(language, "_state.html", one=view),
        f"numbers-{id_}": fragment(language, "_numbers.html", one=view),
    }


def _actions(guest: Guest, view: ImportView) -> dict[str, str]:
    """Element id -> the buttons, whose forms contain the CSRF token of this browser."""
    id_, context = view.import_.id, {"one": view, "undone": None, "undoing": False}
    return {
        f"actions-{id_}": rendered(guest, "_actions.html", details_link=True, **context),
        f"acts-{id_}": rendered(guest, "_actions.html", details_link=False, **context),
    }


@dataclass(frozen=True, slots=True)
class _RenderedSnapshot:
    """A snapshot in one language: its parts, and the event that carries them."""

    view: ImportView
    parts: dict[str, str]
    event: bytes

    @property
    def possible_actions(self) -> tuple[bool, ...]:
        view = self.view
        return view.can_pause, view.can_resume, view.can_cancel, view.ended


async def _rendered_snapshot(guest: Guest, snapshot: Snapshot) -> _RenderedSnapshot:
    """The snapshot in the guest's language, rendered once for all watchers with this language."""
    texts, import_ = guest.visitor.texts, snapshot.import_
    if texts.language not in snapshot.rendered:
        sign_ins = {}
        if import_.problem is not None and import_.problem.code == "consent_needed":
            sign_ins = await asyncio.to_thread(_sign_ins, guest, [import_])
        now = guest.visitor.site.deps.clock.now()
        view = import_view(texts, snapshot, now, sign_ins.get(import_.id, ()))
        parts = _parts(texts.language, view)
        snapshot.rendered[texts.language] = _RenderedSnapshot(view, parts, _event(parts))
    result: _RenderedSnapshot = snapshot.rendered[texts.language]
    return result


def _event(parts: dict[str, str]) -> bytes:
    return f"event: parts\ndata: {json.dumps(parts)}\n\n".encode()


async def _stream(guest: Guest, ids: Sequence[ImportId]) -> AsyncGenerator[bytes, None]:
    """Server-sent events: `parts` with the changed elements, and `over` after the last change."""
    ended: set[ImportId] = set()
    sent: dict[ImportId, _RenderedSnapshot] = {}
    clock = asyncio.get_running_loop().time
    until, checked_at = clock() + STREAM_LIFETIME_S, clock()
    yield b"retry: 2000\n\n"
    async with aclosing(guest.visitor.site.feed.watch(ids)) as snapshots:
        async for snapshot in snapshots:
            if snapshot is None:
                yield b": still here\n\n"
            else:
                id_ = snapshot.import_.id
                current, last = await _rendered_snapshot(guest, snapshot), sent.get(id_)
                sent[id_] = current
                if last is None or last.possible_actions != current.possible_actions:
                    yield _event(current.parts | _actions(guest, current.view))
                elif last.event != current.event:
                    yield current.event
                if current.view.ended:
                    ended.add(id_)
            if len(ended) == len(ids):
                yield b"event: over\ndata: {}\n\n"
                return
            if clock() > until:
                return
            if clock() - checked_at > SESSION_CHECKED_EVERY_S:
                checked_at = clock()
                if not await asyncio.to_thread(is_open, guest.visitor.site.deps, guest.session):
                    return


# --- Reading ----------------------------------------------------------------------------------------


def _batch(guest: Guest, batch_id: str) -> tuple[Batch, Sequence[Import]]:
    """Raises PageNotFound."""
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


def _file(content: bytes, media_type: str, name: str) -> Response:
    return Response(
        content, media_type=media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )
