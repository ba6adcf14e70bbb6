"""One import: its live progress and its report."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from importer.domain.import_options import SCHEDULE_OPTIONS, text_of
from importer.domain.model import Import, ImportId, State
from importer.domain.planning.cutover import is_following
from importer.domain.planning.pace import Rate, average_rate
from importer.domain.reporting.batch_overview import awaits_owner, turns
from importer.domain.reporting.report import Report
from importer.i18n.folder_names import ShownFolders
from importer.i18n.outcome_texts import outcome_text
from importer.i18n.refusal_lists import refusal_lists
from importer.i18n.translations import CatalogTranslator
from importer.service.imports.retry_failed import has_failed
from importer.service.queries import undo_report
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
from importer.web.pages.own_imports import batch_or_404, import_or_404, report_or_404
from importer.web.rendering import fragment, page, rendered
from importer.web.request_context import Guest, SignedIn
from importer.web.view_models import ImportView, import_view, report_columns

router: Final = APIRouter()
_MOST_REFUSALS: Final = 200

END_FOLLOWING: Final = "last"
"""The form's value of `wish` that ends the following of a mailbox."""


@router.get("/imports/{import_id}/live")
def poll_import(guest: SignedIn, import_id: str) -> Response:
    """All parts in one response, for browsers without event streams."""
    view = _view(guest, import_or_404(guest, import_id))
    parts = _parts(guest.visitor.texts, view) | _actions(guest, view)
    return JSONResponse({"parts": parts, "over": view.ended})


@router.get("/imports/{import_id}/events")
async def stream_import(guest: SignedIn, import_id: str) -> Response:
    import_ = await asyncio.to_thread(import_or_404, guest, import_id)
    return event_stream(guest, _stream(guest, import_.id))


@router.get("/imports/{import_id}")
def show_import(guest: SignedIn, import_id: str) -> Response:
    return import_page(guest, report_or_404(guest, import_id))


def import_page(guest: Guest, report: Report, problem: str = "", status: int = 200) -> Response:
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
        follows=is_following(report.import_.options),
        schedule={name: text_of(getattr(report.import_.options, name)) for name in SCHEDULE_OPTIONS},
        end_following=END_FOLLOWING,
    )


def single_import(guest: Guest, import_: Import) -> dict[str, Any]:
    """The context of the card of an import."""
    owners = _owners(guest, import_).others.get(import_.id, ())
    return {"one": _view(guest, import_), "owners": owners}


def _view(guest: Guest, import_: Import, rate: Rate | None = None) -> ImportView:
    deps = guest.visitor.site.deps
    snapshot = Snapshot(import_, average_rate(import_) if rate is None else rate)
    sign_ins = _owners(guest, import_).sign_ins.get(import_.id, ())
    any_failed = has_failed(deps, import_)
    turn = _turn(guest, import_)
    return import_view(guest.visitor.texts, snapshot, deps.clock.now(), sign_ins, turn, any_failed=any_failed)


def _turn(guest: Guest, import_: Import) -> int | None:
    """The number of imports of its batch that start before it."""
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
        if awaits_owner(import_) or import_.state in (State.QUEUED, State.INCOMPLETE):  # these are looked up
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
