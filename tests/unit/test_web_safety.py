"""What the pages keep to themselves, whatever goes wrong and whoever asks."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from starlette.testclient import TestClient

from importer.telemetry import configure
from importer.web.pages import consent
from tests.unit.web_office import Browser, WebOffice


@pytest.fixture
def office(tmp_path: Path) -> WebOffice:
    return WebOffice(tmp_path)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    stream = io.StringIO()
    configure("json", "debug", stream)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # the browser's own
    yield stream
    root.handlers[:], root.level = before
    structlog.reset_defaults()


def test_a_link_that_lets_somebody_in_is_in_no_log(
    office: WebOffice, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("a fault of our own")

    monkeypatch.setattr(consent, "look_up", fails)
    client = TestClient(office.app, base_url=office.settings.web_origin, raise_server_exceptions=False)
    answer = Browser(client).get("/consent/CANARY-of-a-link")
    assert answer.status_code == 500
    assert "request.failed" in log.getvalue()
    assert "/consent/{token}" in log.getvalue()
    assert "CANARY" not in log.getvalue() + answer.text
