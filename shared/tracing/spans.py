"""Spans as the stages know them, and the `traceparent` by which one stage names its span to the next."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, Protocol

TRACEPARENT: Final = re.compile(rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f][13579bdf]")
"""Of a span that is recorded, as W3C's Trace Context writes it: 55 bytes."""

Told = str | int | float | bool

trace_id: ContextVar[str | None] = ContextVar("trace_id", default=None)
"""Of the span under way, where one is: lines of the log name it."""


class StageSpan(Protocol):
    """A stage's part of a trace, under way until it is ended; one that never is is told to nobody."""

    traceparent: str

    def end(self, at_ns: int | None = None, fault: str | None = None) -> None:
        """Is over, now or at a time in nanoseconds since 1970; `fault` is the kind of error that it ended with."""


class Tracer(Protocol):
    """Begins spans; for any thread."""

    def begin(
        self,
        name: str,
        parent: str | None = None,
        links: Sequence[str] = (),
        told: Mapping[str, Told] | None = None,
        at_ns: int | None = None,
    ) -> StageSpan | None:
        """A span after the one that `parent` names, else of a trace of its own; None where it is not to be recorded.

        It began now, or at a time in nanoseconds since 1970.

        `told` become attributes: none may hold a source, a receiver's URL or anything else that may be a secret.
        """


def known_traceparent(written: bytes | None) -> str | None:
    """What a stage before this one wrote, None where that is nothing, or no `traceparent` of a recorded span."""
    return written.decode() if written and TRACEPARENT.fullmatch(written) else None


def trace_id_of(traceparent: str) -> str:
    """The id of the trace, 32 hexadecimal digits."""
    return traceparent[3:35]


@contextmanager
def under_way(traceparent: str | None) -> Iterator[None]:
    """What is logged meanwhile names the trace, if there is one."""
    if traceparent is None:
        yield
        return
    token = trace_id.set(trace_id_of(traceparent))
    try:
        yield
    finally:
        trace_id.reset(token)
