"""Metrics of one process for Prometheus, beside /healthz and /readyz, on a port of its own.

Two sources: the events of the log, counted by a structlog processor, so that log and metrics agree; and the
store, queried at each scrape for the state that all processes share. Names and labels are stable
(docs/metrics.md). No label holds an address: labels are codes, states and names of events.

https://prometheus.io/docs/practices/naming/
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from socketserver import ThreadingMixIn
from threading import Thread
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIEnvironment

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from structlog.typing import EventDict

from importer.metrics.certificate_metrics import CertificateMetrics
from importer.metrics.store_metrics import StoreMetrics
from importer.ports.monitoring import Observed
from importer.ports.process import InstallationFault
from providers.text import Text

LEG_BUCKETS_S: Final = (0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600)


class EventMetrics:
    """A structlog processor that counts every event, and the work of legs."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._events = Counter(
            "mailhaul_events", "Events of the log (docs/events.md).", ("event", "level"), registry=registry
        )
        self._legs = Histogram(
            "mailhaul_leg_seconds",
            "Length of a leg, by the state that it left its import in.",
            ("state",),
            buckets=LEG_BUCKETS_S,
            registry=registry,
        )
        self._messages = Counter(
            "mailhaul_messages_done",
            "Messages that were copied or found in the new mailbox.",
            registry=registry,
        )
        self._bytes = Counter(
            "mailhaul_bytes_copied", "Bytes of messages that were copied.", registry=registry
        )
        self._problems = Counter(
            "mailhaul_leg_problems",
            "Legs that ended with a problem (docs/errors.md).",
            ("problem",),
            registry=registry,
        )
        self._refusals = Counter(
            "mailhaul_refusals",
            "Messages that imports could not copy, counted when they end (docs/errors.md).",
            ("code",),
            registry=registry,
        )
        self._lease_losses = Counter(
            "mailhaul_lease_losses",
            "Legs that lost their lease: frozen, or cut off from the database.",
            registry=registry,
        )

        self._swept = Counter(
            "mailhaul_rows_swept",
            "Database rows whose lifetime was over, removed or cleared of personal data.",
            ("kind",),
            registry=registry,
        )

    def __call__(self, _logger: object, method: str, event: EventDict) -> EventDict:
        name = str(event.get("event", ""))
        self._events.labels(name if _is_name(name) else "other", method).inc()
        if name == "leg.finished":
            self._legs.labels(event["state"]).observe(event["seconds"])
            self._messages.inc(max(0, event["messages"]))
            self._bytes.inc(max(0, event["bytes"]))
            if event["problem"]:
                self._problems.labels(event["problem"]).inc()
        elif name == "records.swept":
            self._swept.labels(event["kind"]).inc(event["rows"])
        elif name == "import.ended":
            for code, number in event["refused"].items():
                self._refusals.labels(code).inc(number)
        elif name == "leg.lost_lease":
            self._lease_losses.inc()
        return event


class ProcessMetrics:
    """The metrics of this process: created before the log is configured, served once the store is open."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.observer = EventMetrics(self.registry)

    def serve(self, observed: Observed) -> str:
        """Serve /metrics, /healthz and /readyz in a thread until the process ends. Returns the URL.

        Raises InstallationFault if the port cannot be used.
        """
        self.registry.register(StoreMetrics(observed.store, observed.silence_allowed, observed.now))
        certificates = CertificateMetrics(observed.certificates)
        self.registry.register(certificates)

        def answer(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
            status, kind, body = _answered(environ.get("PATH_INFO", ""), self.registry, observed.faults)
            start(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
            return [body]

        host, port = self._address
        try:
            server = make_server(host, port, answer, server_class=_Server, handler_class=_SilentHandler)
        except OSError as error:
            reason = error.strerror or str(error)
            text = Text("installation.metrics_address", address=f"{host}:{port}", reason=reason)
            raise InstallationFault(text) from None
        certificates.watch()
        Thread(target=server.serve_forever, name="metrics", daemon=True).start()
        return f"http://{host}:{server.server_port}/metrics"


def _answered(
    path: str, registry: CollectorRegistry, ready: Callable[[], Mapping[str, str]]
) -> tuple[str, str, bytes]:
    plain = "text/plain; charset=utf-8"
    match path:
        case "/metrics":
            return "200 OK", CONTENT_TYPE_LATEST, generate_latest(registry)
        case "/healthz":
            return "200 OK", plain, b"ok"
        case "/readyz":
            faults = ready()
            lines = "".join(f"{part}: {reason}\n" for part, reason in faults.items()) or "ok"
            return ("503 Service Unavailable" if faults else "200 OK"), plain, lines.encode()
        case _:
            return "404 Not Found", plain, b"not found"


def _is_name(event: str) -> bool:
    """Whether it is a name, `noun.past_verb`, rather than an arbitrary sentence of a library."""
    return len(event) < 60 and event.replace(".", "").replace("_", "").isalpha() and event.isascii()


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _SilentHandler(WSGIRequestHandler):
    timeout = 10

    def log_message(self, *_args: Any) -> None:
        """No access log."""
