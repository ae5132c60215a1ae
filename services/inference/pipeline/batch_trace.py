"""What is told of a batch in which frames are traced: its stages, and the events that those frames open.

The batch is told of in the trace of the first such frame, and linked to the spans that published each. An event is told
of in the trace of the frame that opens it, and linked to the batch.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Self

from services.inference.models.runner import Laps
from shared.entries import Frame
from shared.events import Event
from shared.tracing.spans import StageSpan, Told, Tracer, under_way


class BatchTrace:
    """The spans of one batch, which it takes along from thread to thread."""

    def __init__(self, tracer: Tracer, span: StageSpan) -> None:
        self._tracer = tracer
        self._span = span
        self.traceparent = span.traceparent
        self._opened: defaultdict[str, dict[str, StageSpan]] = defaultdict(dict)
        """Stream → event → its span."""

    @classmethod
    def of(cls, tracer: Tracer, traced: Sequence[str], told: Mapping[str, Told]) -> Self | None:
        """A batch with such frames begins; None where it is not to be recorded."""
        span = tracer.begin("worker.batch", traced[0], traced, told)
        return cls(tracer, span) if span else None

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """A stage of the batch, as long as the block takes; lines of the log name the trace."""
        span = self._tracer.begin(name, self.traceparent)
        with under_way(self.traceparent):
            yield
        if span:
            span.end()

    def computed(self, laps: Laps | None) -> None:
        """What the model took for its parts, where it took the batch as a whole."""
        if laps is None:
            return
        for name, began_ns, ended_ns in (
            ("encode", laps.began_ns, laps.encoded_ns),
            ("step", laps.encoded_ns, laps.stepped_ns),
        ):
            if span := self._tracer.begin(name, self.traceparent, at_ns=began_ns):
                span.end(ended_ns)

    def note(self, frame: Frame, transitions: Iterable[tuple[str, Event]]) -> None:
        """What opened and closed by a frame: where that is traced, a span begins for each event that opened."""
        if not frame.traceparent:
            return
        for event in (event for kind, event in transitions if kind == "opened"):
            told = {"stream_id": event.stream_id, "label": event.label, "event_id": event.id}
            if span := self._tracer.begin("event.open", frame.traceparent, [self.traceparent], told):
                self._opened[event.stream_id][event.id] = span

    def opened_of(self, stream_id: str) -> Mapping[str, str]:
        """Event → its traceparent, for those of a stream that have a span."""
        opened = self._opened.get(stream_id, {})
        return {event_id: span.traceparent for event_id, span in opened.items()}

    def end(self, committed: Collection[str]) -> None:
        """The batch is over: of these streams all of it is stored."""
        for stream_id, opened in self._opened.items():
            for span in opened.values():
                span.end(fault=None if stream_id in committed else "refused")
        self._span.end()


def stage_of(trace: BatchTrace | None, name: str) -> AbstractContextManager[None]:
    """A stage of a batch that may be traced."""
    return trace.stage(name) if trace else nullcontext()
