"""Network look-ups against local name and web servers, which may also be slow or hostile."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from typing import Any

import dns.rcode
import pytest

from importer.adapters.egress_guard import EgressGuard
from importer.adapters.imap.factory import ImapProber
from importer.adapters.imap.imapclient_adapter import Timeouts
from importer.adapters.imap.open_connection import tls_context
from importer.adapters.lookup.dns_resolver import DnsResolver
from importer.adapters.lookup.https_fetcher import GuardedWeb
from providers.discovery import LookupFailed
from providers.endpoint import Endpoint
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.dovecot import Dovecot
from tests.rehearsal.name_server import Answer, from_zone, name_server, with_code
from tests.rehearsal.ports import PATIENCE_S, free_ports

LOOPBACK = (ip_network("127.0.0.0/8"),)

Handler = Callable[[BaseHTTPRequestHandler], None]


def at_loopback(_host: str, port: int, **kind: Any) -> list[Any]:
    """Resolve every name to this machine."""
    return list(socket.getaddrinfo("127.0.0.1", port, **kind))


@contextmanager
def web_server(authority: CertificateAuthority, handler: Handler, *names: str) -> Iterator[int]:
    """Run an HTTPS server that answers GET with `handler`. Yields its port."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # named by the library
            handler(self)

        def log_message(self, *_: object) -> None:
            pass

    certificate, key = authority.issue(*names)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def send(
    request: BaseHTTPRequestHandler, body: bytes = b"<a/>", status: int = 200, location: str = ""
) -> None:
    request.send_response(status)
    if location:
        request.send_header("Location", location)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    return CertificateAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def web(authority: CertificateAuthority) -> GuardedWeb:
    return fetcher(authority, timeout_s=PATIENCE_S)


def fetcher(authority: CertificateAuthority, timeout_s: float) -> GuardedWeb:
    guard = EgressGuard(allowed=LOOPBACK, ports=(), look_up=at_loopback)
    return GuardedWeb(guard, partial(tls_context, authority.ca_file), timeout_s=timeout_s)


# --- The web -----------------------------------------------------------------------------------------


def test_a_file_is_fetched_and_a_missing_one_is_none(
    authority: CertificateAuthority, web: GuardedWeb
) -> None:
    def handler(request: BaseHTTPRequestHandler) -> None:
        send(request, request.path.encode(), 200 if request.path.startswith("/mail") else 404)

    with web_server(authority, handler, "autoconfig.old.example") as port:
        site = f"https://autoconfig.old.example:{port}"
        assert web.fetch(f"{site}/mail/config?emailaddress=ada@old.example") == (
            b"/mail/config?emailaddress=ada@old.example"
        )
        assert web.fetch(f"{site}/nothing") is None


def test_redirects_are_followed_only_within_the_host(
    authority: CertificateAuthority, web: GuardedWeb
) -> None:
    requested = []

    def handler(request: BaseHTTPRequestHandler) -> None:
        requested.append((request.headers["Host"].partition(":")[0], request.path))
        port = request.server.server_address[1]  # type: ignore[index]
        match request.path:
            case "/same":
                send(request, b"", 302, "/there")
            case "/there":
                send(request, b"found")
            case "/circle":
                send(request, b"", 302, "/circle")
            case "/other":
                send(request, b"", 302, f"https://inside.example:{port}/there")
            case "/plain":
                send(request, b"", 302, f"http://old.example:{port}/there")
            case "/nowhere":
                send(request, b"", 302)

    with web_server(authority, handler, "old.example", "inside.example") as port:
        site = f"https://old.example:{port}"
        assert web.fetch(f"{site}/same") == b"found"
        assert web.fetch(f"{site}/nowhere") is None
        with pytest.raises(LookupFailed, match=r"lookup\.circle"):
            web.fetch(f"{site}/circle")
        for path in ("/other", "/plain"):
            with pytest.raises(LookupFailed, match=r"lookup\.other_host"):
                web.fetch(f"{site}{path}")
    assert {host for host, _ in requested} == {"old.example"}


def test_large_and_slow_responses_are_abandoned(authority: CertificateAuthority, web: GuardedWeb) -> None:
    released = threading.Event()

    def drip(request: BaseHTTPRequestHandler, *, with_length: bool) -> None:
        request.wfile.write(
            b"HTTP/1.0 200 OK\r\n" + (b"Content-Length: 9999\r\n" if with_length else b"") + b"\r\n"
        )
        for _ in range(2000):
            request.wfile.write(b"x")
            time.sleep(0.05)

    def handler(request: BaseHTTPRequestHandler) -> None:
        try:
            match request.path:
                case "/fits":
                    send(request, b"x" * 65_536)
                case "/large":
                    send(request, b"x" * 65_537)
                case "/drips":
                    drip(request, with_length=False)
                case "/drips-told":
                    drip(request, with_length=True)
                case "/head":
                    for _ in range(2000):
                        request.wfile.write(b"H")
                        time.sleep(0.05)
                case "/silent":
                    released.wait(PATIENCE_S)
        except OSError:  # the client closed the connection
            request.close_connection = True

    with web_server(authority, handler, "old.example") as port:
        site = f"https://old.example:{port}"
        assert len(web.fetch(f"{site}/fits") or b"") == 65_536
        with pytest.raises(LookupFailed, match=r"lookup\.too_large"):
            web.fetch(f"{site}/large")
        hasty = fetcher(authority, timeout_s=1.0)
        for path in ("/drips", "/drips-told", "/head", "/silent"):
            started = time.monotonic()
            with pytest.raises(LookupFailed):
                hasty.fetch(f"{site}{path}")
            assert time.monotonic() - started < 30, path  # each answer takes a minute or more
        released.set()


def test_only_a_verified_server_at_a_public_address_is_queried(
    authority: CertificateAuthority, web: GuardedWeb
) -> None:
    with web_server(authority, send, "old.example") as port:
        with pytest.raises(LookupFailed, match=r"lookup\.certificate"):
            web.fetch(f"https://other.example:{port}/")
        strict = GuardedWeb(
            EgressGuard(ports=(443,), look_up=at_loopback), partial(tls_context, authority.ca_file)
        )
        with pytest.raises(LookupFailed, match=r"lookup\.not_public"):
            strict.fetch(f"https://old.example:{port}/")
    for url in ("http://old.example/", "file:///etc/passwd", "https:///x"):
        with pytest.raises(LookupFailed):
            web.fetch(url)
    [closed] = free_ports(1)
    with pytest.raises(LookupFailed, match=r"lookup\.no_answer"):
        web.fetch(f"https://old.example:{closed}/")


@pytest.mark.parametrize(("error", "there"), [(socket.EAI_NONAME, False), (socket.EAI_AGAIN, None)])
def test_an_unknown_name_is_not_an_error(error: int, there: bool | None) -> None:
    def look_up(*_: object, **__: object) -> list[Any]:
        raise socket.gaierror(error, "x")

    web = GuardedWeb(EgressGuard(ports=(443,), look_up=look_up), tls_context)
    if there is False:
        assert web.fetch("https://autoconfig.old.example/x") is None
    else:
        with pytest.raises(LookupFailed, match=r"lookup\.no_address"):
            web.fetch("https://autoconfig.old.example/x")


# --- Name servers --------------------------------------------------------------------------------------

ZONE = {
    ("old.example.", "MX"): ["20 mx2.old.example.", "5 MX1.old.example.", "10 mxa.old.example."],
    ("none.example.", "MX"): ["0 ."],
    ("_imaps._tcp.old.example.", "SRV"): [
        "10 0 993 b.old.example.",
        "0 1 993 c.old.example.",
        "0 9 9993 a.old.example.",
    ],
    ("_imap._tcp.old.example.", "SRV"): ["0 0 0 ."],
}


def test_records_are_sorted_by_preference() -> None:
    with name_server(partial(from_zone, ZONE)) as server:
        resolver = DnsResolver(servers=[server], timeout_s=PATIENCE_S)
        assert resolver.mail_exchangers("old.example") == [
            "MX1.old.example",
            "mxa.old.example",
            "mx2.old.example",
        ]
        assert resolver.mail_exchangers("none.example") == ["."]
        assert resolver.services("_imaps._tcp.old.example") == [
            ("a.old.example.", 9993),
            ("c.old.example.", 993),
            ("b.old.example.", 993),
        ]
        assert resolver.services("_imap._tcp.old.example") == [(".", 0)]
        assert resolver.mail_exchangers("nobody.example") == []
        assert resolver.services("old.example") == []  # the name exists without such a record


@pytest.mark.parametrize(
    "answer",
    [lambda _query: None, partial(with_code, dns.rcode.SERVFAIL), partial(with_code, dns.rcode.REFUSED)],
)
def test_failing_name_servers_are_distinguished_from_unknown_names(
    answer: Answer,
) -> None:
    with name_server(answer) as server:
        for _ in range(5):  # on a busy machine, one may take long
            started = time.monotonic()
            with pytest.raises(LookupFailed):
                DnsResolver(servers=[server], timeout_s=0.5).mail_exchangers("old.example")
            took_s = time.monotonic() - started
            if took_s < 4.5:
                break
        assert took_s < 4.5  # dnspython's own limit is 5


# --- Usual names ---------------------------------------------------------------------------------------


def test_a_usual_name_is_accepted_only_with_a_verified_mail_server(new_host: Dovecot) -> None:
    tls = partial(tls_context, new_host.ca_file)
    timeouts = Timeouts(connect_s=PATIENCE_S, io_s=PATIENCE_S)
    opened = ImapProber(EgressGuard(allowed=LOOPBACK, ports=(), look_up=at_loopback), tls, timeouts)
    port = new_host.imaps.port
    assert opened.answers(Endpoint("localhost", port))
    assert not opened.answers(Endpoint("imap.old.example", port))  # the certificate is for another name
    assert not opened.answers(Endpoint("localhost", free_ports(1)[0]))
    assert not ImapProber(EgressGuard(ports=(), look_up=at_loopback), tls, timeouts).answers(
        Endpoint("localhost", port)
    )
