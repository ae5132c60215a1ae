"""Parameters that several routes share, each with its bounds."""

from typing import Annotated

from fastapi import Path, Query

from shared.manifest import LABEL
from shared.streams import STREAM_ID_PATTERN

MAX_MS = 1 << 53
EVENT_ID_PATTERN = r"^[A-Za-z0-9_-]{1,64}\.[a-z0-9_]{1,40}\.[0-9]{1,16}$"

StreamIdPath = Annotated[str, Path(pattern=STREAM_ID_PATTERN, examples=["front-door"])]
TargetIdPath = Annotated[str, Path(pattern=STREAM_ID_PATTERN, examples=["home"])]
EventIdPath = Annotated[str, Path(pattern=EVENT_ID_PATTERN, examples=["front-door.moved.1753430000125"])]
StreamIdQuery = Annotated[str | None, Query(pattern=STREAM_ID_PATTERN, description="one stream; default: all")]
LabelQuery = Annotated[str | None, Query(pattern=LABEL.pattern, description="one label; default: all")]
SinceMs = Annotated[int, Query(ge=0, le=MAX_MS, description="from this time on, in ms since 1970")]
UntilMs = Annotated[int, Query(ge=0, le=MAX_MS, description="before this time, in ms since 1970")]
Cursor = Annotated[str | None, Query(max_length=512, description="`next` of the page before")]
