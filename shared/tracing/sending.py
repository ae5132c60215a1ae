"""Spans of OpenTelemetry, sent by OTLP over HTTP from a thread of their own. The one room that loads its library."""

import logging
import os
import threading
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)
from opentelemetry.trace import Span as LibrarySpan
from prometheus_client import CollectorRegistry, Counter

from shared.tracing.asked import TIMEOUTS
from shared.tracing.spans import Told

KINDS: Final = {
    "ingest.publish": SpanKind.PRODUCER,
    "worker.batch": SpanKind.CONSUMER,
    "deliver": SpanKind.CLIENT,
}
"""Of spans that reach beyond their process."""
SEND_SECONDS: Final = 2.0
"""For a batch of spans, retries included, unless `OTEL_EXPORTER_OTLP_TIMEOUT` says otherwise."""
CLOSING_SECONDS: Final = 0.8
"""For what is left at the end of the process."""

log = logging.getLogger(__name__)


class SentSpan:
    """A span that is sent once it is ended."""

    def __init__(self, span: LibrarySpan) -> None:
        self._span = span
        context = span.get_span_context()
        self.traceparent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

    def end(self, at_ns: int | None = None, fault: str | None = None) -> None:
        """Is over; see `StageSpan`."""
        if fault:
            self._span.set_attribute("error.type", fault)
            self._span.set_status(StatusCode.ERROR)
        self._span.end(at_ns)


class Sending:
    """Begins spans, and sends in the background those that have ended; what cannot be sent is counted and let go.

    It is not the library's global tracer: what other libraries would tell by that, as a web framework of its requests,
    is neither asked for nor sure to be free of secrets.
    """

    def __init__(self, service: str, worker: str, registry: CollectorRegistry) -> None:
        """Raises ValueError, RuntimeError or OSError where the environment's settings are not the library's."""
        _silence()
        self._exporter = WatchedExporter(registry)
        defaults = {"service.name": f"afterimage-{service}", "service.instance.id": worker}
        self._provider = TracerProvider(
            resource=Resource(defaults).merge(OTELResourceDetector().detect()), shutdown_on_exit=False
        )
        self._provider.add_span_processor(CountedSpans(self._exporter, registry))
        self._tracer = self._provider.get_tracer("afterimage", version("afterimage"))

    def begin(
        self,
        name: str,
        parent: str | None = None,
        links: Sequence[str] = (),
        told: Mapping[str, Told] | None = None,
        at_ns: int | None = None,
    ) -> SentSpan | None:
        """A span; see `Tracer`."""
        context = set_span_in_context(NonRecordingSpan(_context_of(parent)), Context()) if parent else Context()
        span = self._tracer.start_span(
            name,
            context,
            KINDS.get(name, SpanKind.INTERNAL),
            {f"afterimage.{each}": value for each, value in (told or {}).items()},
            [Link(_context_of(each)) for each in links],
            at_ns,
        )
        return SentSpan(span) if span.is_recording() else None

    def close(self) -> None:
        """Sends what is left, as far as that goes in a moment."""
        closing = threading.Thread(target=self._provider.shutdown, name="last spans", daemon=True)
        closing.start()
        if not self._exporter.is_away:
            closing.join(CLOSING_SECONDS)


class CountedSpans(BatchSpanProcessor):
    """The library's own queue of spans to be sent, bounded, and counted."""

    def __init__(self, exporter: SpanExporter, registry: CollectorRegistry) -> None:
        super().__init__(exporter)
        self._ended = Counter("afterimage_spans_ended_total", "Spans that were to be sent", registry=registry)

    def on_end(self, span: ReadableSpan) -> None:
        """Takes one; a full queue loses its oldest."""
        self._ended.inc()
        super().on_end(span)


class WatchedExporter(SpanExporter):
    """Sends spans, counts them, and says once that their receiver is away, and once that it is back."""

    def __init__(self, registry: CollectorRegistry) -> None:
        is_set = any(os.environ.get(name) for name in TIMEOUTS)
        self._exporter = OTLPSpanExporter(timeout=None if is_set else SEND_SECONDS)
        self._sent = Counter("afterimage_spans_sent_total", "Spans that their receiver took", registry=registry)
        self._words = _LastWords()
        self.is_away = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Sends a batch; for the library's own thread."""
        outcome = self._exporter.export(spans)
        was_away, self.is_away = self.is_away, outcome is not SpanExportResult.SUCCESS
        if not self.is_away:
            self._sent.inc(len(spans))
        if self.is_away and not was_away:
            log.warning("spans are lost: their receiver does not take them: %s", self._words.said)
        elif was_away and not self.is_away:
            log.warning("spans arrive again")
        return outcome

    def shutdown(self) -> None:
        """Sends nothing more."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]


class _LastWords(logging.Handler):
    """Keeps why the library failed to send, last: the kind of it alone, as its words may hold the receiver's URL."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said = "it does not say why"
        logger = logging.getLogger(OTLPSpanExporter.__module__)
        logger.handlers = [self]

    def emit(self, record: logging.LogRecord) -> None:
        """Notes the line."""
        for each in record.args or ():
            if isinstance(each, int) and 100 <= each < 600:
                self.said = f"HTTP status {each}"
            elif isinstance(each, Exception):
                self.said = type(each).__name__


def _silence() -> None:
    """The library logs per batch, and what it refuses as it stands, such as headers that hold a key."""
    logger = logging.getLogger("opentelemetry")
    logger.propagate, logger.handlers = False, [logging.NullHandler()]


def _context_of(traceparent: str) -> SpanContext:
    _, trace, span, flags = traceparent.split("-")
    return SpanContext(int(trace, 16), int(span, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))
