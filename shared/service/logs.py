"""Log lines: one per state change, never one per frame, never a secret, and a flood is cut to a few.

What a line is about goes along as `extra={"stream_id": …}`: stream, partition, model, request. In JSON each is a field.
"""

import json
import logging
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Final, Literal

from shared.tracing.spans import trace_id
from shared.words.redaction import redact

LogFormat = Literal["text", "json"]

FIELDS: Final = ("stream_id", "partition", "model", "request_id", "repeated")
MAX_REPEATS: Final = 5
REPEAT_SECONDS: Final = 60.0
MAX_KNOWN_LINES: Final = 1024

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Of the request that is being answered, where one is."""


class RedactingFormatter(logging.Formatter):
    """Formats a record as text or as one JSON line, with what may be a secret replaced."""

    def __init__(
        self,
        service: str,
        log_format: LogFormat,
        worker: str | None = None,
        partition_of: Callable[[str], int | None] = lambda _: None,
    ) -> None:
        super().__init__(f"%(asctime)s {service} %(levelname)s %(message)s", "%H:%M:%S")
        self._service = service
        self._format = log_format
        self._worker = worker
        self._partition_of = partition_of

    def format(self, record: logging.LogRecord) -> str:
        """The record as one redacted line (a traceback keeps its own lines in text form)."""
        if self._format == "text":
            return redact(f"{super().format(record)}{_repeats(record)}")
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "service": self._service,
            "message": redact(f"{record.getMessage()}{_repeats(record)}"),
            "worker": self._worker,
            **self._about(record),
        }
        if record.exc_info:
            fields["traceback"] = redact(self.formatException(record.exc_info))
        return json.dumps({name: value for name, value in fields.items() if value is not None})

    def _about(self, record: logging.LogRecord) -> dict[str, object]:
        about: dict[str, object] = {name: getattr(record, name, None) for name in FIELDS}
        if about["request_id"] is None:
            about["request_id"] = request_id.get()
        about["trace_id"] = trace_id.get()
        stream_id = about["stream_id"]
        if isinstance(stream_id, str) and about["partition"] is None:
            about["partition"] = self._partition_of(stream_id)
        return about


def _repeats(record: logging.LogRecord) -> str:
    repeated = getattr(record, "repeated", 0)
    return f" (and {repeated} times more before)" if repeated else ""


class Repeats(logging.Filter):
    """Lets the same line through five times a minute, the next with how many were withheld.

    Lines are the same when logger, level and text are. Of the 1024 latest lines the counts are kept.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[str, int, str], tuple[float, int]] = OrderedDict()
        """Line → when its minute began, and how often it came since."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is to be seen."""
        line = record.name, record.levelno, record.getMessage()
        now = self._clock()
        with self._lock:
            began, count = self._known.pop(line, (now, 0))
            if now - began >= REPEAT_SECONDS:
                record.repeated = max(0, count - MAX_REPEATS) or None
                began, count = now, 0
            self._known[line] = began, count + 1
            if len(self._known) > MAX_KNOWN_LINES:
                self._known.popitem(last=False)
        return count < MAX_REPEATS


def configure_logging(
    service: str,
    level: str,
    log_format: LogFormat,
    worker: str | None = None,
    partition_of: Callable[[str], int | None] = lambda _: None,
) -> None:
    """Sends every record of this process to standard error in the given form; `worker` is its id among others."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(RedactingFormatter(service, log_format, worker, partition_of))
    handler.addFilter(Repeats())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for client in ("httpx", "httpcore", "urllib3"):  # they tell of each request, with the cookies that are answered
        logging.getLogger(client).setLevel(logging.WARNING)
