"""A small file of bad rows, and hosts that never answer, stop neither the pages nor their end."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import requests

from tests.browser.stage import Stage, stage
from tests.hostile.visitor import HttpVisitor, http_visitor
from tests.rehearsal.dovecot import Dovecot
from tests.rehearsal.ports import PATIENCE_S, wait_until
from tests.rehearsal.processes import start_group, stop_group

HEADER = "source_address,source_password,source_server,destination_address,destination_password\n"
LOOKS = 45
LONGEST_LOOK_S = PATIENCE_S
"""A look takes about 20 ms; the machine may be busy."""


@pytest.fixture
def pages(tmp_path: Path, old_host: Dovecot, new_host: Dovecot) -> Iterator[Stage]:
    with stage(tmp_path / "pages", old_host, new_host, services=("web",)) as running:
        yield running


def health_s(url: str) -> float:
    """How long /health takes. Fails if it does not answer."""
    began = time.monotonic()
    assert requests.get(f"{url}/health", timeout=LONGEST_LOOK_S).text == "ok"
    return time.monotonic() - began


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows", HEADER + "x,,y,z,\n" * 6000),
        ("columns", ",".join(f"c{n}" for n in range(9000)) + ",source_address\n"),
    ],
)
def test_looks_at_a_bad_file_stop_no_pages(pages: Stage, name: str, content: str) -> None:
    _, user = pages.mailboxes(name)
    with http_visitor(pages.url, user) as mallory, ThreadPoolExecutor(LOOKS) as pool:
        assert mallory.post("/file", rows=content).status_code == 303
        began = time.monotonic()
        looks = [pool.submit(mallory.get, "/file/preview") for _ in range(LOOKS)]
        slowest_s = health_s(pages.url)
        while not all(look.done() for look in looks):
            slowest_s = max(slowest_s, health_s(pages.url))
        took_s = time.monotonic() - began
        assert {look.result().status_code for look in looks} == {200}
    print(f"{name}: {LOOKS} looks in {took_s:.1f} s, /health at most {slowest_s:.2f} s")
    assert took_s < LONGEST_LOOK_S


@contextmanager
def tarpit() -> Iterator[int]:
    """A server that accepts connections and never answers; yields its port."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield listener.getsockname()[1]


def test_the_pages_end_within_30_s_although_requests_hang(
    tmp_path: Path, old_host: Dovecot, new_host: Dovecot
) -> None:
    with (
        tarpit() as port,
        stage(tmp_path / "pages", old_host, new_host, services=(), IMAP_TIMEOUT_SECONDS="600") as running,
    ):
        installation = running.installation
        process = start_group(
            [*installation.command, "web"], installation.log_file, environment=installation.environment()
        )
        try:
            _, user = running.mailboxes("hangs")
            assert wait_until(lambda: _is_up(running.url)), installation.log()
            with http_visitor(running.url, user) as mallory, ThreadPoolExecutor(3) as pool:
                mallory.post("/new", address="mallory@old.example")
                held = [pool.submit(_knock, mallory, port) for _ in range(3)]
                time.sleep(1)  # there is nothing to see while they hang
                assert not any(knock.done() for knock in held)
                assert health_s(running.url) < LONGEST_LOOK_S
                process.terminate()
                began = time.monotonic()
                process.wait(PATIENCE_S)
                print(f"ended within {time.monotonic() - began:.1f} s")
        finally:
            stop_group(process)


def _is_up(url: str) -> bool:
    try:
        return requests.get(f"{url}/health", timeout=PATIENCE_S).ok
    except requests.RequestException:
        return False


def _knock(visitor: HttpVisitor, port: int) -> None:
    with suppress(requests.ConnectionError):  # the pages end
        visitor.post("/new/mailbox", password="x", server="127.0.0.1", port=str(port))
