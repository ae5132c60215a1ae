"""Events as a file: JSON lines, CSV or ActivityNet's JSON, which `afterimage train` reads; written as it is read."""

import csv
import io
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel

from services.api.kept.history import EventQuery, History
from services.api.schemas.history import EventView
from shared.errors import SourceRefused
from shared.events import Event
from shared.life.event_desk import MarkedEvent
from shared.records import StreamRecord
from shared.sources import parse_source
from shared.store.registry import Registry

Format = Literal["jsonl", "csv", "activitynet"]
COLUMNS: Final = (*Event.model_fields, "feedback")
BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class FileKind:
    """How a form of export is called elsewhere."""

    media_type: str
    suffix: str


KINDS: Final[dict[Format, FileKind]] = {
    "jsonl": FileKind("application/x-ndjson", "jsonl"),
    "csv": FileKind("text/csv", "csv"),
    "activitynet": FileKind("application/json", "json"),
}


class Exporter:
    """Writes the events of some streams that a query gives. Its method raises StoreUnavailable, while it gives, too."""

    def __init__(self, history: History, registry: Registry, media_root: Path) -> None:
        self._history = history
        self._registry = registry
        self._media_root = media_root

    def export(self, form: Format, stream_ids: Sequence[str], query: EventQuery) -> Iterator[str]:
        """The file's text, in parts: newest event first, or video by video."""
        query = replace(query, limit=BATCH)
        match form:
            case "jsonl":
                return _lines(self._pages(stream_ids, query))
            case "csv":
                return _table(self._pages(stream_ids, query))
            case "activitynet":
                return self._videos(stream_ids, query)

    def _pages(self, stream_ids: Sequence[str], query: EventQuery) -> Iterator[list[MarkedEvent]]:
        place = query.after
        while True:
            events, place = self._history.events(stream_ids, replace(query, after=place))
            yield events
            if place is None:
                return

    def _videos(self, stream_ids: Sequence[str], query: EventQuery) -> Iterator[str]:
        """Recordings by their paths under the media root; cameras have none that could be named."""
        by_video: defaultdict[str, list[StreamRecord]] = defaultdict(list)
        for record in self._registry.records(stream_ids):
            if name := self._video_name(record):
                by_video[name].append(record)
        between = '{"version": "afterimage", "database": {'
        for name, records in sorted(by_video.items()):
            events = (event for record in records for event in self._of_its_file(record, query))
            seconds = max((record.status.duration_seconds or 0.0 for record in records), default=0.0)
            yield f"{between}\n{json.dumps(name)}: {json.dumps(_video(events, seconds))}"
            between = ","
        yield f"{between if not by_video else ''}\n}}}}\n"

    def _of_its_file(self, record: StreamRecord, query: EventQuery) -> Iterator[Event]:
        """Those not judged wrong since the stream has its source: a new one moves `base_ms` forward."""
        since_its_source = replace(query, since_ms=max(query.since_ms, record.spec.base_ms))
        for page in self._pages([record.spec.id], since_its_source):
            yield from (marked.event for marked in page if not _is_wrong(marked))

    def _video_name(self, record: StreamRecord) -> str | None:
        with suppress(SourceRefused, ValueError):
            source = parse_source(record.spec.source, self._media_root)
            if source.is_file:
                return Path(source.location).relative_to(self._media_root.resolve()).as_posix()
        return None


def _is_wrong(marked: MarkedEvent) -> bool:
    return marked.marks.feedback is not None and marked.marks.feedback.verdict == "wrong"


def _lines(pages: Iterator[list[MarkedEvent]]) -> Iterator[str]:
    """Events as the api shows them, without what was recorded of them."""
    for events in pages:
        yield "".join(f"{EventView.of(marked, None).model_dump_json(exclude={'media'})}\n" for marked in events)


def _table(pages: Iterator[list[MarkedEvent]]) -> Iterator[str]:
    """RFC 4180, with a header; what is null is empty."""
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(COLUMNS)
    for events in pages:
        rows.writerows(_row(marked) for marked in events)
        yield text.getvalue()
        text.seek(0)
        text.truncate()


def _row(marked: MarkedEvent) -> list[object]:
    """The event's fields, what has parts as JSON, and the verdict."""
    fields = [value.model_dump_json() if isinstance(value, BaseModel) else value for _, value in marked.event]
    return [*fields, marked.marks.feedback.verdict if marked.marks.feedback else None]


def _video(events: Iterator[Event], seconds: float) -> dict[str, Any]:
    """ActivityNet's entry of a video that is so long, 0.0 where nobody knows; events that are open have no end yet.

    What was found in several plays of it is one annotation.
    """
    closed = sorted(
        (segment, event.label)
        for event in events
        if event.ended_at_ms is not None and (segment := _segment(event, event.ended_at_ms, seconds))
    )
    annotations: list[dict[str, Any]] = []
    newest: dict[str, list[float]] = {}
    for segment, label in closed:
        if label in newest and segment[0] < newest[label][1]:
            newest[label][1] = max(newest[label][1], segment[1])
            continue
        newest[label] = segment
        annotations.append({"label": label, "segment": segment})
    return {**({"duration": seconds} if seconds else {}), "annotations": annotations}


def _segment(event: Event, ended_at_ms: int, seconds: float) -> list[float] | None:
    """From when to when in its video; None where that is no time at all."""
    start = event.media_started_seconds
    end = round(start + (ended_at_ms - event.started_at_ms) / 1000, 3)
    end = min(end, seconds) if seconds else end
    return [start, end] if end > start else None
