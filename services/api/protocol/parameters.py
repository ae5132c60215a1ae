"""Parameters that several routes share, each with its bounds."""

from typing import Annotated

from fastapi import Depends, Path, Query, Request

from services.api.protocol.middleware import HEAD_ONLY
from shared.manifest import LABEL
from shared.streams import STREAM_ID_PATTERN, Group, StreamId, Tag

MAX_MS = 1 << 53
MAX_VALUES = 100
TEXT_PATTERN = r"^[^\x00-\x1f\x7f]+$"
EVENT_ID_PATTERN = r"^[A-Za-z0-9_-]{1,64}\.[a-z0-9_]{1,40}\.[0-9]{1,16}$"

StreamIdPath = Annotated[str, Path(pattern=STREAM_ID_PATTERN, examples=["front-door"])]
TargetIdPath = Annotated[str, Path(pattern=STREAM_ID_PATTERN, examples=["home"])]
EventIdPath = Annotated[str, Path(pattern=EVENT_ID_PATTERN, examples=["front-door.moved.1753430000125"])]
LabelText = Annotated[str, Query(pattern=LABEL.pattern)]
StreamIdsQuery = Annotated[
    list[StreamId] | None, Query(alias="stream_id", max_length=MAX_VALUES, description="these streams; default: all")
]
LabelsQuery = Annotated[
    list[LabelText] | None, Query(alias="label", max_length=MAX_VALUES, description="these labels; default: all")
]
GroupsQuery = Annotated[
    list[Group] | None, Query(alias="group", max_length=MAX_VALUES, description="of streams in one of these groups")
]
TagsQuery = Annotated[
    list[Tag] | None, Query(alias="tag", max_length=MAX_VALUES, description="of streams that have all of these tags")
]
TextQuery = Annotated[
    str | None,
    Query(min_length=1, max_length=200, pattern=TEXT_PATTERN, description="what holds this text, in any case"),
]
SinceMs = Annotated[int, Query(ge=0, le=MAX_MS, description="from this time on, in ms since 1970")]
UntilMs = Annotated[int, Query(ge=0, le=MAX_MS, description="before this time, in ms since 1970")]
Cursor = Annotated[str | None, Query(max_length=512, description="`next` of the page before")]


def _is_head(request: Request) -> bool:
    return bool(getattr(request.state, HEAD_ONLY, False))


IsHead = Annotated[bool, Depends(_is_head)]
"""Whether nobody gets the answer's body: one without end had better not begin."""
