"""A receiver of OpenTelemetry traces over OTLP/HTTP, on loopback."""

from __future__ import annotations

import gzip
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Final

_MESSAGES: Final = "opentelemetry.proto.collector.trace.v1.trace_service_pb2"


@dataclass
class OtlpReceiver:
    """The received spans, each with its resource; `raw` holds all bytes."""

    url: str = ""
    spans: list[Any] = field(default_factory=list)
    resources: list[dict[str, str]] = field(default_factory=list)
    raw: bytes = b""

    def take(self, body: bytes) -> None:
        self.raw += body
        request = importlib.import_module(_MESSAGES).ExportTraceServiceRequest.FromString(body)
        for of_resource in request.resource_spans:
            facts = text_attributes(of_resource.resource)
            for scope in of_resource.scope_spans:
                self.resources += [facts] * len(scope.spans)
                self.spans += scope.spans


def text_attributes(of: Any) -> dict[str, str]:
    """The text attributes of a span or resource."""
    return {item.key: item.value.string_value for item in of.attributes}


@contextmanager
def otlp_receiver() -> Iterator[OtlpReceiver]:
    receiver = OtlpReceiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            assert self.path == "/v1/traces"
            receiver.take(body)
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
