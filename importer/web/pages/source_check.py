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

from importer.domain.folder_mapping.label_rules import LabelRule
from importer.domain.people.identities import RateLimit
from importer.domain.reporting.mailbox_check import Check
from importer.i18n.problem_texts import by_code
from importer.i18n.translations import CatalogTranslator
from importer.service.access.batch_rights import destination_credential
from importer.service.access.rate_limits import RateLimited, consume
from importer.service.access.web_sessions import SessionData, VerifiedMailbox, public_only_account
from importer.service.imports.check_mailboxes import check
from importer.web.pages.import_pages import PageNotFound
from importer.web.rendering import rendered
from importer.web.request_context import Guest, SignedIn, destination_of, opened_by_right, right_of
from providers.errors import Side

CHECKS: Final = RateLimit(60, 900)
AT_A_TIME: Final = 12
EACH: Final = 2
FOLDERS_SHOWN: Final = 200

router: Final = APIRouter(prefix="/new")
_pool: Final = ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="checks")
_turns: Final[WeakValueDictionary[str, asyncio.Semaphore]] = WeakValueDictionary()
"""By person: a host that answers slowly keeps the checks of the one who named it waiting, and no others."""


@router.get("/check")
def look_inside(
    guest: SignedIn, source: str = "", destination: str = "", labels: LabelRule | None = None
) -> Response:
    """Server-sent events: `found` with the card's inside each time that more is known, then `over`."""
    old = next((s for s in guest.remembered.sources if s.account.key == source), None)
    new = destination_of(guest, destination)
    if old is None or new is None or old.password is None:
        raise PageNotFound
    if new.password is None and new.account != opened_by_right(guest):
        raise PageNotFound
    try:
        consume(guest.visitor.site.deps, {f"check:{guest.visit.person}": CHECKS})
    except RateLimited:
        raise PageNotFound from None
    stream = _stream(guest, old, new, labels or guest.visitor.site.settings.labels)
    return StreamingResponse(stream, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


def looked_so(facts: dict[str, Any], destination: str, rule: LabelRule) -> bool:
    """Whether the look was taken for that destination, and by that rule where there are labels."""
    by = facts["labels"]
    return facts["for"] == destination and (by is None or by["rule"] == rule)


async def _stream(
    guest: Guest, old: VerifiedMailbox, new: VerifiedMailbox, rule: LabelRule
) -> AsyncIterator[str]:
    loop, queue, stop = asyncio.get_running_loop(), asyncio.Queue[Check | None](), Event()

    assert old.password is not None  # noqa: S101 - `look_inside` saw to it
    site = guest.visitor.site
    source = public_only_account(old.account), old.password
    into = destination_credential(site.deps, right_of(guest), new.account, new.password)
    destination = new.account, into
    looks = cast("Generator[Check, None, None]", check(site.deps, source, destination, rule))

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
            facts = _facts(guest.visitor.texts, found, new)
            html = rendered(guest, "_check.html", facts=facts)
            if found.done:
                kept = partial(_with_facts, old.account.key, facts)
                await asyncio.to_thread(guest.remember, kept)
            yield f"event: found\ndata: {json.dumps({'html': html})}\n\n"
        yield "event: over\ndata: {}\n\n"
    finally:
        stop.set()


def _facts(texts: CatalogTranslator, found: Check, new: VerifiedMailbox) -> dict[str, Any]:
    """As `Check.as_json`, with the destination it is for, what is wrong in the reader's language, and only
    as many folders as a page can show."""
    folders = found.folders
    return {
        **found.as_json(),
        "folders": [folder.as_json() for folder in folders[:FOLDERS_SHOWN]],
        "folders_more": len(folders[FOLDERS_SHOWN:]),
        "too_large": sum(folder.too_large for folder in folders),
        "elsewhere": sum(folder.elsewhere for folder in folders),
        "for": new.account.key,
        "problems": {
            which.value: by_code(texts, problem.code, problem.message, side.account.endpoint.host, which)
            for which, side in ((Side.SOURCE, found.source), (Side.DESTINATION, found.destination))
            if (problem := side.problem) is not None
        },
    }


def _with_facts(key: str, facts: dict[str, Any], before: SessionData) -> SessionData:
    sources = tuple(replace(s, facts=facts) if s.account.key == key else s for s in before.sources)
    rule = before.labels if facts["labels"] is None else LabelRule(facts["labels"]["rule"])
    return replace(before, sources=sources, labels=rule)
