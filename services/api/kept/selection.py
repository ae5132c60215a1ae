"""Which streams a list is about: some ids, groups, tags, or those whose id or name holds a text."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Depends, Query

from services.api.context import Context
from services.api.kept.history import EventQuery
from services.api.kept.known import KnownStream, KnownStreams
from services.api.protocol.parameters import (
    MAX_MS,
    MAX_VALUES,
    GroupsQuery,
    LabelsQuery,
    SinceMs,
    StreamIdsQuery,
    TagsQuery,
    TextQuery,
    UntilMs,
)
from services.api.security.access import CallerOf
from services.api.security.keys import Caller
from services.api.security.sight import see
from shared.life.delivery_rules import Severity
from shared.life.event_desk import MarkedEvent
from shared.life.marks import Judgement
from shared.store.registry import Registry

EventStatesQuery = Annotated[
    list[Literal["open", "closed"]] | None, Query(alias="state", max_length=2, description="in one of these states")
]
SeveritiesQuery = Annotated[
    list[Severity] | None, Query(alias="severity", max_length=MAX_VALUES, description="of one of these")
]
FeedbackQuery = Annotated[
    list[Judgement | Literal["none"]] | None,
    Query(alias="feedback", max_length=3, description="judged so; `none`: by nobody"),
]


ReviewedQuery = Annotated[
    bool | None, Query(alias="reviewed", description="those that the caller has reviewed, or has not")
]


@dataclass(frozen=True, slots=True)
class StreamSelection:
    """Streams that have one of the ids, are in one of the groups and have all of the tags; None: whatever it is."""

    stream_ids: Collection[str] | None = None
    groups: Collection[str] | None = None
    tags: Collection[str] | None = None
    text: str | None = None

    def ids(self, caller: Caller, registry: Registry, known: KnownStreams) -> list[str]:
        """The ids of those that are there for a caller.

        Raises StreamUnknown where one that is named is not, and StoreUnavailable.
        """
        if self.stream_ids:
            ids = see(caller, registry, self.stream_ids)
        else:
            ids = known.in_groups(caller.groups) if caller.groups else known.ids()
        if not (self.groups or self.tags or self.text):
            return ids
        streams = known.all()
        return [stream_id for stream_id in ids if stream_id in streams and self._fits(streams[stream_id])]

    def _fits(self, stream: KnownStream) -> bool:
        in_groups = not self.groups or bool(set(self.groups) & set(stream.groups))
        has_tags = set(self.tags or ()) <= set(stream.tags)
        return in_groups and has_tags and (self.text is None or self.text.casefold() in stream.words)


@dataclass(frozen=True, slots=True)
class EventSearch:
    """The streams whose events are looked at, and the query, as wide as a request names it."""

    stream_ids: list[str]
    query: EventQuery


def _selection(
    stream_id: StreamIdsQuery = None, group: GroupsQuery = None, tag: TagsQuery = None, text: TextQuery = None
) -> StreamSelection:
    return StreamSelection(stream_id, group, tag, text)


def _event_search(  # noqa: PLR0913  (a request's parameters)
    context: Context,
    caller: CallerOf,
    stream_id: StreamIdsQuery = None,
    label: LabelsQuery = None,
    state: EventStatesQuery = None,
    severity: SeveritiesQuery = None,
    feedback: FeedbackQuery = None,
    reviewed: ReviewedQuery = None,
    group: GroupsQuery = None,
    tag: TagsQuery = None,
    text: TextQuery = None,
    since_ms: SinceMs = 0,
    until_ms: UntilMs = MAX_MS,
) -> EventSearch:
    """`text` looks in a stream's id and name, and in the label."""
    stream_ids = StreamSelection(stream_id, group, tag).ids(caller, context.registry, context.known)
    telling = {each.id for each in context.known.all().values() if text.casefold() in each.words} if text else set()

    def is_wanted(event_stream_id: str, event_label: str) -> bool:
        of_label = label is None or event_label in label
        return of_label and (text is None or event_stream_id in telling or text.casefold() in event_label)

    def fits(marked: MarkedEvent) -> bool:
        event, judged = marked.event, marked.marks.feedback
        is_judged_so = feedback is None or (judged.verdict if judged else "none") in feedback
        is_so_urgent = severity is None or event.severity in severity
        return is_judged_so and is_so_urgent and (state is None or event.state in state)

    def picks(event_ids: Sequence[str]) -> Collection[str]:
        done = context.reviews.among(caller, event_ids)
        return done if reviewed else set(event_ids) - done

    asks_more = state or severity or feedback
    query = EventQuery(
        since_ms,
        until_ms,
        1,
        wanted=is_wanted,
        picks=None if reviewed is None else picks,
        fits=fits if asks_more else None,
    )
    return EventSearch(stream_ids, query)


SelectionOf = Annotated[StreamSelection, Depends(_selection)]
EventSearchOf = Annotated[EventSearch, Depends(_event_search)]
