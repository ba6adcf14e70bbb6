"""Webhooks: events, recipients, signatures and retries."""

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

from importer.adapters.imap.open_connection import tls_context
from importer.adapters.webhook_sender import HttpsWebhookSender
from importer.domain.csv_import.import_rows import Row
from importer.domain.model import ImportId, Problem, State
from importer.domain.people.actor import Actor
from importer.domain.people.api_tokens import TokenScope
from importer.domain.planning.retry_limits import WEBHOOK_RETRY_WAITS_S
from importer.domain.reporting.webhook_events import signature
from importer.ports.webhook_calls import CallState
from importer.service.access.api_clients import Issued, issue_token, revoke
from importer.service.deps import Webhook
from importer.service.imports.control import cancel
from importer.service.imports.finish import finish
from importer.service.imports.submit import submit
from importer.service.notify.webhooks import send_due_calls
from importer.service.tick import Tick
from providers.endpoint import Secret
from providers.errors import Side
from providers.text import Text
from tests.fakes.mailbox_access import MemoryAccess
from tests.rehearsal.certificates import CertificateAuthority
from tests.unit.test_service import Office, a_row

LOOPBACK = (ip_network("127.0.0.0/8"),)


@dataclass
class Receiver:
    """An independent receiver. It verifies signatures and stores the events."""

    secrets: dict[str, str] = field(default_factory=dict)  # address -> the secret shown at the console
    answers: list[str] = field(default_factory=list)  # errors of the next calls, "" for none
    received: list[tuple[str, dict[str, object]]] = field(default_factory=list)

    def call(self, url: str, body: bytes, headers: Mapping[str, str]) -> str:
        trouble = self.answers.pop(0) if self.answers else ""
        if not trouble:
            parts = dict(part.split("=", 1) for part in headers["Mailhaul-Signature"].split(","))
            signed = parts["t"].encode() + b"." + body
            right = hmac.new(self.secrets[url].encode(), signed, hashlib.sha256).hexdigest()
            assert hmac.compare_digest(parts["v1"], right)
            event = json.loads(body)
            assert headers["Mailhaul-Event"] == event["id"]
            self.received.append((url, event))
        return trouble


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def office(receiver: Receiver) -> Office:
    office = Office()
    office.deps = replace(office.deps, webhook_sender=receiver)
    return office


def add_webhook(office: Office, receiver: Receiver, name: str, url: str) -> Issued:
    issued = issue_token(office.deps, name, [TokenScope.READ], webhook_url=url)
    assert issued.webhook_secret is not None
    assert issued.webhook_secret.reveal() not in repr(office.store.tokens())
    receiver.secrets.setdefault(url, issued.webhook_secret.reveal())
    return issued


def start(office: Office, owner: str = "client:panel", row: Row | None = None) -> ImportId:
    [submitted] = submit(office.deps, Actor(owner=owner), [row or a_row()]).rows
    return submitted.import_.id


def test_the_end_of_an_import_is_reported_to_its_client_only(office: Office, receiver: Receiver) -> None:
    add_webhook(office, receiver, "panel", "https://panel.example/hook")
    add_webhook(office, receiver, "other", "https://other.example/hook")
    id_ = start(office)
    assert office.work(id_, 3).state is State.COMPLETE
    assert send_due_calls(office.deps) == 1
    [(url, event)] = receiver.received
    assert (url, event["type"]) == ("https://panel.example/hook", "import.finished")
    facts = event["import"]
    assert isinstance(facts, dict)
    assert (facts["id"], facts["state"], facts["totals"]["copied"]) == (id_, "complete", 6)
    assert "refusals" not in facts
    assert send_due_calls(office.deps) == 0
    assert len(receiver.received) == 1


def test_the_installations_webhook_gets_every_import(office: Office, receiver: Receiver) -> None:
    receiver.secrets["https://host.example/hook"] = "s" * 16
    office.deps = replace(office.deps, webhook=Webhook("https://host.example/hook", Secret("s" * 16)))
    cancel(office.deps, start(office, owner=""))
    assert send_due_calls(office.deps) == 1
    assert receiver.received[0][1]["type"] == "import.finished"


def test_an_import_that_needs_attention_is_reported_once(office: Office, receiver: Receiver) -> None:
    add_webhook(office, receiver, "panel", "https://panel.example/hook")
    id_ = start(office)
    lease = office.store.acquire(f"import:{id_}", "w", timedelta(minutes=5))
    assert lease is not None
    problem = Problem(Text("login_rejected"), Side.SOURCE, "no")
    finish(office.deps, office.import_(id_), State.STOPPED, lease, problem)
    send_due_calls(office.deps)
    [(_, event)] = receiver.received
    assert event["type"] == "import.needs_attention"
    facts = event["import"]
    assert isinstance(facts, dict)
    assert (facts["state"], facts["problem"]["code"]) == ("stopped", "login_rejected")


def test_a_pending_owner_consent_is_reported_once(office: Office, receiver: Receiver) -> None:
    office.deps = replace(office.deps, access=MemoryAccess(frozenset({"google"})))
    add_webhook(office, receiver, "panel", "https://panel.example/hook")
    id_ = start(office, row=replace(a_row(), source_password=None, source_sign_in="google"))
    for _ in range(3):
        send_due_calls(office.deps)
        office.work(id_)
    events = [(call["type"], call["import"]) for _, call in receiver.received]
    assert [type_ for type_, _ in events][:1] == ["import.needs_attention"]
    waiting = [facts for _, facts in events if isinstance(facts, dict) and facts["state"] == "waiting"]
    assert [facts["problem"]["code"] for facts in waiting] == ["consent_needed"]
    assert "/consent/" not in json.dumps(events)


def test_a_failed_call_is_retried_for_three_days(office: Office, receiver: Receiver) -> None:
    add_webhook(office, receiver, "panel", "https://panel.example/hook")
    receiver.answers = ["it answers 500"] * 3
    cancel(office.deps, start(office))
    for wait_s in WEBHOOK_RETRY_WAITS_S[:3]:
        assert send_due_calls(office.deps) == 0
        [call] = office.store.calls()
        assert (call.state, call.error) == (CallState.PENDING, "it answers 500")
        office.clock.sleep(wait_s - 1)
        assert send_due_calls(office.deps) == 0
        office.clock.sleep(1)
    assert send_due_calls(office.deps) == 1
    assert office.store.calls()[0].state is CallState.DONE
    assert len(receiver.received) == 1
    receiver.answers = ["no"] * 99
    cancel(office.deps, start(office))
    for wait_s in (*WEBHOOK_RETRY_WAITS_S, 0):
        send_due_calls(office.deps)
        office.clock.sleep(wait_s)
    given_up = office.store.calls()[1]
    assert (given_up.state, given_up.attempts) == (CallState.GIVEN_UP, len(WEBHOOK_RETRY_WAITS_S) + 1)
    assert timedelta(days=3) < timedelta(seconds=sum(WEBHOOK_RETRY_WAITS_S)) < timedelta(days=4)


def test_many_calls_to_a_webhook_that_is_down_do_not_delay_those_of_others(
    office: Office, receiver: Receiver
) -> None:
    for client in ("down", "other"):
        add_webhook(office, receiver, client, f"https://{client}.example/hook")
    for _ in range(51):
        cancel(office.deps, start(office, owner="client:down"))
    cancel(office.deps, start(office, owner="client:other"))
    receiver.answers = ["it answers 500"]
    assert send_due_calls(office.deps) == 1
    assert [url for url, _ in receiver.received] == ["https://other.example/hook"]


def test_an_unsettled_call_is_repeated_with_the_same_id(
    office: Office, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_webhook(office, receiver, "panel", "https://panel.example/hook")
    cancel(office.deps, start(office))
    with monkeypatch.context() as patched:
        patched.setattr(office.store, "settle_call", lambda *_args, **_more: None)
        send_due_calls(office.deps)
    assert send_due_calls(office.deps) == 0
    office.clock.sleep(61)
    assert send_due_calls(office.deps) == 1
    assert len({str(event["id"]) for _, event in receiver.received}) == 1
    assert len(receiver.received) == 2


def test_revoked_tokens_are_not_called_and_each_address_is_called_once(
    office: Office, receiver: Receiver
) -> None:
    old = add_webhook(office, receiver, "panel", "https://panel.example/hook")
    cancel(office.deps, start(office))
    revoke(office.deps, old.token.id)
    assert send_due_calls(office.deps) == 0
    assert office.store.calls()[0].state is CallState.GIVEN_UP
    receiver.secrets.clear()
    for _ in range(2):
        receiver.secrets.clear()
        add_webhook(office, receiver, "panel", "https://panel.example/hook")
    cancel(office.deps, start(office))
    assert send_due_calls(office.deps) == 1


def test_the_tick_rings_for_due_calls(office: Office, receiver: Receiver) -> None:
    office.deps = replace(office.deps, outgoing_mail=None)
    add_webhook(office, receiver, "panel", "https://panel.example/hook")
    cancel(office.deps, start(office))
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
        """Suppress the log."""


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


def test_a_webhook_is_posted_without_following_redirects(listener: tuple[str, Listener]) -> None:
    scheme, server = listener
    caller = HttpsWebhookSender(partial(tls_context, server.ca_file), allowed=LOOPBACK)
    url = f"{scheme}://127.0.0.1:{server.port}/hook?a=b"
    assert caller.call(url, b"{}", {"Mailhaul-Event": "evt_1"}) == ""
    [(path, headers, body)] = server.handler.seen
    assert (path, headers["Mailhaul-Event"], body) == ("/hook?a=b", "evt_1", b"{}")
    for status in (302, 410, 500):
        server.handler.status = status
        assert caller.call(url, b"{}", {}) == f"it answers {status}"


def test_a_webhook_cannot_reach_private_addresses(listener: tuple[str, Listener]) -> None:
    scheme, server = listener
    caller = HttpsWebhookSender(partial(tls_context, server.ca_file))
    for host in ("127.0.0.1", "localhost", "0x7f.1", "[::1]"):
        error = caller.call(f"{scheme}://{host}:{server.port}/", b"{}", {})
        assert error == "its host is not one that may be called", host
    assert not server.handler.seen
    for odd in ("ftp://127.0.0.1/", "https://", "https://127.0.0.1:x/", "nothing"):
        assert caller.call(odd, b"{}", {}) == "it is no web address"


def test_a_silent_webhook_times_out(ca: CertificateAuthority) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        caller = HttpsWebhookSender(partial(tls_context, ca.ca_file), allowed=LOOPBACK, timeout_s=0.3)
        error = caller.call(f"http://127.0.0.1:{silent.getsockname()[1]}/", b"{}", {})
    assert error == "it takes too long"


def test_the_signature_matches_the_documentation() -> None:
    office = Office()
    header = signature("secret", office.clock.now(), b"{}")
    seconds = int(office.clock.now().timestamp())
    right = hmac.new(b"secret", f"{seconds}.{{}}".encode(), hashlib.sha256).hexdigest()
    assert header == f"t={seconds},v1={right}"
