"""The list of a person's imports, newest first, in parts; live, with a search over all of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from importer.domain.import_state import ENDED
from importer.domain.model import Import, ImportId, State
from importer.domain.planning.pace import average_rate
from importer.domain.reporting.batch_overview import Standing, standing
from importer.service.access.visibility import FoundImports, find_imports_of, numbers_of
from importer.web.batch_view import ListedRow, RowFilter, row_of, sums
from importer.web.event_streams import (
    KEEP_ALIVE,
    OVER,
    RECONNECT,
    event_stream,
    parts_event,
    snapshots_for,
)
from importer.web.live_progress import Snapshot, all_ended
from importer.web.rendering import page, rendered
from importer.web.request_context import Guest, SignedIn
from importer.web.view_models import import_view

router: Final = APIRouter()

LISTED: Final = 100
"""Imports in one part of the list."""


@router.get("/imports")
def list_imports(guest: SignedIn, q: str = "", state: str = "", after: str = "") -> Response:
    part = _Part(guest, RowFilter.of(q, state), after)
    found = part.find()
    return page(
        guest,
        "imports.html",
        batches=[(batch, [part.row(import_) for import_ in imports]) for batch, imports in found.batches],
        moving=not all_ended(found.imports),
        following=part.chosen.query_after(found.imports[-1].id) if found.has_more else "",
        is_first=not after,
        live_query=part.chosen.query_after(after),
        **part.sums(),
    )


@router.get("/imports/live")
def poll_imports(guest: SignedIn, q: str = "", state: str = "", after: str = "") -> Response:
    """All changing parts in one response, for browsers without event streams."""
    part = _Part(guest, RowFilter.of(q, state), after)
    imports = part.find().imports
    parts = part.all_sums() | {
        f"row-{i.id}": part.rendered_row(Snapshot(i, average_rate(i))) for i in imports
    }
    return JSONResponse({"parts": parts, "over": all_ended(imports)})


@router.get("/imports/events")
async def stream_imports(guest: SignedIn, q: str = "", state: str = "", after: str = "") -> Response:
    part = _Part(guest, RowFilter.of(q, state), after)
    found = await asyncio.to_thread(part.find)
    alive = [import_ for import_ in found.imports if import_.state not in ENDED]
    return event_stream(guest, _stream(part, alive))


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of the list as one guest sees it."""

    guest: Guest
    chosen: RowFilter
    after: str

    def find(self) -> FoundImports:
        return find_imports_of(
            self.guest.visitor.site.deps,
            self.guest.session.person,
            address=self.chosen.words,
            wanted=self.chosen.standing,
            after=self.after,
            limit=LISTED,
        )

    def sums(self) -> dict[str, Any]:
        """The context of the sums, which are those of all imports."""
        numbers = numbers_of(self.guest.visitor.site.deps, self.guest.session.person)
        return {
            "sums": sums(self.guest.visitor.texts, numbers, self.chosen),
            "any_imports": any(numbers.values()),
            "chosen": self.chosen,
            "path": "/imports",
        }

    def all_sums(self) -> dict[str, str]:
        """Element id -> content."""
        return {"sums": rendered(self.guest, "_sums.html", **self.sums())}

    def row(self, import_: Import, snapshot: Snapshot | None = None) -> ListedRow:
        """The row of one import. What a queued one waits for is not known here."""
        texts, now = self.guest.visitor.texts, self.guest.visitor.site.deps.clock.now()
        row = row_of(texts, import_view(texts, snapshot or Snapshot(import_, average_rate(import_)), now))
        return ListedRow(row.one, row.standing, "") if import_.state is State.QUEUED else row

    def rendered_row(self, snapshot: Snapshot) -> str:
        return rendered(self.guest, "_row.html", row=self.row(snapshot.import_, snapshot))


async def _stream(part: _Part, alive: Sequence[Import]) -> AsyncGenerator[bytes, None]:
    """Server-sent events: `parts` with the changed rows, and the sums once one moves from one to another;
    `over` after the last change."""
    states: dict[ImportId, tuple[State, Standing]] = {i.id: (i.state, standing(i)) for i in alive}
    sent: dict[str, str] = {}
    yield RECONNECT
    if not states:
        yield OVER
        return
    async with aclosing(snapshots_for(part.guest, [*states])) as snapshots:
        async for snapshot in snapshots:
            if snapshot is None:
                yield KEEP_ALIVE
                continue
            import_ = snapshot.import_
            parts = {f"row-{import_.id}": part.rendered_row(snapshot)}
            _, before = states[import_.id]
            states[import_.id] = import_.state, standing(import_)
            if before is not standing(import_):
                parts |= await asyncio.to_thread(part.all_sums)
            if changed := {id_: html for id_, html in parts.items() if sent.get(id_) != html}:
                sent |= changed
                yield parts_event(changed)
            if all(state in ENDED for state, _ in states.values()):
                yield OVER
                return
