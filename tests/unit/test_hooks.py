"""Programs are told what became of their imports: what, to whom, signed how, and how often."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_network
from pathlib import Path

import pytest

from importer.adapters.imap.connection import tls_context
from importer.adapters.webhook_sender import HttpsWebhookSender
from importer.domain.csv_import.import_rows import Row
from importer.domain.model import ImportId, Problem, State
from importer.domain.people.api_tokens import TokenScope
from importer.domain.reporting.webhook_events import signature
from importer.ports.webhook_calls import CallState
from importer.service.access.api_clients import Issued, issue_token, revoke
from importer.service.deps import Webhook
from importer.service.imports.control import cancel
from importer.service.imports.finish import finish
from importer.service.imports.submit import submit
from importer.service.notify.webhooks import RETRY_WAITS_S, send_due_calls
from importer.service.tick import Tick
from providers.endpoint import Secret
from providers.errors import Side
from tests.fakes.mailbox_access import MemoryAccess
from tests.rehearsal.certificates import CertificateAuthority
from tests.unit.test_service import Office, a_row

LOOPBACK = (ip_network("127.0.0.0/8"),)


@dataclass
class Receiver:
    """What an independent receiver keeps, after it has looked at the signature by itself."""

    secrets: dict[str, str] = field(default_factory=dict)  # address -> what was shown at the console
    answers: list[str] = field(default_factory=list)  # troubles to come, "" for none
    heard: list[tuple[str, dict[str, object]]] = field(default_factory=list)

    def call(self, url: str, body: bytes, headers: Mapping[str, str]) -> str:
        trouble = self.answers.pop(0) if self.answers else ""
        if not trouble:
            parts = dict(part.split("=", 1) for part in headers["Mailhaul-Signature"].split(","))
            signed = parts["t"].encode() + b"." + body
            right = hmac.new(self.secrets[url].encode(), signed, hashlib.sha256).hexdigest()
            assert hmac.compare_digest(parts["v1"], right)
            told = json.loads(body)
            assert headers["Mailhaul-Event"] == told["id"]
            self.heard.append((url, told))
        return trouble


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def office(receiver: Receiver) -> Office:
    office = Office()
    office.deps = replace(office.deps, webhook_sender=receiver)
    return office


def hooked(office: Office, receiver: Receiver, name: str, url: str) -> Issued:
    issued = issue_token(office.deps, name, [TokenScope.READ], webhook_url=url)
    assert issued.webhook_secret is not None
    assert issued.webhook_secret.reveal() not in repr(office.store.tokens())
    receiver.secrets.setdefault(url, issued.webhook_secret.reveal())
    return issued


def started(office: Office, owner: str = "client:panel", row: Row | None = None) -> ImportId:
    [placed] = submit(office.deps, [row or a_row()], owner=owner).rows
    return placed.import_.id


def test_the_end_of_an_import_is_told_to_its_client_and_nobody_else(
    office: Office, receiver: Receiver
) -> None:
    hooked(office, receiver, "panel", "https://panel.example/hook")
    hooked(office, receiver, "other", "https://other.example/hook")
    id_ = started(office)
    assert office.work(id_, 3).state is State.COMPLETE
    assert send_due_calls(office.deps) == 1
    [(url, told)] = receiver.heard
    assert (url, told["type"]) == ("https://panel.example/hook", "import.finished")
    facts = told["import"]
    assert isinstance(facts, dict)
    assert (facts["id"], facts["state"], facts["totals"]["copied"]) == (id_, "complete", 6)
    assert "refusals" not in facts
    assert send_due_calls(office.deps) == 0
    assert len(receiver.heard) == 1


def test_the_installation_hears_of_every_import(office: Office, receiver: Receiver) -> None:
    receiver.secrets["https://host.example/hook"] = "s" * 16
    office.deps = replace(office.deps, webhook=Webhook("https://host.example/hook", Secret("s" * 16)))
    cancel(office.deps, started(office, owner=""))
    assert send_due_calls(office.deps) == 1
    assert receiver.heard[0][1]["type"] == "import.finished"


def test_what_needs_a_person_is_told_as_such_once(office: Office, receiver: Receiver) -> None:
    hooked(office, receiver, "panel", "https://panel.example/hook")
    id_ = started(office)
    lease = office.store.acquire(f"import:{id_}", "w", office.clock.now(), timedelta(minutes=5))
    assert lease is not None
    problem = Problem("login_rejected", "no", Side.SOURCE, "no")
    finish(office.deps, office.import_(id_), State.STOPPED, lease, problem)
    send_due_calls(office.deps)
    [(_, told)] = receiver.heard
    assert told["type"] == "import.needs_attention"
    facts = told["import"]
    assert isinstance(facts, dict)
    assert (facts["state"], facts["problem"]["code"]) == ("stopped", "login_rejected")


def test_an_owner_who_has_to_sign_in_is_told_of_once(office: Office, receiver: Receiver) -> None:
    office.deps = replace(office.deps, access=MemoryAccess(frozenset({"google"})))
    hooked(office, receiver, "panel", "https://panel.example/hook")
    id_ = started(office, row=replace(a_row(), source_password=None, source_sign_in="google"))
    for _ in range(3):
        send_due_calls(office.deps)
        office.work(id_)
    told = [(event["type"], event["import"]) for _, event in receiver.heard]
    assert [type_ for type_, _ in told][:1] == ["import.needs_attention"]
    waiting = [facts for _, facts in told if isinstance(facts, dict) and facts["state"] == "waiting"]
    assert [facts["problem"]["code"] for facts in waiting] == ["consent_needed"]
    assert "/consent/" not in json.dumps(told)


def test_a_call_that_fails_is_made_again_for_three_days(office: Office, receiver: Receiver) -> None:
    hooked(office, receiver, "panel", "https://panel.example/hook")
    receiver.answers = ["it answers 500"] * 3
    cancel(office.deps, started(office))
    for wait_s in RETRY_WAITS_S[:3]:
        assert send_due_calls(office.deps) == 0
        [call] = office.store.calls()
        assert (call.state, call.error) == (CallState.PENDING, "it answers 500")
        office.clock.sleep(wait_s - 1)
        assert send_due_calls(office.deps) == 0
        office.clock.sleep(1)
    assert send_due_calls(office.deps) == 1
    assert office.store.calls()[0].state is CallState.DONE
    assert len(receiver.heard) == 1
    receiver.answers = ["no"] * 99
    cancel(office.deps, started(office))
    for wait_s in (*RETRY_WAITS_S, 0):
        send_due_calls(office.deps)
        office.clock.sleep(wait_s)
    given_up = office.store.calls()[1]
    assert (given_up.state, given_up.attempts) == (CallState.GIVEN_UP, len(RETRY_WAITS_S) + 1)
    assert timedelta(days=3) < timedelta(seconds=sum(RETRY_WAITS_S)) < timedelta(days=4)


def test_who_died_with_a_call_has_it_made_again_under_the_same_id(
    office: Office, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooked(office, receiver, "panel", "https://panel.example/hook")
    cancel(office.deps, started(office))
    with monkeypatch.context() as patched:
        patched.setattr(office.store, "settle_call", lambda *_args, **_more: None)
        send_due_calls(office.deps)
    assert send_due_calls(office.deps) == 0
    office.clock.sleep(61)
    assert send_due_calls(office.deps) == 1
    assert len({str(told["id"]) for _, told in receiver.heard}) == 1
    assert len(receiver.heard) == 2


def test_a_revoked_token_is_called_no_more_and_one_address_once(office: Office, receiver: Receiver) -> None:
    old = hooked(office, receiver, "panel", "https://panel.example/hook")
    cancel(office.deps, started(office))
    revoke(office.deps, old.token.id)
    assert send_due_calls(office.deps) == 0
    assert office.store.calls()[0].state is CallState.GIVEN_UP
    receiver.secrets.clear()
    for _ in range(2):
        receiver.secrets.clear()
        hooked(office, receiver, "panel", "https://panel.example/hook")
    cancel(office.deps, started(office))
    assert send_due_calls(office.deps) == 1


def test_the_tick_rings_for_calls_that_wait(office: Office, receiver: Receiver) -> None:
    office.deps = replace(office.deps, outgoing_mail=None)
    hooked(office, receiver, "panel", "https://panel.example/hook")
    cancel(office.deps, started(office))
    before = office.queue.mail_rings
    Tick(office.deps)()
    assert office.queue.mail_rings == before + 1
    send_due_calls(office.deps)
    Tick(office.deps)()
    assert office.queue.mail_rings == before + 1


# --- Over the network ---------------------------------------------------------------------------------


class _Handler(BaseHTTPRequestHandler):
    seen: list[tuple[str, dict[str, str], bytes]]
    status = 204

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        type(self).seen.append((self.path, dict(self.headers), body))
        self.send_response(type(self).status)
        self.send_header("Location", "https://elsewhere.example/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        """Says nothing."""


@dataclass
class Listener:
    port: int
    handler: type[_Handler]
    ca_file: Path


@pytest.fixture(params=["https", "http"])
def listener(request: pytest.FixtureRequest, ca: CertificateAuthority) -> Iterator[tuple[str, Listener]]:
    handler = type("Handler", (_Handler,), {"seen": []})
    server = HTTPServer(("127.0.0.1", 0), handler)
    if request.param == "https":
        certificate, key = ca.issue()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield request.param, Listener(server.server_address[1], handler, ca.ca_file)
    server.shutdown()
    server.server_close()


def test_a_webhook_is_posted_to_and_no_redirect_followed(listener: tuple[str, Listener]) -> None:
    scheme, there = listener
    caller = HttpsWebhookSender(partial(tls_context, there.ca_file), allowed=LOOPBACK)
    url = f"{scheme}://127.0.0.1:{there.port}/hook?a=b"
    assert caller.call(url, b"{}", {"Mailhaul-Event": "evt_1"}) == ""
    [(path, headers, body)] = there.handler.seen
    assert (path, headers["Mailhaul-Event"], body) == ("/hook?a=b", "evt_1", b"{}")
    for status in (302, 410, 500):
        there.handler.status = status
        assert caller.call(url, b"{}", {}) == f"it answers {status}"


def test_no_webhook_leads_inside(listener: tuple[str, Listener]) -> None:
    scheme, there = listener
    caller = HttpsWebhookSender(partial(tls_context, there.ca_file))
    for host in ("127.0.0.1", "localhost", "0x7f.1", "[::1]"):
        said = caller.call(f"{scheme}://{host}:{there.port}/", b"{}", {})
        assert said == "its host is not one that may be called", host
    assert not there.handler.seen
    for odd in ("ftp://127.0.0.1/", "https://", "https://127.0.0.1:x/", "nothing"):
        assert caller.call(odd, b"{}", {}) == "it is no web address"


def test_a_webhook_that_says_nothing_is_not_waited_for_for_long(ca: CertificateAuthority) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        caller = HttpsWebhookSender(partial(tls_context, ca.ca_file), allowed=LOOPBACK, timeout_s=0.3)
        said = caller.call(f"http://127.0.0.1:{silent.getsockname()[1]}/", b"{}", {})
    assert said == "it takes too long"


def test_the_signature_is_what_the_documentation_says() -> None:
    office = Office()
    told = signature("secret", office.clock.now(), b"{}")
    seconds = int(office.clock.now().timestamp())
    right = hmac.new(b"secret", f"{seconds}.{{}}".encode(), hashlib.sha256).hexdigest()
    assert told == f"t={seconds},v1={right}"
