"""The check of an old mailbox, streamed while it runs: folders, messages, size, duration, problems."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Any, Final, cast

from fastapi import APIRouter, Request
from starlette.responses import Response

from importer.domain.csv_import.csv_cells import Refused
from importer.domain.import_options import OPTIONS, ImportOptions, choices_from_json
from importer.domain.people.identities import RateLimit
from importer.domain.planning.server_limits import MAX_CHECK_S
from importer.domain.reporting.check_warnings import check_warnings
from importer.domain.reporting.mailbox_check import Check
from importer.i18n.check_texts import check_json, folder_checks_json, warning_text
from importer.i18n.problem_texts import problem_text
from importer.i18n.translations import CatalogTranslator
from importer.ports.work_limit import WorkLimit
from importer.service.access.batch_rights import destination_credential
from importer.service.access.concurrency_limit import MAX_CHECKS, ConcurrencyLimit
from importer.service.access.draft_sign_in import mailbox_credential
from importer.service.access.login_attempts import public_only_account
from importer.service.access.rate_limits import RateLimited, consume
from importer.service.access.session_data import SessionData, VerifiedMailbox
from importer.service.imports.check_mailboxes import check, timed_out
from importer.web.event_streams import event_stream
from importer.web.pages.own_imports import PageNotFound
from importer.web.rendering import rendered
from importer.web.request_context import (
    Guest,
    SignedIn,
    find_destination,
    guest_batch_right,
    rerun_destination_by_right,
)
from providers.errors import Side

CHECKS: Final = RateLimit(60, 900)
MAX_SLOT_WAIT_S: Final = 300.0
_SLOT_POLL_S: Final = 0.2
FOLDERS_SHOWN: Final = 200

router: Final = APIRouter(prefix="/new")
_pool: Final = ThreadPoolExecutor(MAX_CHECKS, thread_name_prefix="checks")


@router.get("/check")
def check_source(guest: SignedIn, request: Request, source: str = "", destination: str = "") -> Response:
    """Server-sent events: `found` with the content of the card after each new finding, then `over`. Further
    query parameters are options of the import."""
    old = next((s for s in guest.session_data.sources if s.account.key == source), None)
    new = find_destination(guest, destination)
    if old is None or new is None or not old.is_open:
        raise PageNotFound
    if not new.is_open and new.account != rerun_destination_by_right(guest):
        raise PageNotFound
    try:
        consume(guest.visitor.site.deps, {f"check:{guest.session.person}": CHECKS})
    except RateLimited:
        raise PageNotFound from None
    try:
        choices = choices_from_json(dict(request.query_params))
    except Refused:
        raise PageNotFound from None  # the form reports the error when it is submitted
    options = guest.visitor.site.settings.import_options.choose(choices)
    return event_stream(guest, _stream(guest, old, new, options))


def applies_to(facts: dict[str, Any], destination: str, options: ImportOptions) -> bool:
    """Whether the check was made for that destination (an `Account.key`), with the same values of the options
    that affect its counts."""
    stored = options.as_json()
    counted = _counted_by(facts)
    return facts["for"] == destination and counted == {name: stored[name] for name in counted}


def _counted_by(facts: dict[str, Any]) -> dict[str, Any]:
    """The options that affect the counts of the check, as JSON."""
    return {
        name: facts["options"][name]
        for name, option in OPTIONS.items()
        if option.forecast and (facts["labels"] is not None or not option.needs_labels)
    }


async def _stream(
    guest: Guest, old: VerifiedMailbox, new: VerifiedMailbox, options: ImportOptions
) -> AsyncGenerator[str, None]:
    loop, queue = asyncio.get_running_loop(), asyncio.Queue[Check | None]()

    site = guest.visitor.site
    access = mailbox_credential(site.deps, guest.session, old)
    assert access is not None  # noqa: S101 - `check_source` ensures it
    source = public_only_account(old.account), access
    credential = mailbox_credential(site.deps, guest.session, new)
    if credential is None:
        credential = destination_credential(site.deps, guest_batch_right(guest), new.account, None)
    destination = new.account, credential

    def run_check() -> None:
        """Runs in a thread until the check is done or the stream is closed."""
        try:
            with closing(results):
                result = None
                for result in results:
                    loop.call_soon_threadsafe(queue.put_nowait, result)
                if result is not None and not result.done:
                    loop.call_soon_threadsafe(queue.put_nowait, timed_out(result))
        finally:
            loop.call_soon_threadsafe(queue.put_nowait, None)
            site.shares.checks.give_back(person)  # also if the stream was closed long before

    person = guest.session.person
    if not await _slot(site.shares.checks, person):
        yield "event: over\ndata: {}\n\n"
        return
    limit = WorkLimit(MAX_CHECK_S)  # its time starts with its slot
    results = cast("Generator[Check, None, None]", check(site.deps, source, destination, options, limit))
    _pool.submit(run_check)
    try:
        while (result := await queue.get()) is not None:
            facts = _facts(guest.visitor.texts, result, new)
            html = rendered(guest, "_check.html", facts=facts)
            if result.done:
                await asyncio.to_thread(guest.update_session, partial(_with_facts, old.account.key, facts))
            yield f"event: found\ndata: {json.dumps({'html': html})}\n\n"
        yield "event: over\ndata: {}\n\n"
    finally:
        limit.end()


async def _slot(checks: ConcurrencyLimit, person: str) -> bool:
    """Wait until this person may check another mailbox, and take the slot. False after MAX_SLOT_WAIT_S. A
    slow host delays only the checks of the person who named it."""
    until_s = time.monotonic() + MAX_SLOT_WAIT_S
    while True:
        try:
            checks.take(person)
        except RateLimited:
            if time.monotonic() > until_s:
                return False
            await asyncio.sleep(_SLOT_POLL_S)
        else:
            return True


def _facts(texts: CatalogTranslator, result: Check, new: VerifiedMailbox) -> dict[str, Any]:
    """`check_json`, with the destination of the check, the problems in the reader's language, and at most
    FOLDERS_SHOWN folders."""
    folders = result.folders
    return {
        **check_json(texts, result),
        "folders": folder_checks_json(texts, folders, FOLDERS_SHOWN),
        "folders_more": len(folders[FOLDERS_SHOWN:]),
        "older": sum(folder.older for folder in folders),
        "shown_warnings": [
            {"sentence": warning_text(texts, warning), "serious": warning.serious}
            for warning in check_warnings(result)
        ],
        "elsewhere": sum(folder.elsewhere for folder in folders),
        "for": new.account.key,
        "problems": {
            side.value: problem_text(texts, problem)
            for side, checked in ((Side.SOURCE, result.source), (Side.DESTINATION, result.destination))
            if (problem := checked.problem) is not None
        },
    }


def _with_facts(key: str, facts: dict[str, Any], before: SessionData) -> SessionData:
    sources = tuple(replace(s, facts=facts) if s.account.key == key else s for s in before.sources)
    choices = {**before.choices, **choices_from_json(_counted_by(facts))}
    return replace(before, sources=sources, choices=choices)
