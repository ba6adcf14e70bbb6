"""Requests that cannot be read get 400 with the rule that they break, and no traceback in the log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from importer.domain.people.api_tokens import TokenScope
from importer.service.access.api_clients import issue_token
from tests.unit.web_office import RIGHT, Browser, WebOffice

HALF = "\ud800"
ROW = {
    "source_address": "ada@old.example",
    "source_password": RIGHT,
    "source_server": "imap.old.example",
    "destination_address": "ada@new.example",
    "destination_password": RIGHT,
}


def multipart(charset: str, csrf: bytes) -> dict[str, Any]:
    body = b'--x\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n' + csrf + b"\r\n--x--\r\n"
    return {
        "content": body,
        "headers": {"Content-Type": f"multipart/form-data; boundary=x; charset={charset}"},
    }


@pytest.mark.parametrize(
    "charset", ["undefined", "punycode", "unicode_escape", "idna", "no-such", "hex", "utf-16"]
)
@pytest.mark.parametrize("csrf", [b"\\ud800", b"\xff\xfe", b"-", b"x" * 64])
def test_a_form_in_an_odd_charset_is_refused(ada: Browser, charset: str, csrf: bytes) -> None:
    answer = ada.client.post("/new", **multipart(charset, csrf))
    assert answer.status_code in (400, 403), answer.text
    assert answer.headers["content-security-policy"]


def test_half_a_surrogate_pair_in_a_form_is_refused_with_the_rule(ada: Browser) -> None:
    answer = ada.client.post("/new", **multipart("unicode_escape", b"\\ud800"))
    assert answer.status_code == 400
    assert "text_not_unicode" in answer.text
    answer = ada.client.post("/new", **multipart("undefined", b"x"))
    assert answer.status_code == 400
    assert "form_unreadable" in answer.text


@pytest.mark.parametrize("port", ["9" * 5000, "0" * 5000 + "993", "²", "-1", "99999", "993\n"])
def test_an_odd_port_is_refused_or_read(ada: Browser, port: str) -> None:
    ada.post("/new", address="ada@old.example")
    answer = ada.post("/new/mailbox", password=RIGHT, server="imap.old.example", port=port)
    assert answer.status_code == (303 if port.strip() == "993" else 422)
    assert ada.post("/new/mailbox", password=RIGHT, server=f"imap.old.example:{port}").status_code in (
        303,
        422,
    )


@pytest.mark.parametrize(
    "referer", ["http://[", "http://127.0.0.1:8025.evil/", "http://127.0.0.1:8025/\\evil", "//"]
)
def test_an_odd_referer_leads_to_the_first_page(ada: Browser, referer: str) -> None:
    answer = ada.client.post("/language", data={"csrf": ada.csrf}, headers={"Referer": referer})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/imports", {**ROW, "source_address": f"{HALF}@x.example"}),
        ("/imports", {**ROW, "source_password": HALF}),
        ("/imports", {**ROW, "submitter": f"{HALF}@x.example"}),
        ("/imports", {**ROW, HALF: "x"}),
        ("/batches", {"name": HALF, "rows": [ROW]}),
        ("/batches", {"rows": [{**ROW, "source_server": f"imap.{HALF}.example"}]}),
        ("/check", {**ROW, "destination_address": f"{HALF}@x.example"}),
        ("/detect", {"address": f"ada@{HALF}.example"}),
        ("/imports/abcdefghjkmn/undo", {"destination_password": HALF}),
        ("/imports/abcdefghjkmn/run-again", {"source_password": HALF}),
        ("/maintenance", {"on": True, "note": HALF}),
    ],
)
def test_half_a_surrogate_pair_in_a_call_is_refused_with_the_rule(
    office: WebOffice, path: str, body: dict[str, Any]
) -> None:
    token = issue_token(
        office.deps, "panel", [TokenScope.READ, TokenScope.WRITE, TokenScope.ADMIN]
    ).secret.reveal()
    panel = TestClient(office.app, base_url=office.settings.web_origin)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    answer = panel.post(f"/api/v1{path}", content=json.dumps(body), headers=headers)
    assert answer.status_code == 400, answer.text
    assert (answer.json()["code"], answer.json()["rule"]) == ("refused", "text_not_unicode")
    assert not office.deps.store.imports()


@pytest.mark.parametrize(
    "path", ["/imports/", "/file/", "/new/", "/health/", "/api/v1/imports/", "/api/v1/token/"]
)
def test_no_redirect_follows_the_host_header(ada: Browser, path: str) -> None:
    answer = ada.client.get(path, headers={"Host": "evil.example"})
    assert "evil.example" not in str(answer.headers)
    assert answer.status_code in (400, 401, 404)


def test_pages_are_served_under_their_own_name_only(tmp_path: Path) -> None:
    office = WebOffice(tmp_path, {"public_url": "https://mail.example.org"})
    browser = office.browser()
    for host, status in (
        ("mail.example.org", 200),
        ("MAIL.example.org:443", 200),
        ("localhost:8025", 200),
        ("evil.example", 421),
        ("mail.example.org.evil.example", 421),
        ("", 421),
    ):
        assert browser.client.get("/", headers={"Host": host}).status_code == status, host
    assert browser.client.get("/health", headers={"Host": "10.0.0.7:8025"}).text == "ok"
    call = browser.client.get("/api/v1/token", headers={"Host": "web:8025"})
    assert call.status_code == 401, "programs may use an internal name"
