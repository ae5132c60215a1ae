"""Whether a process traces: by the names that OpenTelemetry gives such settings, and off unless they ask for it."""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from prometheus_client import CollectorRegistry

from shared.tracing.spans import Tracer

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
EXPORTER: Final = "OTEL_TRACES_EXPORTER"
PROTOCOL: Final = "http/protobuf"

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


def is_wanted(environment: Mapping[str, str]) -> bool:
    """Whether spans are to go anywhere."""
    if _said(environment, "OTEL_SDK_DISABLED") == "true" or _said(environment, EXPORTER) == "none":
        return False
    return any(_said(environment, name) for name in (*ENDPOINTS, EXPORTER))


def problem_of(environment: Mapping[str, str]) -> str | None:
    """Which variable asks for what there is not here, and what is allowed."""
    if _said(environment, EXPORTER) not in {"", "otlp"}:
        return f"{EXPORTER}: allowed are otlp and none"
    for name in PROTOCOLS:
        if _said(environment, name) not in {"", PROTOCOL}:
            return f"{name}: allowed is {PROTOCOL}"
    return None


def _said(environment: Mapping[str, str], name: str) -> str:
    return environment.get(name, "").strip().lower()
