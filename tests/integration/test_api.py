"""The API as a process, with Dovecot behind it: the examples in `docs/usage/api.md` work as shown."""

from __future__ import annotations

import hmac
import json
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.browser.stage import Stage, stage
from tests.rehearsal.dovecot import Dovecot
from tests.rehearsal.fill import INBOX, Stored
from tests.rehearsal.ports import PATIENCE_S, wait_until

DOCUMENT = Path(__file__).parents[2] / "docs" / "usage" / "api.md"


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory, old_host: Dovecot, new_host: Dovecot
) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("api"), old_host, new_host) as installed:
        yield installed


@dataclass
class Panel:
    """A control panel that follows the document, with its own mailboxes."""

    running: Stage
    token: str
    names: dict[str, str]
    folder: Path

    def run_example(self, part: str, number: int = 0, **variables: str) -> Any:
        """Run a curl command of the document, with the test's mailboxes in place of the document's."""
        blocks = re.findall(r"^```sh\n(.*?)^```", DOCUMENT.read_text(encoding="utf-8"), re.S | re.M)
        commands = [
            command
            for block in blocks
            for command in re.split(r"\n(?=curl)", block.replace("\\\n", " ").strip())
            if command.startswith("curl") and part in command
        ]
        command = commands[number]
        for documented, actual in self.names.items():
            command = command.replace(documented, actual)
        environment = {"API": f"{self.running.url}/api/v1", "TOKEN": self.token, "PATH": "/usr/bin:/bin"}
        done = subprocess.run(
            ["sh", "-c", command],
            env=environment | variables,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=True,
        )
        return json.loads(done.stdout) if done.stdout.startswith("{") else done.stdout


@pytest.fixture
def panel(running: Stage, tmp_path: Path, request: pytest.FixtureRequest) -> Callable[..., Panel]:
    def make(*words: str) -> Panel:
        name = re.sub(r"\W", "", request.node.name)[-20:].lower()
        old, new = running.mailboxes(name)
        old.fill(
            Stored(INBOX, (), datetime(2020, 1, 1, tzinfo=UTC), b"Subject: %d\r\n\r\ntext\r\n" % n)
            for n in range(6)
        )
        made = running.installation.json(
            "token", "create", name, "--scope", "read", "--scope", "write", *words
        )
        names = {
            "ada@old.example": old.account.address,
            "ada@new.example": new.account.address,
            "old-secret": old.password,
            "new-secret": new.password,
            "imap.old.example": str(old.account.endpoint),
        }
        (tmp_path / "people.csv").write_text(
            "source_address,source_password,source_server,destination_address,destination_password\n"
            f"{old.account.address},{old.password},{old.account.endpoint},{new.account.address},{new.password}\n"
        )
        client = Panel(running, made["token"], names, tmp_path)
        client.names["whsec"] = made["webhook_secret"] or ""
        return client

    return make


def test_the_documented_examples_work_from_check_to_report(panel: Callable[..., Panel]) -> None:
    ada = panel()
    check = ada.run_example("/check")
    assert (check["done"], check["ready"], check["source"]["messages"]) == (True, True, 6)
    started = ada.run_example('/imports"')
    assert started == ada.run_example('/imports"'), "the same key gets the same answer"
    id_ = started["rows"][0]["import"]["id"]
    assert wait_until(lambda: ada.run_example('imports/$ID"', ID=id_)["state"] == "complete")
    assert ada.run_example('report"', ID=id_)["totals"]["copied"] == 6
    assert ada.run_example("report.csv", ID=id_).startswith("import,source")
    assert ada.run_example("explanation", ID=id_)["sentence"]
    assert ada.run_example("/pause", ID=id_)["code"] == "not_possible"
    assert ada.run_example("/resume", ID=id_)["code"] == "not_possible"
    assert ada.run_example("state=waiting")["items"] == []
    again = ada.run_example("/batches/csv")
    assert (again["batch"], again["rows"][0]["fate"]) == (None, "done")
    detected = ada.run_example("/detect")
    assert detected["provider"]["id"] == "google"


class _Listener(BaseHTTPRequestHandler):
    received: list[tuple[str, bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        type(self).received.append((self.headers["Mailhaul-Signature"], body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        """Log nothing."""


@contextmanager
def listening() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    received: list[tuple[str, bytes]] = []
    handler = type("Handler", (_Listener,), {"received": received})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/hook", received
    finally:
        server.shutdown()
        server.server_close()


def test_a_worker_calls_the_webhook_and_the_documented_code_verifies_it(panel: Callable[..., Panel]) -> None:
    [code] = re.findall(r"^```python\n(.*?)^```", DOCUMENT.read_text(encoding="utf-8"), re.S | re.M)
    namespace: dict[str, Any] = {"hmac": hmac}
    exec(code, namespace)  # noqa: S102 - the document's own code
    with listening() as (url, received):
        ada = panel("--webhook", url)
        started = ada.run_example('/imports"')
        assert wait_until(lambda: bool(received))
        header, body = received[0]
    event = json.loads(body)
    assert event["type"] == "import.finished"
    assert event["import"]["id"] == started["rows"][0]["import"]["id"]
    assert namespace["is_ours"](ada.names["whsec"], header, body)
    assert not namespace["is_ours"](ada.names["whsec"], header, body + b" ")
    assert not namespace["is_ours"]("another", header, body)
    log = ada.running.installation.log()
    assert ada.token not in log
    assert ada.names["whsec"] not in log
