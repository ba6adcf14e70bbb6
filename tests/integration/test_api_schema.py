"""Requests that the API description allows cause no server error and are answered as described."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import structlog
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from importer import telemetry
from importer.domain.people.api_tokens import TokenScope
from tests.unit.test_api import Panel
from tests.unit.web_office import WebOffice

EXAMPLES = 25
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(autouse=True)
def _log() -> Iterator[None]:
    """Configure logging as a process does: by default a traceback is rendered with its local variables."""
    telemetry.configure(stream=io.StringIO())
    yield
    structlog.reset_defaults()


def operations(root: Path) -> tuple[WebOffice, list[Any]]:
    office = WebOffice(root, {"api_calls_per_minute": 1_000_000})
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", office.app)
    described = []
    for result in schema.get_all_operations():
        assert isinstance(result, Ok), "the description is valid"
        described.append(result.ok())
    return office, described


def test_no_described_request_causes_a_server_error(tmp_path: Path) -> None:
    office, described = operations(tmp_path)
    panel = Panel(office, "panel", TokenScope.ADMIN)
    panel.start()
    assert len(described) == 37
    for operation in described:

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def holds(case: Any) -> None:
            case.call_and_validate(headers=panel.headers, checks=CHECKS)

        holds()


def test_the_schema_run_detects_a_server_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    office, described = operations(tmp_path)
    panel = Panel(office, "panel", TokenScope.ADMIN)

    def breaks(*_args: object, **_more: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(office.deps.store, "tokens", breaks)
    monkeypatch.setattr(office.deps.store, "batches", breaks)
    [listing] = [
        operation
        for operation in described
        if operation.method.upper() == "GET" and operation.path.endswith("/batches")
    ]

    @settings(max_examples=3, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=listing.as_strategy())
    def holds(case: Any) -> None:
        case.call_and_validate(headers=panel.headers, checks=CHECKS)

    with pytest.raises(BaseException):  # noqa: B017, PT011 - any exception that reports the fault
        holds()
