"""Half requests and many connections or streams of one client: they end, and disturb no other client."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import requests
import uvicorn
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from importer.service.access.concurrency_limit import MAX_STREAMS_PER_SESSION
from importer.web import slow_clients
from importer.web.slow_clients import HEAD_TIMEOUT_S, impatient_protocol
from tests.browser.stage import stage
from tests.hostile.visitor import http_visitor
from tests.rehearsal.dovecot import Dovecot
from tests.rehearsal.ports import PATIENCE_S, wait_until

LIMIT_S = 3.0

POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    body = await Request(scope, receive).body()
    await PlainTextResponse(str(len(body)))(scope, receive, send)


@contextmanager
def serving(is_trusted: Callable[[str], bool] = lambda _address: False) -> Iterator[int]:
    """Serve `echo` in a thread of this process; yield the port."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        config = uvicorn.Config(
            echo, http=impatient_protocol(is_trusted), lifespan="off", log_config=None, timeout_keep_alive=60
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(PATIENCE_S)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slow_clients, "HEAD_TIMEOUT_S", LIMIT_S)
    monkeypatch.setattr(slow_clients, "BODY_TIMEOUT_S", LIMIT_S)


def connected(port: int, sent: bytes = b"") -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
    client.sendall(sent)
    return client


def is_closed(client: socket.socket) -> bool:
    """Whether the server closes the connection ; reads what it sends before."""
    try:
        while client.recv(4096):
            pass
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False
    return True


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: x\r\n",
        POST + b"half",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\n",  # the second one stays incomplete
    ],
    ids=["nothing", "half a head", "half a body", "half a second head"],
)
@pytest.mark.usefixtures("quick")
def test_a_request_that_stays_incomplete_is_ended(sent: bytes) -> None:
    with serving() as port, connected(port, sent) as client:
        assert is_closed(client)


@pytest.mark.parametrize("begun", [b"GET / HTTP/1.1\r\nX: ", POST])
@pytest.mark.usefixtures("quick")
def test_a_drip_does_not_extend_the_time(begun: bytes) -> None:
    with serving() as port, connected(port, begun) as client:

        def drip() -> bool:
            try:
                client.sendall(b"x")
            except OSError:
                return True
            return False

        assert wait_until(drip, every_s=0.2)


@pytest.mark.usefixtures("quick")
def test_complete_requests_on_one_connection_are_not_ended() -> None:
    with serving() as port, requests.Session() as session:
        for _ in range(3):
            assert (
                session.post(f"http://127.0.0.1:{port}/", data=b"x" * 70_000, timeout=PATIENCE_S).text
                == "70000"
            )
            time.sleep(0.5 * LIMIT_S)  # longer than a limit altogether


def test_one_client_has_a_bounded_number_of_connections_and_a_proxy_is_exempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(slow_clients, "MAX_CONNECTIONS_PER_CLIENT", 20)
    half = b"GET / HTTP/1.1\r\n"
    with serving() as port, ExitStack() as held:
        first = [held.enter_context(connected(port, half)) for _ in range(20)]
        with connected(port) as one_more:
            assert is_closed(one_more)
        first[0].close()
        assert wait_until(lambda: _answers(port))
    with serving(lambda address: address == "127.0.0.1") as port, ExitStack() as held:
        for _ in range(30):
            held.enter_context(connected(port, half))
        assert _answers(port)


def _answers(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/", timeout=PATIENCE_S).text == "0"
    except requests.ConnectionError:
        return False


def test_600_half_requests_and_60_streams_of_one_visit_leave_the_pages_to_others(
    tmp_path: Path, old_host: Dovecot, new_host: Dovecot
) -> None:
    with stage(tmp_path / "pages", old_host, new_host, services=("web",)) as pages, ExitStack() as held:
        port = int(pages.url.rpartition(":")[2])
        _, user = pages.mailboxes("streams")
        for _ in range(600):
            held.enter_context(connected(port, b"GET / HTTP/1.1\r\nHost: x\r\n"))
        with http_visitor(pages.url, user) as mallory:
            rows = (
                "source_address,source_password,source_server,destination_address,destination_password\n"
                f"a@old.example,x,{pages.old.imaps},{user.account.address},{user.password}\n"
            )
            mallory.post("/file", rows=rows)
            batch = mallory.post("/file/start").headers["location"]
            opened = [mallory.get(f"{batch}/events", stream=True) for _ in range(60)]
            streams = [answer for answer in opened if answer.status_code == 200]
            assert len(streams) <= MAX_STREAMS_PER_SESSION
            assert {answer.status_code for answer in opened} == {200, 429}
            began = time.monotonic()
            assert mallory.get("/imports").status_code == 200
            assert time.monotonic() - began < HEAD_TIMEOUT_S
            for answer in opened:
                answer.close()
