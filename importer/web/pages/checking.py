"""What is in an old mailbox, told while it is found: folders, messages, size, what will not fit, how long."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from functools import partial
from threading import Event
from typing import Any, Final, cast
from weakref import WeakValueDictionary

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from starlette.responses import Response

from importer.domain.access import MostTries
from importer.domain.check import Check
from importer.service.check import check
from importer.service.tries import TooManyTries, take
from importer.service.visits import Proven, Remembered, named_by_a_person
from importer.web.pages.progress import NotThere
from importer.web.rendering import rendered
from importer.web.site import Guest, SignedIn

CHECKS: Final = MostTries(60, 900)
AT_A_TIME: Final = 12
EACH: Final = 2
FOLDERS_SHOWN: Final = 200

router: Final = APIRouter(prefix="/new")
_pool: Final = ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="checks")
_turns: Final[WeakValueDictionary[str, asyncio.Semaphore]] = WeakValueDictionary()
"""By person: a host that answers slowly keeps the checks of the one who named it waiting, and no others."""


@router.get("/check")
def look_inside(guest: SignedIn, source: str = "", destination: str = "") -> Response:
    """Server-sent events: `found` with the card's inside each time that more is known, then `over`."""
    old = next((s for s in guest.remembered.sources if s.account.key == source), None)
    new = guest.remembered.mailbox(destination)
    if old is None or new is None or old.password is None or new.password is None:
        raise NotThere
    try:
        take(guest.visitor.site.deps, {f"check:{guest.visit.person}": CHECKS})
    except TooManyTries:
        raise NotThere from None
    stream = _stream(guest, old, new)
    return StreamingResponse(stream, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


async def _stream(guest: Guest, old: Proven, new: Proven) -> AsyncIterator[str]:
    loop, queue, stop = asyncio.get_running_loop(), asyncio.Queue[Check | None](), Event()

    assert old.password is not None  # noqa: S101 - `look_inside` saw to it
    assert new.password is not None  # noqa: S101
    source = named_by_a_person(old.account), old.password
    destination = new.account, new.password
    looks = cast("Generator[Check, None, None]", check(guest.visitor.site.deps, source, destination))

    def look() -> None:
        """In a thread: one look after the other, until it is done or nobody listens."""
        try:
            with closing(looks):
                for found in looks:
                    loop.call_soon_threadsafe(queue.put_nowait, found)
                    if stop.is_set():
                        break
        finally:
            loop.call_soon_threadsafe(queue.put_nowait, None)
            loop.call_soon_threadsafe(turns.release)

    turns = _turns.setdefault(guest.visit.person, asyncio.Semaphore(EACH))
    await turns.acquire()  # until the look has ended, whoever still listens
    _pool.submit(look)
    try:
        while (found := await queue.get()) is not None:
            facts = _facts(found, new)
            html = rendered(guest, "_check.html", facts=facts)
            if found.done:
                kept = partial(_with_facts, old.account.key, facts)
                await asyncio.to_thread(guest.remember, kept)
            yield f"event: found\ndata: {json.dumps({'html': html})}\n\n"
        yield "event: over\ndata: {}\n\n"
    finally:
        stop.set()


def _facts(found: Check, new: Proven) -> dict[str, Any]:
    """As `Check.as_json`, with the destination it is for, and only as many folders as a page can show."""
    facts = found.as_json()
    folders = facts["folders"]
    shown = folders[:FOLDERS_SHOWN] if isinstance(folders, list) else []
    return {**facts, "folders": shown, "for": new.account.key}


def _with_facts(key: str, facts: dict[str, Any], before: Remembered) -> Remembered:
    sources = tuple(replace(s, facts=facts) if s.account.key == key else s for s in before.sources)
    return replace(before, sources=sources)
