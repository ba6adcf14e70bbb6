"""Requirements of OWASP ASVS on the pages that no other test covers; docs/asvs.md names these tests."""

from __future__ import annotations

from typing import Any, cast

import h11
import pytest
from starlette.testclient import TestClient
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from importer.service.access.audit import search_events
from tests.unit.web_office import Browser, WebOffice


def test_every_page_of_a_person_offers_to_sign_out(ada: Browser) -> None:
    for path in ("/new", "/file", "/imports", "/mailboxes", "/activity"):
        page = ada.get(path)
        assert page.status_code == 200, path
        assert 'action="/sign-out"' in page.text, path


def test_pages_state_their_type_and_charset(ada: Browser) -> None:
    for path in ("/new", "/nothing", "/file"):
        assert ada.get(path).headers["content-type"] == "text/html; charset=utf-8"
    assert ada.get("/file/template.csv").headers["content-type"] == "text/csv; charset=utf-8"


def test_a_download_has_a_name_of_ours(ada: Browser) -> None:
    disposition = ada.get("/file/template.csv").headers["content-disposition"]
    assert disposition == 'attachment; filename="mailhaul.csv"'
    ada.client.post("/file", files={"csrf": (None, ada.csrf), "file": ('a"\r\nX: y.csv', b"x,y\n")})
    disposition = ada.get("/file/annotated.csv").headers["content-disposition"]
    assert disposition == 'attachment; filename="mailhaul-problems.csv"'


@pytest.mark.parametrize("path", ["/", "/new", "/imports", "/api/v1/imports", "/health", "/static/x/app.css"])
@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "TRACK"])
def test_tracing_is_refused(ada: Browser, path: str, method: str) -> None:
    answer = ada.client.request(method, path)
    assert answer.status_code in (401, 403, 404, 405)
    assert "visit" not in answer.text


def test_no_folder_is_listed(ada: Browser) -> None:
    for path in ("/static", "/static/", "/static/0/", "/static/0/..%2f..%2fapp.py"):
        assert ada.get(path).status_code in (404, 405), path


@pytest.mark.parametrize(("peer", "seen"), [("203.0.113.5", "203.0.113.5"), ("127.0.0.1", "198.51.100.1")])
def test_only_a_trusted_proxy_names_the_client(office: WebOffice, peer: str, seen: str) -> None:
    app = ProxyHeadersMiddleware(cast("Any", office.app), office.settings.web_proxies)
    client = TestClient(cast("Any", app), base_url=office.settings.web_origin, client=(peer, 1))
    headers = {
        "X-Forwarded-For": "198.51.100.1",
        "X-Real-IP": "198.51.100.2",
        "Forwarded": "for=198.51.100.3",
    }
    assert client.post("/sign-in", data={"address": "ada@new.example"}, headers=headers).status_code >= 400
    [event] = search_events(office.deps, limit=10)
    assert event.actor.client == seen


def test_the_length_of_a_request_is_unambiguous() -> None:
    """uvicorn reads requests with h11: RFC 9112 section 6.3."""
    head = b"POST / HTTP/1.1\r\nHost: x\r\n"
    for lengths in (b"Content-Length: 3\r\nContent-Length: 4\r\n", b"Content-Length: +3\r\n"):
        connection = h11.Connection(h11.SERVER)
        connection.receive_data(head + lengths + b"\r\nabc")
        with pytest.raises(h11.RemoteProtocolError):
            connection.next_event()
    both = h11.Connection(h11.SERVER)
    both.receive_data(head + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n")
    assert isinstance(both.next_event(), h11.Request)
    assert isinstance(both.next_event(), h11.EndOfMessage)
