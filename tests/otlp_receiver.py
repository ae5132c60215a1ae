"""A receiver of spans, as a collector is: takes what is sent by OTLP over HTTP, or refuses it, or hangs."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client import CollectorRegistry

from shared.tracing.spans import Tracer
from shared.tracing.switch import tracing


@dataclass(frozen=True, slots=True)
class ReceivedSpan:
    """A span; ids in hexadecimal digits, `parent` "" where it has none."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    links: tuple[str, ...]
    began_ns: int
    ended_ns: int
    told: dict[str, Any]
    is_failed: bool


class OtlpReceiver(ThreadingHTTPServer):
    """`status` is what it answers; while `let_go` is clear it says nothing."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Desk)
        self.status = 200
        self.let_go = threading.Event()
        self.let_go.set()
        self.num_asked = 0
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []

    @property
    def url(self) -> str:
        """For `OTEL_EXPORTER_OTLP_ENDPOINT`."""
        return f"http://127.0.0.1:{self.server_port}"

    def spans(self, name: str = "") -> list[ReceivedSpan]:
        """All of that name, in the order in which they began."""
        found = [span for body in list(self.bodies) for span in _spans_in(body) if name in {"", span.name}]
        return sorted(found, key=lambda span: span.began_ns)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes is no error."""


class _Desk(BaseHTTPRequestHandler):
    server: OtlpReceiver
    protocol_version = "HTTP/1.1"  # connections are kept, as by any collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.num_asked += 1
        self.server.let_go.wait()
        if self.server.status == 200 and self.path == "/v1/traces":
            self.server.bodies.append(body)
            self.server.headers.append(dict(self.headers))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """Says nothing."""


def _spans_in(body: bytes) -> Iterator[ReceivedSpan]:
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        service = _told(resource.resource.attributes)["service.name"]
        for span in (span for scope in resource.scope_spans for span in scope.spans):
            yield ReceivedSpan(
                service=service,
                name=span.name,
                trace=span.trace_id.hex(),
                id=span.span_id.hex(),
                parent=span.parent_span_id.hex(),
                links=tuple(link.span_id.hex() for link in span.links),
                began_ns=span.start_time_unix_nano,
                ended_ns=span.end_time_unix_nano,
                told=_told(span.attributes),
                is_failed=span.status.code == span.status.STATUS_CODE_ERROR,
            )


def _told(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}


@contextmanager
def otlp_receiver() -> Iterator[OtlpReceiver]:
    """Listens as long as the block runs."""
    with OtlpReceiver() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.let_go.set()
            server.shutdown()
            thread.join()


@contextmanager
def tracing_to(
    url: str, monkeypatch: pytest.MonkeyPatch, registry: CollectorRegistry | None = None, **variables: str
) -> Iterator[Tracer]:
    """Spans of this process go there; at the block's end all have."""
    for name, value in {"OTEL_EXPORTER_OTLP_ENDPOINT": url, **variables}.items():
        monkeypatch.setenv(name, value)
    with tracing("test", "test-1", registry or CollectorRegistry()) as tracer:
        assert tracer
        yield tracer
