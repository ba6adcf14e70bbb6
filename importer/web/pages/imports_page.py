"""The list of a person's imports, newest first, in parts; live, with a search over all of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from importer.domain.import_state import ENDED
from importer.domain.model import Import, State
from importer.domain.planning.pace import average_rate
from importer.domain.reporting.batch_overview import standing
from importer.service.access.visibility import FoundImports, find_imports_of, numbers_of
from importer.web.batch_view import ListedRow, RowFilter, row_of, sums
from importer.web.event_streams import (
    KEEP_ALIVE,
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


NEWS_EVERY_S: Final = 3.0
"""Time until an open list shows an import that was submitted elsewhere, in seconds."""


@router.get("/imports")
def list_imports(guest: SignedIn, q: str = "", state: str = "", after: str = "") -> Response:
    part = _Part(guest, RowFilter.of(q, state), after)
    found = part.find()
    return page(
        guest, "imports.html", moving=not all_ended(found.imports), **part.listing(found), **part.sums()
    )


@router.get("/imports/live")
def poll_imports(
    guest: SignedIn, q: str = "", state: str = "", after: str = "", newest: str = ""
) -> Response:
    """All changing parts in one response, for browsers without event streams."""
    part = _Part(guest, RowFilter.of(q, state), after)
    found = part.find()
    rows = {f"row-{i.id}": part.rendered_row(Snapshot(i, average_rate(i))) for i in found.imports}
    changing = rows if newest_of(found) == newest else part.all_list(found)
    return JSONResponse({"parts": part.all_sums() | changing, "over": False})


@router.get("/imports/events")
async def stream_imports(
    guest: SignedIn, q: str = "", state: str = "", after: str = "", newest: str = ""
) -> Response:
    return event_stream(guest, _stream(_Part(guest, RowFilter.of(q, state), after), newest))


def newest_of(found: FoundImports) -> str:
    """The id of the first listed import, which changes when another one is submitted; "" for none."""
    return found.imports[0].id if found.imports else ""


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of the list for one guest."""

    guest: Guest
    chosen: RowFilter
    after: str

    def find(self, limit: int | None = None) -> FoundImports:
        return find_imports_of(
            self.guest.visitor.site.deps,
            self.guest.session.person,
            address=self.chosen.words,
            wanted=self.chosen.standing,
            after=self.after,
            limit=limit or LISTED,
        )

    def listing(self, found: FoundImports) -> dict[str, Any]:
        """The context of the list."""
        return {
            "batches": [
                (batch, [self.row(import_) for import_ in imports]) for batch, imports in found.batches
            ],
            "following": self.chosen.query_after(found.imports[-1].id) if found.has_more else "",
            "is_first": not self.after,
            "live_query": self.chosen.query_after(self.after, newest=newest_of(found)),
        }

    def sums(self) -> dict[str, Any]:
        """The context of the sums over all imports."""
        numbers = numbers_of(self.guest.visitor.site.deps, self.guest.session.person)
        return {
            "sums": sums(self.guest.visitor.texts, numbers, self.chosen),
            "any_imports": any(numbers.values()),
            "chosen": self.chosen,
            "path": "/imports",
        }

    def all_list(self, found: FoundImports) -> dict[str, str]:
        """Element id -> content."""
        return {"list": rendered(self.guest, "_list.html", **self.listing(found), **self.sums())}

    def all_sums(self) -> dict[str, str]:
        """Element id -> content."""
        context = self.sums()
        if not context["any_imports"]:
            return {"sums": "", "news": ""}
        return {name: rendered(self.guest, f"_{name}.html", **context) for name in ("sums", "news")}

    def all_parts(self) -> dict[str, str]:
        """Element id -> content, as they are now."""
        return self.all_sums() | self.all_list(self.find())

    def row(self, import_: Import, snapshot: Snapshot | None = None) -> ListedRow:
        """The row of one import, without the reason why a queued import waits."""
        texts, now = self.guest.visitor.texts, self.guest.visitor.site.deps.clock.now()
        row = row_of(texts, import_view(texts, snapshot or Snapshot(import_, average_rate(import_)), now))
        return ListedRow(row.one, row.standing, "") if import_.state is State.QUEUED else row

    def rendered_row(self, snapshot: Snapshot) -> str:
        return rendered(self.guest, "_row.html", row=self.row(snapshot.import_, snapshot))


async def _stream(part: _Part, newest: str) -> AsyncGenerator[bytes, None]:
    """Server-sent events: `parts` with the changed rows, the sums when an import moves from one to another,
    and the list when its first import is no longer `newest`.

    The stream watches the imports listed at its start. It ends after it has sent another list, and the
    browser opens the next one.
    """
    clock = asyncio.get_running_loop().time
    yield RECONNECT
    found = await asyncio.to_thread(part.find)
    sent = await asyncio.to_thread(part.all_sums)
    if newest_of(found) != newest:
        sent |= await asyncio.to_thread(part.all_list, found)
    yield parts_event(sent)
    standings = {i.id: standing(i) for i in found.imports if i.state not in ENDED}
    looked_at = clock()
    async with aclosing(snapshots_for(part.guest, [*standings], idle_s=NEWS_EVERY_S)) as snapshots:
        async for snapshot in snapshots:
            if clock() - looked_at >= NEWS_EVERY_S and not part.after:
                looked_at = clock()
                if newest_of(await asyncio.to_thread(part.find, 1)) != newest_of(found):
                    yield parts_event(await asyncio.to_thread(part.all_parts))
                    return
            if snapshot is None:
                yield KEEP_ALIVE
                continue
            import_ = snapshot.import_
            parts = {f"row-{import_.id}": part.rendered_row(snapshot)}
            if standings[import_.id] is not standing(import_):
                standings[import_.id] = standing(import_)
                parts |= await asyncio.to_thread(part.all_sums)
            if changed := {id_: html for id_, html in parts.items() if sent.get(id_) != html}:
                sent |= changed
                yield parts_event(changed)
