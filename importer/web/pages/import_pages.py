"""Imports under way and done: the list, the progress of a batch as it happens, and reports."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from starlette.responses import JSONResponse, Response

from importer.domain.model import BatchId, Import, ImportId
from importer.domain.reporting.report import Report
from importer.domain.reporting.report_csv import refusals_csv
from importer.service.access.batch_rights import destination_credential
from importer.service.access.owner_consent import links
from importer.service.access.visibility import batch_of, batches_of, import_of
from importer.service.access.web_sessions import SessionData
from importer.service.deps import Deps
from importer.service.imports.control import Changed, cancel, pause, resume
from importer.service.imports.finish import report_of
from importer.service.imports.undo_import import UndoRefused, undo_credential
from importer.service.queries import undo_report
from importer.web.live_progress import Snapshot, all_ended, average
from importer.web.rendering import fragment, go, page, rendered
from importer.web.request_context import Fields, Guest, SignedIn, right_of
from importer.web.view_models import ImportView, shown, verdict

STREAM_LASTS_S: Final = 600.0
"""Then the browser asks again, and whoever signed out meanwhile gets nothing more."""

router: Final = APIRouter()


class PageNotFound(Exception):
    """No such thing, or somebody else's: nobody can tell which."""


@router.get("/imports")
def earlier(guest: SignedIn) -> Response:
    batches = [
        (batch, _shown(guest, imports))
        for batch, imports in batches_of(guest.visitor.site.deps, guest.visit.person)
    ]
    return page(guest, "imports.html", batches=batches)


@router.get("/batches/{batch_id}")
def batch(guest: SignedIn, batch_id: str) -> Response:
    found = batch_of(guest.visitor.site.deps, guest.visit.person, BatchId(batch_id))
    if found is None:
        raise PageNotFound
    facts, imports = found
    return page(guest, "batch.html", batch=facts, shown=_shown(guest, imports), over=all_ended(imports))


@router.get("/batches/{batch_id}/live")
def live(guest: SignedIn, batch_id: str) -> Response:
    """All parts at once, for browsers without a stream."""
    found = batch_of(guest.visitor.site.deps, guest.visit.person, BatchId(batch_id))
    if found is None:
        raise PageNotFound
    _, imports = found
    parts: dict[str, str] = {}
    for one in _shown(guest, imports):
        parts |= _parts(guest.visitor.texts.language, one) | _actions(guest, one)
    return JSONResponse({"parts": parts, "over": all_ended(imports)})


@router.get("/batches/{batch_id}/events")
async def events(guest: SignedIn, batch_id: str) -> Response:
    deps = guest.visitor.site.deps
    found = await asyncio.to_thread(batch_of, deps, guest.visit.person, BatchId(batch_id))
    if found is None:
        raise PageNotFound
    _, imports = found
    stream = _stream(guest, [import_.id for import_ in imports])
    return StreamingResponse(stream, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


@router.get("/imports/{import_id}")
def one_import(guest: SignedIn, import_id: str) -> Response:
    report = _report(guest, import_id)
    return page(
        guest,
        "import.html",
        one=_shown(guest, [report.import_])[0],
        report=report,
        undone=undo_report(guest.visitor.site.deps, report.import_.id),
        undoing=guest.visitor.site.undoings.running(report.import_.id),
        undo_refused=guest.visitor.site.undoings.refused(guest.visitor.texts, report.import_),
        verdict=verdict(guest.visitor.texts, report),
    )


@router.get("/imports/{import_id}/report.json")
def report_json(guest: SignedIn, import_id: str) -> Response:
    text = json.dumps(_report(guest, import_id).as_json(), ensure_ascii=False, indent=2)
    return _file(text.encode("utf-8"), "application/json", f"mailhaul-{import_id}.json")


@router.get("/imports/{import_id}/report.csv")
def report_csv(guest: SignedIn, import_id: str) -> Response:
    # With a byte order mark, spreadsheets read it as UTF-8.
    text = refusals_csv([_report(guest, import_id)])
    return _file(text.encode("utf-8-sig"), "text/csv", f"mailhaul-{import_id}.csv")


@router.post("/imports/{import_id}/again")
def again(guest: SignedIn, _fields: Fields, import_id: str) -> Response:
    """To the password of the same old mailbox: it was forgotten when the import ended."""
    import_ = import_of(guest.visitor.site.deps, guest.visit.person, ImportId(import_id))
    if import_ is None:
        raise PageNotFound
    guest.remember(partial(_run_again, import_))
    return go("/new/mailbox")


def _run_again(import_: Import, before: SessionData) -> SessionData:
    """With what was chosen then."""
    return replace(
        before.without_draft(),
        pending_source=import_.source,
        labels=import_.labels,
        sync_flags=import_.sync_flags,
        rerun_destination=import_.destination,
    )


@router.post("/imports/{import_id}/pause")
def hold(guest: SignedIn, _fields: Fields, import_id: str) -> Response:
    return _request(guest, import_id, pause)


@router.post("/imports/{import_id}/resume")
def go_on(guest: SignedIn, _fields: Fields, import_id: str) -> Response:
    return _request(guest, import_id, resume)


@router.post("/imports/{import_id}/cancel")
def give_up(guest: SignedIn, _fields: Fields, import_id: str) -> Response:
    return _request(guest, import_id, cancel)


@router.post("/imports/{import_id}/undo")
def take_back(guest: SignedIn, _fields: Fields, import_id: str) -> Response:
    """Needs the password of the new mailbox, which the visit has when that mailbox was proven in it, or the
    batch right."""
    site = guest.visitor.site
    import_ = import_of(site.deps, guest.visit.person, ImportId(import_id))
    if import_ is None:
        raise PageNotFound
    mailbox = guest.remembered.mailbox(import_.destination.key)
    password, right = mailbox.password if mailbox else None, right_of(guest)
    if password is None and not right.covers(import_.destination):
        try:
            undo_credential(site.deps, import_, site.catalog.for_host(import_.destination.endpoint.host))
        except UndoRefused as refused:
            site.undoings.refuse(import_, refused)
            return go(f"/imports/{import_.id}")
        return go("/mailboxes")
    credential = destination_credential(site.deps, right, import_.destination, password)
    site.undoings.start(site.deps, import_, credential)
    return go(f"/imports/{import_.id}")


def _request(guest: Guest, import_id: str, wish: Callable[[Deps, ImportId], Changed]) -> Response:
    """What came of it shows on the page, and nowhere better."""
    deps = guest.visitor.site.deps
    import_ = import_of(deps, guest.visit.person, ImportId(import_id))
    if import_ is None:
        raise PageNotFound
    wish(deps, import_.id)
    return go(f"/batches/{import_.batch_id}")


# --- Parts of a page that change ------------------------------------------------------------------


def _shown(guest: Guest, imports: Sequence[Import]) -> list[ImportView]:
    now = datetime.now(UTC)
    ways = _sign_ins(guest, imports)
    return [
        shown(guest.visitor.texts, Snapshot(i, average(i, now)), now, ways.get(i.id, ())) for i in imports
    ]


def _sign_ins(guest: Guest, imports: Sequence[Import]) -> dict[ImportId, tuple[tuple[str, str], ...]]:
    """Where the owners of those that wait for them sign in, by mailbox."""
    waiting = {i.id: i for i in imports if i.problem is not None and i.problem.code == "consent_needed"}
    found = links(guest.visitor.site.deps, waiting.values()) if waiting else {}
    return {
        import_id: tuple(
            (waiting[import_id].account(side).address, urlsplit(link).path) for side, link in by_side.items()
        )
        for import_id, by_side in found.items()
    }


def _parts(language: str, one: ImportView) -> dict[str, str]:
    """Element id -> its content, as all see it who speak this language."""
    id_ = one.import_.id
    return {
        f"state-{id_}": fragment(language, "_state.html", one=one),
        f"numbers-{id_}": fragment(language, "_numbers.html", one=one),
    }


def _actions(guest: Guest, one: ImportView) -> dict[str, str]:
    """The same for the buttons, whose forms are this browser's own."""
    id_, facts = one.import_.id, {"one": one, "undone": None, "undoing": False}
    return {
        f"actions-{id_}": rendered(guest, "_actions.html", details_link=True, **facts),
        f"acts-{id_}": rendered(guest, "_actions.html", details_link=False, **facts),
    }


@dataclass(frozen=True, slots=True)
class _Told:
    """A sight in one language: its parts, and those as an event on the wire."""

    one: ImportView
    parts: dict[str, str]
    event: bytes

    @property
    def can_do(self) -> tuple[bool, ...]:
        one = self.one
        return one.can_pause, one.can_resume, one.can_cancel, one.ended


async def _told(guest: Guest, sight: Snapshot) -> _Told:
    """Made once for all who watch in this language."""
    texts, problem = guest.visitor.texts, sight.import_.problem
    if texts.language not in sight.made:
        ways = {}
        if problem is not None and problem.code == "consent_needed":
            ways = await asyncio.to_thread(_sign_ins, guest, [sight.import_])
        one = shown(texts, sight, datetime.now(UTC), ways.get(sight.import_.id, ()))
        parts = _parts(texts.language, one)
        sight.made[texts.language] = _Told(one, parts, _event(parts))
    told: _Told = sight.made[texts.language]
    return told


def _event(parts: dict[str, str]) -> bytes:
    return f"event: parts\ndata: {json.dumps(parts)}\n\n".encode()


async def _stream(guest: Guest, ids: Sequence[ImportId]) -> AsyncIterator[bytes]:
    """Server-sent events: `parts` with what changed, `over` when nothing more will."""
    ended: set[ImportId] = set()
    before: dict[ImportId, _Told] = {}
    until = asyncio.get_running_loop().time() + STREAM_LASTS_S
    yield b"retry: 2000\n\n"
    async with aclosing(guest.visitor.site.feed.watch(ids)) as sights:
        async for sight in sights:
            if sight is None:
                yield b": still here\n\n"
            else:
                told, last = await _told(guest, sight), before.get(sight.import_.id)
                before[sight.import_.id] = told
                if last is None or last.can_do != told.can_do:
                    yield _event(told.parts | _actions(guest, told.one))
                elif last.event != told.event:
                    yield told.event
                if told.one.ended:
                    ended.add(sight.import_.id)
            if len(ended) == len(ids):
                yield b"event: over\ndata: {}\n\n"
                return
            if asyncio.get_running_loop().time() > until:
                return


def _report(guest: Guest, import_id: str) -> Report:
    deps = guest.visitor.site.deps
    import_ = import_of(deps, guest.visit.person, ImportId(import_id))
    if import_ is None:
        raise PageNotFound
    return report_of(deps, import_)


def _file(content: bytes, media_type: str, name: str) -> Response:
    return Response(
        content, media_type=media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )
