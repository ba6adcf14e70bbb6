"""Live progress: which snapshots watchers receive, when, and that they are rendered once for all watchers."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from importer.domain.model import Import, Progress, State
from importer.i18n.translations import CatalogTranslator, texts
from importer.service.access.web_sessions import find_session, read_session_data
from importer.web import live_progress, rendering
from importer.web.audit_middleware import AuditNote
from importer.web.live_progress import Feed, Snapshot
from importer.web.pages import import_pages
from importer.web.request_context import Guest, Visitor
from tests.rehearsal.ports import PATIENCE_S
from tests.unit.web_office import Browser, WebOffice


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_progress, "POLL_INTERVAL_S", 0.01)


@pytest.fixture
def ada(office: WebOffice) -> Browser:
    browser = office.browser()
    browser.sign_in()
    browser.start_import()
    return browser


class Moving:
    """A store with one import, whose state the test controls."""

    def __init__(self, office: WebOffice) -> None:
        self.deps = office.deps
        [self.import_] = office.deps.store.imports()
        self.queries = 0

    def imports(self, **_: Any) -> list[Import]:
        self.queries += 1
        return [self.import_]

    def advance(self, messages: int) -> None:
        self.import_ = replace(
            self.import_,
            state=State.RUNNING,
            started_at=datetime.now(UTC),
            progress=Progress("INBOX", 0, 1, messages, 100, 1000 * messages),
        )


def feed_of(moving: Moving) -> Feed:
    return Feed(replace(moving.deps, store=moving))  # type: ignore[arg-type]


def guest_of(office: WebOffice, browser: Browser, feed: Feed) -> Guest:
    """The signed-in user of that browser, watching `feed`."""
    token = browser.client.cookies["visit"]
    session = find_session(office.deps, token)
    assert session is not None
    site = replace(office.pages.state.site, feed=feed)
    return Guest(
        Visitor(site, token, session, texts("en"), "", "/batches/x", AuditNote()),
        session,
        read_session_data(office.deps, session),
    )


async def next_snapshot(
    stream: AsyncGenerator[Snapshot | None, None], within_s: float = PATIENCE_S
) -> Snapshot:
    snapshot = await asyncio.wait_for(anext(stream), within_s)
    assert snapshot is not None
    return snapshot


async def is_silent(stream: Any, moving: Moving) -> bool:
    """Whether the stream yields nothing during many polls."""
    waiting = asyncio.ensure_future(anext(stream))
    enough = moving.queries + 10
    while moving.queries < enough and not waiting.done():
        await asyncio.sleep(0.01)
    return bool(waiting.cancel())


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(scenario(), PATIENCE_S))


def test_a_later_watcher_immediately_receives_the_snapshot_of_an_ended_import(
    office: WebOffice, ada: Browser
) -> None:
    """Otherwise a browser that reconnects after the end would wait for it indefinitely."""
    moving = Moving(office)
    moving.import_ = replace(moving.import_, state=State.COMPLETE)

    async def scenario() -> None:
        feed = feed_of(moving)
        first, second = feed.watch([moving.import_.id]), feed.watch([moving.import_.id])
        assert (await next_snapshot(first)).import_.state is State.COMPLETE
        assert (await next_snapshot(second)).import_.state is State.COMPLETE
        await first.aclose()
        await second.aclose()

    run(scenario)


def test_no_snapshot_is_sent_without_a_change(office: WebOffice, ada: Browser) -> None:
    moving = Moving(office)

    async def scenario() -> None:
        stream = feed_of(moving).watch([moving.import_.id])
        await next_snapshot(stream)
        assert await is_silent(stream, moving)

    run(scenario)


def test_all_watchers_receive_the_same_snapshot_from_one_query(office: WebOffice, ada: Browser) -> None:
    moving = Moving(office)

    async def scenario() -> None:
        feed = feed_of(moving)
        streams = [feed.watch([moving.import_.id]) for _ in range(50)]
        await asyncio.gather(*(next_snapshot(stream) for stream in streams))
        moving.advance(7)
        queries = moving.queries
        snapshots = await asyncio.gather(*(next_snapshot(stream) for stream in streams))
        assert len({id(snapshot) for snapshot in snapshots}) == 1
        assert moving.queries - queries < 10
        for stream in streams:
            await stream.aclose()
        assert not feed._watched

    run(scenario)


def test_an_event_is_rendered_once_for_all_watchers_and_contains_no_csrf_token(
    office: WebOffice, ada: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    moving, rendered = Moving(office), []
    plain = rendering.fragment

    def counted(language: CatalogTranslator, template: str, **context: Any) -> str:
        rendered.append(template)
        return plain(language, template, **context)

    monkeypatch.setattr(import_pages, "fragment", counted)

    async def scenario() -> None:
        feed = feed_of(moving)
        guest = guest_of(office, ada, feed)
        streams = [import_pages._stream(guest, moving.import_.id) for _ in range(20)]
        for stream in streams:
            assert (await anext(stream)).startswith(b"retry")
        first = [await asyncio.wait_for(anext(stream), PATIENCE_S) for stream in streams]
        assert all(b"csrf" in event for event in first), "the first event has the buttons of this browser"
        moving.advance(1)
        await asyncio.gather(*(asyncio.wait_for(anext(stream), PATIENCE_S) for stream in streams))
        rendered.clear()
        moving.advance(7)
        events = await asyncio.gather(*(asyncio.wait_for(anext(stream), PATIENCE_S) for stream in streams))
        assert len({id(event) for event in events}) == 1
        assert b"csrf" not in events[0]
        [data] = re.findall(rb"data: (.*)\n", events[0])
        assert "of 100" in json.loads(data)[f"numbers-{moving.import_.id}"]
        assert rendered.count("_numbers.html") < len(streams)

    run(scenario)
