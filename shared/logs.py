"""Log lines: one per state change, never one per frame, never a secret."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Literal

from shared.redaction import redact

LogFormat = Literal["text", "json"]


class RedactingFormatter(logging.Formatter):
    """Formats a record as text or as one JSON line, with credentials in URLs replaced."""

    def __init__(self, service: str, log_format: LogFormat) -> None:
        super().__init__(f"%(asctime)s {service} %(levelname)s %(message)s", "%H:%M:%S")
        self._service = service
        self._format = log_format

    def format(self, record: logging.LogRecord) -> str:
        """The record as one redacted line (a traceback keeps its own lines in text form)."""
        if self._format == "text":
            return redact(super().format(record))
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "service": self._service,
            "message": record.getMessage(),
        }
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return redact(json.dumps(fields))


def configure_logging(service: str, level: str, log_format: LogFormat) -> None:
    """Sends every record of this process to standard error in the given form."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(RedactingFormatter(service, log_format))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)
