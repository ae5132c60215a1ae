"""Whether a process traces: by the names that OpenTelemetry gives such settings, and off unless they ask for it."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry

from shared.tracing.asked import is_wanted, problem_of
from shared.tracing.spans import Tracer

log = logging.getLogger(__name__)


@contextmanager
def tracing(service: str, worker: str, registry: CollectorRegistry) -> Iterator[Tracer | None]:
    """What the process begins spans with, until the block ends; None where it is not to trace, or cannot.

    What is wrong with these settings is a warning: they are often set for all programs of a machine alike.
    """
    if not is_wanted(os.environ):
        yield None
        return
    try:
        if problem := problem_of(os.environ):
            raise ValueError(problem)
        from shared.tracing.sending import Sending  # noqa: PLC0415  (what is not wanted is not loaded)

        sending = Sending(service, worker, registry)
    except ImportError:
        log.warning("nothing is traced: OTEL_… asks for it, and that needs pip install 'afterimage[tracing]'")
        yield None
        return
    except (ValueError, RuntimeError, OSError) as err:
        log.warning("nothing is traced: %s", err)
        yield None
        return
    log.info("spans are sent by OTLP")
    try:
        yield sending
    finally:
        sending.close()
