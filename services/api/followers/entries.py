"""What lies in a partition's feed."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.entries import EntryId
from shared.life.marks import EventMarks
from shared.tracing.spans import known_traceparent

UNMARKED: Final = EventMarks().model_dump_json().encode()

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """One transition of one event; `event` is its JSON with what people said of it.

    Where it opened in a span, `traceparent` is that one's.
    """

    partition: int
    entry_id: EntryId
    kind: str
    stream_id: str
    label: str
    event: str
    traceparent: str | None = None


def parse_entry(partition: int, entry_id: bytes, fields: Mapping[bytes, bytes]) -> FeedEntry:
    """An entry of the feed; one that makes no sense has no kind, so that it is passed and nobody wants it."""
    try:
        event, marks = fields[b"event"].decode(), fields.get(b"marks", UNMARKED).decode()
        parsed: dict[str, Any] = json.loads(event)
        event = f"{event[:-1]},{marks[1:]}"
        kind, stream_id, label = fields[b"kind"].decode(), parsed["stream_id"], parsed["label"]
    except (KeyError, TypeError, ValueError):
        extra = {"partition": partition}
        log.warning("partition %d: feed entry %s cannot be read", partition, entry_id.decode(), extra=extra)
        kind, stream_id, label, event = "", "", "", ""
    traceparent = known_traceparent(fields.get(b"traceparent"))
    return FeedEntry(partition, EntryId.parse(entry_id), kind, stream_id, label, event, traceparent)
