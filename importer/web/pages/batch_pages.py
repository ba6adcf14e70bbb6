"""Batches: the live list of one batch, and actions on the whole batch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from importer.domain.model import Batch, Import, ImportId, State
from importer.domain.planning.pace import average_rate
from importer.domain.reporting.batch_overview import Standing, counts, turns
from importer.service.deps import Deps
from importer.service.imports.control import Changed, cancel, pause, resume
from importer.service.imports.retry_failed import with_failures
from importer.web.batch_view import (
    RowFilter,
    controls_of,
    progress_of,
    row_of,
    sections,
    sums,
)
from importer.web.event_streams import (
    KEEP_ALIVE,
    OVER,
    RECONNECT,
    event_stream,
    parts_event,
    snapshots_for,
)
from importer.web.live_progress import Snapshot, all_ended
from importer.web.owner_views import owners_of
from importer.web.pages.import_pages import single_import
from importer.web.pages.own_imports import batch_or_404
from importer.web.rendering import fragment, page, redirect, rendered
from importer.web.request_context import Fields, Guest, SignedIn
from importer.web.shown_state import batch_shown, fingerprint, shown_ids
from importer.web.view_models import ImportView, import_view

_SOMEBODY_ACTS: Final = {Standing.NEEDS_YOU, Standing.OWNER, Standing.PAUSED}
"""While an import has one of these standings, the page does not say that the window can be closed."""

router: Final = APIRouter()

_WISHES: Final[Mapping[str, Callable[[Deps, ImportId], Changed]]] = {
    "pause": pause,
    "resume": resume,
    "cancel": cancel,
}


@router.get("/batches/{batch_id}")
def show_batch(guest: SignedIn, batch_id: str, q: str = "", state: str = "") -> Response:
    batch, imports = batch_or_404(guest, batch_id)
    if len(imports) == 1:
        return page(guest, "single.html", batch=batch, **single_import(guest, imports[0]))
    return _batch_page(guest, batch, imports, RowFilter.of(q, state))


@router.get("/batches/{batch_id}/live")
def poll_batch(guest: SignedIn, batch_id: str, q: str = "", state: str = "") -> Response:
    """All parts in one response, for browsers without event streams."""
    batch, imports = batch_or_404(guest, batch_id)
    board = _Board(guest, batch, RowFilter.of(q, state), _snapshots(imports))
    return JSONResponse({"parts": board.all_parts(), "over": all_ended(imports)})


@router.get("/batches/{batch_id}/events")
async def stream_batch(guest: SignedIn, batch_id: str, q: str = "", state: str = "") -> Response:
    batch, imports = await asyncio.to_thread(batch_or_404, guest, batch_id)
    return event_stream(guest, _stream(guest, batch, [i.id for i in imports], RowFilter.of(q, state)))


@router.post("/batches/{batch_id}/pause")
def pause_batch(guest: SignedIn, fields: Fields, batch_id: str) -> Response:
    return _request(guest, fields, batch_id, "pause")


@router.post("/batches/{batch_id}/resume")
def resume_batch(guest: SignedIn, fields: Fields, batch_id: str) -> Response:
    return _request(guest, fields, batch_id, "resume")


@router.post("/batches/{batch_id}/cancel")
def cancel_batch(guest: SignedIn, fields: Fields, batch_id: str) -> Response:
    return _request(guest, fields, batch_id, "cancel")


def _request(guest: Guest, fields: Any, batch_id: str, wish: str) -> Response:
    """Make the request for each import that the button's page showed and that still permits it. Changes
    nothing if the page did not show every import that can be changed now: it is out of date."""
    batch, imports = batch_or_404(guest, batch_id)
    possible = getattr(controls_of(_plain_views(guest, imports)), wish)
    shown = shown_ids(guest, fields, batch.id, wish)
    if shown is None or not shown.issuperset(possible):
        guest.visitor.audit.targets = [*possible]
        return _batch_page(guest, batch, imports, RowFilter(), outdated=True)
    for import_id in possible:
        _WISHES[wish](guest.visitor.site.deps, import_id)
    guest.visitor.audit.targets = [*possible]
    return redirect(f"/batches/{batch.id}")


# --- The live list ------------------------------------------------------------------------------------


def _batch_page(
    guest: Guest, batch: Batch, imports: Sequence[Import], chosen: RowFilter, *, outdated: bool = False
) -> Response:
    board = _Board(guest, batch, chosen, _snapshots(imports))
    return page(
        guest,
        "batch.html",
        409 if outdated else 200,
        outdated=outdated,
        over=all_ended(imports),
        moving=any(view.moving for view in board.views) and not _SOMEBODY_ACTS & counts(imports).keys(),
        **board.context(),
    )


@dataclass(frozen=True, slots=True)
class _Board:
    """The list of a batch for one guest at one moment."""

    guest: Guest
    batch: Batch
    chosen: RowFilter
    snapshots: Sequence[Snapshot]

    @property
    def imports(self) -> list[Import]:
        return [snapshot.import_ for snapshot in self.snapshots]

    @property
    def views(self) -> list[ImportView]:
        """The views of all imports, without pending sign-ins."""
        texts, now, places = self.guest.visitor.texts, self._now, turns(self.imports)
        return [import_view(texts, s, now, (), places.get(s.import_.id)) for s in self.snapshots]

    @property
    def arrangement(self) -> tuple[object, ...]:
        """The inputs of the list other than the contents of its rows."""
        controls = controls_of(self.views)
        states = tuple((i.state, i.requested, i.problem, i.successor) for i in self.imports)
        return states, controls

    def context(self) -> dict[str, Any]:
        """The context of the whole list. At most six queries."""
        texts, deps = self.guest.visitor.texts, self.guest.visitor.site.deps
        selected = {import_.id for import_ in self.imports if self.chosen.selects(import_)}
        owners = owners_of(self.guest, [(self.batch, i) for i in self.imports if i.id in selected])
        gaps = [i.id for i in self.imports if i.state is State.INCOMPLETE and i.id in selected]
        failures = with_failures(deps, (i for i in self.imports if i.id in selected))
        places = turns(self.imports)
        views = [
            import_view(
                texts,
                s,
                self._now,
                owners.sign_ins.get(s.import_.id, ()),
                places.get(s.import_.id),
                any_failed=s.import_.id in failures,
            )
            for s in self.snapshots
            if s.import_.id in selected
        ]
        tallies = deps.store.tallies_by_import(gaps) if gaps else {}
        return {
            "batch": self.batch,
            "sections": sections(texts, views, owners.others, tallies),
            "controls": self._controls(),
            **self._total(),
        }

    def all_parts(self) -> dict[str, str]:
        """Element id -> content, for the whole list."""
        context = self.context()
        return {
            "total": rendered(self.guest, "_total.html", **context),
            "news": rendered(self.guest, "_news.html", **context),
            "rows": rendered(self.guest, "_rows.html", **context),
            "batch-acts": rendered(self.guest, "_batch_actions.html", **context),
        }

    def parts_of(self, snapshot: Snapshot) -> dict[str, str]:
        """The row of that import, if listed, and the sums."""
        context = self._total()
        total = {
            "total": rendered(self.guest, "_total.html", batch=self.batch, **context),
            "news": rendered(self.guest, "_news.html", **context),
        }
        if not self.chosen.selects(snapshot.import_):
            return total
        texts = self.guest.visitor.texts
        if (key := (texts.tag, "row")) not in snapshot.rendered:
            places = turns(self.imports)
            turn = places.get(snapshot.import_.id)
            row = row_of(
                self.guest.visitor.texts,
                import_view(self.guest.visitor.texts, snapshot, self._now, (), turn),
            )
            snapshot.rendered[key] = fragment(texts, "_row.html", row=row)
        return {f"row-{snapshot.import_.id}": snapshot.rendered[key]} | total

    def _total(self) -> dict[str, Any]:
        return {
            "sums": sums(self.guest.visitor.texts, counts(self.imports), self.chosen),
            "whole": progress_of(self.snapshots),
            "mailboxes": len(self.snapshots),
            "chosen": self.chosen,
            "path": f"/batches/{self.batch.id}",
        }

    def _controls(self) -> dict[str, tuple[int, str, str]]:
        """Wish -> (number of imports, their ids, the fingerprint of both)."""
        controls = controls_of(self.views)
        ids_by_wish = {wish: getattr(controls, wish) for wish in _WISHES}
        return {
            wish: (len(ids), ",".join(ids), fingerprint(self.guest, batch_shown(self.batch.id, wish, ids)))
            for wish, ids in ids_by_wish.items()
            if ids
        }

    @property
    def _now(self) -> Any:
        return self.guest.visitor.site.deps.clock.now()


async def _stream(
    guest: Guest, batch: Batch, ids: Sequence[ImportId], chosen: RowFilter
) -> AsyncGenerator[bytes, None]:
    """Server-sent events: `parts` with the changed elements, and `over` after the last change."""
    current: dict[ImportId, Snapshot] = {}
    sent: dict[str, str] = {}
    arrangement: tuple[object, ...] | None = None
    yield RECONNECT
    async with aclosing(snapshots_for(guest, ids)) as snapshots:
        async for snapshot in snapshots:
            if snapshot is None:
                yield KEEP_ALIVE
                continue
            current[snapshot.import_.id] = snapshot
            if len(current) < len(ids):  # the feed first yields all of them
                continue
            board = _Board(guest, batch, chosen, [current[id_] for id_ in ids])
            if board.arrangement == arrangement:
                parts = board.parts_of(snapshot)
            else:
                arrangement = board.arrangement
                parts = await asyncio.to_thread(board.all_parts)
            if changed := {id_: html for id_, html in parts.items() if sent.get(id_) != html}:
                sent |= changed
                yield parts_event(changed)
            if all_ended(board.imports):
                yield OVER
                return


def _snapshots(imports: Sequence[Import]) -> list[Snapshot]:
    return [Snapshot(import_, average_rate(import_)) for import_ in imports]


def _plain_views(guest: Guest, imports: Sequence[Import]) -> list[ImportView]:
    """The views of imports in a list that is not live."""
    now, places = guest.visitor.site.deps.clock.now(), turns(imports)
    texts = guest.visitor.texts
    return [import_view(texts, s, now, (), places.get(s.import_.id)) for s in _snapshots(imports)]
