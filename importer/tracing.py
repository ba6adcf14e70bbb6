"""Traces for OpenTelemetry, made from the events of the log: one trace for each import.

The ids of a trace and of its root span follow from the import's id, so that web, workers and mail add to one
trace without passing a context along, also after a queue was emptied or a database restored. The root is the
submission; every other event with `import_id` is a span below it, whose duration is its field `seconds`.
Loaded only if an endpoint is set (docs/metrics.md).

https://opentelemetry.io/docs/specs/otlp/, https://www.w3.org/TR/trace-context/
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from typing import Any, Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import SpanContext, Status, StatusCode, TraceFlags
from structlog.typing import EventDict

Mask = Callable[[EventDict], EventDict]

ROOT: Final = "imports.submitted"
_FAULTS: Final = frozenset({"warning", "error", "exception", "critical"})
_SCALAR: Final = (str, bool, int, float)
_TIMEOUT_S: Final = 5.0
_NANOSECONDS: Final = 1_000_000_000


class ImportTraces:
    """A structlog processor that exports a span for each event about an import. Thread-safe.

    Attributes are the event's fields of types number, boolean and text, all passed through `mask`.
    """

    def __init__(self, exporter: SpanExporter, process: Mapping[str, str], mask: Mask) -> None:
        """`process` has host and version, and worker for a worker."""
        self._mask = mask
        self._resource = Resource.create(
            {
                "service.name": "mailhaul",
                "service.version": process.get("version", ""),
                "service.instance.id": process.get("worker", process.get("host", "")),
                "host.name": process.get("host", ""),
            }
        )
        self._spans = BatchSpanProcessor(exporter)

    def __call__(self, _logger: object, method: str, event: EventDict) -> EventDict:
        for import_id in _imports_of(event):
            self._spans.on_end(self._span(str(import_id), method, event))
        return event

    def flush(self) -> None:
        """Export pending spans; waits for a few seconds at most."""
        self._spans.force_flush()
        self._spans.shutdown()  # type: ignore[no-untyped-call, unused-ignore]  # absent without the extra

    def _span(self, import_id: str, level: str, event: EventDict) -> ReadableSpan:
        name = str(event["event"])
        root = _context(import_id, root=True)
        is_root = name == ROOT
        end_ns = time.time_ns()  # of the same clock as the log
        return ReadableSpan(
            name=name,
            context=root if is_root else _context(import_id, root=False),
            parent=None if is_root else root,
            resource=self._resource,
            attributes={**self._attributes(event), "import_id": import_id},
            status=Status(StatusCode.ERROR if level in _FAULTS else StatusCode.UNSET),
            start_time=end_ns - round(float(event.get("seconds") or 0) * _NANOSECONDS),
            end_time=end_ns,
        )

    def _attributes(self, event: EventDict) -> dict[str, Any]:
        shown = self._mask({name: value for name, value in event.items() if isinstance(value, _SCALAR)})
        return {name: value for name, value in shown.items() if name != "event"}


def traces_to(endpoint: str, process: Mapping[str, str], mask: Mask) -> ImportTraces:
    """Exports to an OTLP receiver over HTTP; with "", to the receiver of the standard variables
    OTEL_EXPORTER_OTLP_…, which also set headers, certificates and compression."""
    url = f"{endpoint.rstrip('/')}/v1/traces" if endpoint else None
    return ImportTraces(OTLPSpanExporter(endpoint=url, timeout=_TIMEOUT_S), process, mask)


def _imports_of(event: EventDict) -> Iterable[object]:
    """The imports that an event is about: `import_id`, or all of `import_ids`."""
    if one := event.get("import_id"):
        return (one,)
    return event.get("import_ids") or ()


def _context(import_id: str, *, root: bool) -> SpanContext:
    digest = sha256(f"mailhaul trace {import_id}".encode()).digest()
    return SpanContext(
        trace_id=int.from_bytes(digest[:16], "big"),
        span_id=int.from_bytes(digest[16:24], "big") if root else secrets.randbits(64) | 1,
        is_remote=False,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )
