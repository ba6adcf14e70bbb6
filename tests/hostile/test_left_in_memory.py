"""Copies of a password in the pages' memory after its owner has signed out: a few that Python holds."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

import pytest

from tests.browser.stage import stage
from tests.hostile.visitor import http_visitor
from tests.rehearsal.dovecot import Dovecot
from tests.rehearsal.hosts import new_user
from tests.rehearsal.ports import listens, wait_until
from tests.rehearsal.processes import start_group, stop_group

MOST_COPIES = 10
"""4 are usual; it was 24 of the new and 14 of the old mailbox's password."""


def copies(pid: int, secret: str) -> int:
    """How often the memory of a process contains a text."""
    found = 0
    with Path(f"/proc/{pid}/maps").open() as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            span = re.match(r"([0-9a-f]+)-([0-9a-f]+) r", line)
            if span is None or "[v" in line:
                continue
            start, end = (int(text, 16) for text in span.groups())
            with suppress(OSError, ValueError):
                memory.seek(start)
                found += memory.read(end - start).count(secret.encode())
    return found


def test_passwords_leave_the_memory_of_the_pages(
    tmp_path: Path, old_host: Dovecot, new_host: Dovecot
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can read the memory of a process that is not dumpable")
    with stage(tmp_path / "pages", old_host, new_host, services=()) as pages:
        installation = pages.installation
        process = start_group(
            [*installation.command, "web"], installation.log_file, environment=installation.environment()
        )
        try:
            old, new = new_user(old_host, "left@old.example"), new_user(new_host, "left@new.example")
            port = int(pages.url.rpartition(":")[2])
            assert wait_until(lambda: listens(port)), installation.log()
            with http_visitor(pages.url, new) as ada:
                ada.post("/new", address=old.account.address)
                server = {"server": old.account.endpoint.host, "port": str(old.account.endpoint.port)}
                answer = ada.post("/new/mailbox", password=old.password, login=old.account.login, **server)
                assert answer.status_code == 303
                for _ in range(4):
                    ada.get("/new/review")
                assert copies(process.pid, "session") > 0, "the memory can be read"
                ada.post("/sign-out")
            secrets = (old.password, new.password)
            assert wait_until(lambda: max(copies(process.pid, secret) for secret in secrets) <= MOST_COPIES)
        finally:
            stop_group(process)
