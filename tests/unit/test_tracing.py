"""Traces: one for each import, over all processes, received by a real OTLP receiver on loopback."""

from __future__ import annotations

import importlib
import io
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog

from importer import telemetry
from importer.cli.exit_codes import Usage
from importer.cli.service_commands import _traces
from importer.domain.model import State
from importer.domain.people.actor import Actor
from importer.service.imports.submit import submit
from importer.settings import Settings
from tests.rehearsal.otlp import otlp_receiver, text_attributes
from tests.unit.test_service import SOURCE, Office, a_row

SECRET = "hunter2"


def tracing() -> Any:
    """The module, if the extra `otlp` is installed."""
    pytest.importorskip("opentelemetry.sdk")
    return importlib.import_module("importer.tracing")


@pytest.fixture(autouse=True)
def _restored_log() -> Iterator[None]:
    yield
    structlog.reset_defaults()
    telemetry.configure()


def test_an_import_is_one_trace_from_submission_to_mail() -> None:
    """Web and worker are two exporters here, as they are two processes: neither knows of the other."""
    traces_to = tracing().traces_to

    def mask(event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        return telemetry.mask(None, "", event)

    office = Office()
    with otlp_receiver() as receiver:
        web = traces_to(receiver.url, {"host": "a", "version": "1"}, mask)
        worker = traces_to(receiver.url, {"host": "b", "version": "1", "worker": "b:1:x"}, mask)
        telemetry.configure(stream=io.StringIO(), observers=[web])
        _, import_id = office.submit()
        elsewhere = replace(SOURCE, address="grace@old.example", login="grace@old.example")
        [other] = submit(office.deps, Actor(), [a_row(source=elsewhere)]).started
        telemetry.configure(stream=io.StringIO(), observers=[worker])
        assert office.work(import_id).state is State.COMPLETE
        telemetry.get_logger().info(
            "mail.handled", key=f"import:{import_id}:ada@new.example", import_id=import_id, seconds=0.5
        )
        web.flush()
        worker.flush()
    mine = [span for span in receiver.spans if text_attributes(span)["import_id"] == import_id]
    names = [span.name for span in mine]
    assert sorted({*names} & {"imports.submitted", "leg.started", "leg.finished", "import.ended"}) == [
        "import.ended",
        "imports.submitted",
        "leg.finished",
        "leg.started",
    ]
    [root] = [span for span in mine if not span.parent_span_id]
    assert root.name == "imports.submitted"
    assert {span.trace_id for span in mine} == {root.trace_id}
    assert {span.parent_span_id for span in mine if span is not root} == {root.span_id}
    assert len({span.span_id for span in mine}) == len(mine)
    [mail] = [span for span in mine if span.name == "mail.handled"]
    assert mail.end_time_unix_nano - mail.start_time_unix_nano == 500_000_000
    theirs = {span.trace_id for span in receiver.spans if text_attributes(span)["import_id"] == other.id}
    assert theirs
    assert root.trace_id not in theirs
    instances = {facts["service.instance.id"] for facts in receiver.resources}
    assert instances == {"a", "b:1:x"}
    assert b"ada@" not in receiver.raw
    assert b"a***@new.example" in receiver.raw


def test_a_failure_is_marked_and_secrets_do_not_leave() -> None:
    traces_to = tracing().traces_to
    with otlp_receiver() as receiver:
        traces = traces_to(receiver.url, {}, lambda event: telemetry.mask(None, "", event))
        telemetry.configure(stream=io.StringIO(), observers=[traces])
        telemetry.get_logger().error(
            "leg.failed", import_id="one", password=SECRET, reason=f"imap://a:{SECRET}@h"
        )
        telemetry.get_logger().warning("tick.failed", reason="about no import")
        traces.flush()
    [span] = receiver.spans
    assert span.status.code == 2  # STATUS_CODE_ERROR
    assert SECRET.encode() not in receiver.raw


def test_a_receiver_that_is_away_costs_nothing_but_the_traces() -> None:
    traces_to = tracing().traces_to
    traces = traces_to("http://127.0.0.1:1", {}, lambda event: event)
    telemetry.configure(stream=io.StringIO(), observers=[traces])
    telemetry.get_logger().info("import.ended", import_id="one")


# --- When nothing is set --------------------------------------------------------------------------------


def test_without_an_endpoint_nothing_is_loaded(tmp_path: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from importer.cli import service_commands as s
from importer.domain.people.actor import Actor
from importer.service.imports.submit import submit
from importer.settings import Settings
s._log_and_metrics(Settings.load(data=Path({str(tmp_path)!r})))
assert not [name for name in sys.modules if name.startswith(("opentelemetry", "importer.tracing"))]
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("by_setting", [True, False])
def test_without_the_extra_the_endpoint_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_setting: bool
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    monkeypatch.delitem(sys.modules, "importer.tracing", raising=False)
    if not by_setting:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    endpoint = "http://127.0.0.1:4318" if by_setting else None
    settings = Settings.load(data=tmp_path, otlp_endpoint=endpoint)
    with pytest.raises(Usage, match=r"mailhaul\[otlp\]"):
        _traces(settings, {})
