"""Progress for many watchers: what they are told, when, and that it is made once for all of them."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from importer.domain.model import Import, Progress, State
from importer.i18n.translations import texts
from importer.service.access.web_sessions import find_session, read_session_data
from importer.web import live_progress, rendering
from importer.web.live_progress import Feed, Snapshot
from importer.web.pages import import_pages
from importer.web.request_context import Guest, Visitor
from tests.unit.web_office import Browser, WebOffice


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_progress, "POLL_INTERVAL_S", 0.01)


@pytest.fixture
def office(tmp_path: Path) -> WebOffice:
    return WebOffice(tmp_path)


@pytest.fixture
def ada(office: WebOffice) -> Browser:
    browser = office.browser()
    browser.sign_in()
    browser.start_import()
    return browser


class Moving:
    """The one import of a store, as a test wants it seen."""

    def __init__(self, office: WebOffice) -> None:
        self.deps = office.deps
        [self.import_] = office.deps.store.imports()
        self.looks = 0

    def imports(self, **_: Any) -> list[Import]:
        self.looks += 1
        return [self.import_]

    def goes_on(self, messages: int) -> None:
        self.import_ = replace(
            self.import_,
            state=State.RUNNING,
            started_at=datetime.now(UTC),
            progress=Progress("INBOX", 0, 1, messages, 100, 1000 * messages),
        )


def feed_of(moving: Moving) -> Feed:
    return Feed(replace(moving.deps, store=moving))  # type: ignore[arg-type]


def guest_of(office: WebOffice, browser: Browser, feed: Feed) -> Guest:
    """Who sits at that browser, watching `feed`."""
    token = browser.client.cookies["visit"]
    visit = find_session(office.deps, token)
    assert visit is not None
    site = replace(office.app._app.state.site, feed=feed)  # type: ignore[attr-defined]
    return Guest(
        Visitor(site, token, visit, texts("en"), "", "/batches/x"),
        visit,
        read_session_data(office.deps, visit),
    )


async def told(stream: AsyncGenerator[Snapshot | None, None], within_s: float = 2.0) -> Snapshot:
    sight = await asyncio.wait_for(anext(stream), within_s)
    assert sight is not None
    return sight


async def nothing(stream: Any) -> bool:
    """Nothing comes, in the time of many looks."""
    waiting = asyncio.ensure_future(anext(stream))
    done, _ = await asyncio.wait([waiting], timeout=0.3)
    waiting.cancel()
    return not done


def run(story: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(story(), 20))


def test_who_comes_later_is_told_at_once_even_when_it_has_ended(office: WebOffice, ada: Browser) -> None:
    """Otherwise a browser that lost its connection for a moment would wait for ever for the end."""
    moving = Moving(office)
    moving.import_ = replace(moving.import_, state=State.COMPLETE)

    async def story() -> None:
        feed = feed_of(moving)
        first, second = feed.watch([moving.import_.id]), feed.watch([moving.import_.id])
        assert (await told(first)).import_.state is State.COMPLETE
        assert (await told(second)).import_.state is State.COMPLETE
        await first.aclose()
        await second.aclose()

    run(story)


def test_nothing_is_told_while_nothing_changes(office: WebOffice, ada: Browser) -> None:
    moving = Moving(office)

    async def story() -> None:
        stream = feed_of(moving).watch([moving.import_.id])
        await told(stream)
        looks = moving.looks
        assert await nothing(stream)
        assert moving.looks > looks + 3, "it did look"

    run(story)


def test_all_watchers_get_the_same_sight_and_one_look_serves_them(office: WebOffice, ada: Browser) -> None:
    moving = Moving(office)

    async def story() -> None:
        feed = feed_of(moving)
        streams = [feed.watch([moving.import_.id]) for _ in range(50)]
        await asyncio.gather(*(told(stream) for stream in streams))
        moving.goes_on(7)
        looks = moving.looks
        sights = await asyncio.gather(*(told(stream) for stream in streams))
        assert len({id(sight) for sight in sights}) == 1
        assert moving.looks - looks < 10
        for stream in streams:
            await stream.aclose()
        assert not feed._watched

    run(story)


def test_an_event_is_written_once_for_all_and_holds_no_token(
    office: WebOffice, ada: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    moving, written = Moving(office), []
    plain = rendering.fragment

    def counted(language: str, template: str, **context: Any) -> str:
        written.append(template)
        return plain(language, template, **context)

    monkeypatch.setattr(import_pages, "fragment", counted)

    async def story() -> None:
        feed = feed_of(moving)
        guest = guest_of(office, ada, feed)
        streams = [import_pages._stream(guest, [moving.import_.id]) for _ in range(20)]
        for stream in streams:
            assert (await anext(stream)).startswith(b"retry")
        first = [await asyncio.wait_for(anext(stream), 2) for stream in streams]
        assert all(b"csrf" in event for event in first), "with the buttons, for this browser"
        moving.goes_on(1)
        await asyncio.gather(*(asyncio.wait_for(anext(stream), 2) for stream in streams))
        written.clear()
        moving.goes_on(7)
        events = await asyncio.gather(*(asyncio.wait_for(anext(stream), 2) for stream in streams))
        assert len({id(event) for event in events}) == 1
        assert b"csrf" not in events[0]
        [data] = re.findall(rb"data: (.*)\n", events[0])
        assert "of 100" in json.loads(data)[f"numbers-{moving.import_.id}"]
        assert written.count("_numbers.html") < len(streams)

    run(story)
