"""Concurrency limits for one person or client: threads, checks, event streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any, cast

import pytest
from fastapi.responses import StreamingResponse
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from importer.domain.model import Account, ImportId
from importer.domain.people.api_tokens import TokenScope
from importer.service.access.api_clients import issue_token
from importer.service.access.concurrency_limit import (
    MAX_CHECKS_PER_KEY,
    MAX_STREAMS_PER_CLIENT,
    MAX_STREAMS_PER_SESSION,
    PersonShares,
)
from importer.web import request_shares, undo_jobs
from importer.web.event_streams import event_stream
from importer.web.request_shares import MAX_PER_CLIENT, MAX_QUEUED_PER_CLIENT, RequestShares
from importer.web.undo_jobs import MAX_JOBS_PER_PERSON, UndoJobs
from providers.errors import Side
from providers.grants import Credential
from tests.fakes.mailbox import MemoryMailbox
from tests.rehearsal.ports import PATIENCE_S, wait_until
from tests.unit.web_office import RIGHT, Doors, WebOffice


class Tarpit(Doors):
    """Hosts called slow.* respond only after `released`."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = 0
        self.released = Event()

    def admit(self, account: Account, credential: Credential, side: Side) -> MemoryMailbox:
        if account.endpoint.host.startswith("slow."):
            self.waiting += 1
            assert self.released.wait(PATIENCE_S)
        return super().admit(account, credential, side)


def test_one_api_client_cannot_take_the_checks_of_all_others(tmp_path: Path) -> None:
    office, slow = WebOffice(tmp_path), Tarpit()
    office.pages.state.site = replace(
        office.pages.state.site,
        deps=replace(office.deps, sessions=slow),
    )
    mount: Any = next(r for r in office.pages.routes if getattr(r, "path", "") == "/api/v1")
    mount.app._app.state.site = office.pages.state.site

    def check(name: str, server: str, number: int) -> int:
        headers = {"Authorization": f"Bearer {tokens[name]}"}
        row = {
            "source_address": f"{name}{number}@old.example",
            "source_password": RIGHT,
            "source_server": server,
            "destination_address": f"{name}{number}@new.example",
            "destination_password": RIGHT,
        }
        client = TestClient(office.app, base_url=office.settings.web_origin, headers=headers)
        status_code: int = client.post("/api/v1/check", json=row).status_code
        return status_code

    tokens = {
        name: issue_token(office.deps, name, [TokenScope.WRITE]).secret.reveal()
        for name in ("mallory", "grace")
    }
    with ThreadPoolExecutor(8) as pool:
        try:
            held = [pool.submit(check, "mallory", "slow.example", n) for n in range(8)]
            assert wait_until(lambda: sum(h.done() for h in held) == 8 - MAX_CHECKS_PER_KEY)
            assert {h.result() for h in held if h.done()} == {503}
            assert wait_until(lambda: slow.waiting == MAX_CHECKS_PER_KEY)
            assert check("grace", "imap.old.example", 0) == 200
        finally:
            slow.released.set()
    assert check("mallory", "imap.old.example", 9) == 200, "the slots are free again"


# --- Event streams ----------------------------------------------------------------------------------


def guest_of(shares: PersonShares, session: str, client: str = "192.0.2.1") -> Any:
    site = SimpleNamespace(shares=shares)
    return SimpleNamespace(
        visitor=SimpleNamespace(site=site, client=client), session=SimpleNamespace(id=session)
    )


async def events() -> AsyncGenerator[str, None]:
    while True:
        yield "event: x\n\n"


async def opened(guest: Any) -> Any:
    """The chunks of a new stream, the first of which was sent; None if it was refused."""
    response = event_stream(guest, events())
    if not isinstance(response, StreamingResponse):
        assert response.status_code == 429
        return None
    chunks: Any = response.body_iterator
    assert await anext(chunks) == "event: x\n\n"
    return chunks


def test_event_streams_are_limited_per_session_and_per_client() -> None:
    async def scenario() -> None:
        shares = PersonShares()
        streams = [await opened(guest_of(shares, "ada")) for _ in range(MAX_STREAMS_PER_SESSION)]
        assert None not in streams
        assert await opened(guest_of(shares, "ada")) is None
        assert await opened(guest_of(shares, "grace")) is not None
        await streams[0].aclose()
        assert await opened(guest_of(shares, "ada")) is not None
        for number in range(MAX_STREAMS_PER_CLIENT):
            await opened(guest_of(shares, f"s{number}"))
        assert await opened(guest_of(shares, "another")) is None
        assert await opened(guest_of(shares, "another", "192.0.2.2")) is not None

    asyncio.run(scenario())


# --- Threads ----------------------------------------------------------------------------------------


class Slow:
    """An application that responds once it is released."""

    def __init__(self) -> None:
        self.released = asyncio.Event()
        self.active = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.active += 1
        if scope["path"] != "/health":
            await self.released.wait()
        await PlainTextResponse("ok")(scope, receive, send)
        self.active -= 1


async def status(app: RequestShares, client: str, path: str = "/") -> int:
    """The status of the response to a request of that client."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "path": path, "client": (client, 4711), "headers": [], "method": "GET"}
    await app(scope, receive, send)
    return int(sent[0]["status"])


def test_one_client_occupies_a_share_of_the_threads_and_its_further_requests_wait() -> None:
    async def scenario() -> None:
        slow = Slow()
        app = RequestShares(slow)
        number = MAX_PER_CLIENT + MAX_QUEUED_PER_CLIENT
        asked = [asyncio.create_task(status(app, "192.0.2.1")) for _ in range(number)]
        await asyncio.sleep(0)
        assert slow.active == MAX_PER_CLIENT
        assert await status(app, "192.0.2.1") == 503
        assert await status(app, "192.0.2.1", "/health") == 200
        other = asyncio.create_task(status(app, "192.0.2.2"))
        await asyncio.sleep(0)
        assert slow.active == MAX_PER_CLIENT + 1
        asked[-1].cancel()  # the browser left
        slow.released.set()
        assert await other == 200
        assert await asyncio.gather(*asked[:-1]) == [200] * (number - 1)
        assert not app._clients

    asyncio.run(scenario())


def test_waiting_for_a_thread_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_shares, "MAX_QUEUED_S", 0.01)

    async def scenario() -> None:
        slow = Slow()
        app = RequestShares(slow)
        asked = [asyncio.create_task(status(app, "192.0.2.1")) for _ in range(MAX_PER_CLIENT)]
        await asyncio.sleep(0)
        assert await status(app, "192.0.2.1") == 503
        slow.released.set()
        assert set(await asyncio.gather(*asked)) == {200}
        assert not app._clients

    asyncio.run(scenario())


# --- Undo -------------------------------------------------------------------------------------------


def test_undo_jobs_of_one_person_wait_for_one_another_and_for_no_one_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    released, running = Event(), []

    def slow_undo(_deps: Any, import_: Any, _credential: Any) -> str:
        running.append(import_.id)
        if import_.id.startswith("mallory"):
            assert released.wait(PATIENCE_S)
        return f"report of {import_.id}"

    monkeypatch.setattr(undo_jobs, "undo", slow_undo)
    jobs, nothing = UndoJobs(), cast("Any", None)

    def start(id_: str, person: str) -> Any:
        return jobs.start(nothing, cast("Any", SimpleNamespace(id=id_)), nothing, person)

    held = [start(f"mallory{n}", "m") for n in range(9)]
    try:
        assert start("grace", "g").result(PATIENCE_S)
        assert wait_until(lambda: sum(i.startswith("mallory") for i in running) == MAX_JOBS_PER_PERSON)
        assert jobs.running(ImportId("mallory8"))
    finally:
        released.set()
    assert [job.result(PATIENCE_S) for job in held] == [f"report of mallory{n}" for n in range(9)]
    assert wait_until(lambda: not jobs._active and not jobs._waiting)
