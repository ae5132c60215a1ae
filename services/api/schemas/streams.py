"""What the api takes and gives of streams, as pydantic models; a field's bounds are those of the stored spec."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from annotated_types import GroupedMetadata
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator
from pydantic.json_schema import SkipJsonSchema

from services.api.schemas import examples
from shared.life.delivery_rules import AS_LIST, LabelDelivery, Schedule
from shared.manifest import Label
from shared.records import StreamRecord
from shared.streams import Group, RtspTransport, StreamId, StreamSpec, StreamState, Tag, ThresholdOverride
from shared.words.redaction import redact, shown_source

END_MARKER = "-1"
OF_SOURCE = ("codec", "width", "height", "source_fps", "duration_seconds")
OF_SPEC = StreamSpec.model_fields.keys() - {"name", "source", "generation", "model_asks", "forgets", "revision"}


@dataclass(frozen=True)
class AsInSpec(GroupedMetadata):
    """Stands for the bounds that StreamSpec puts on a field."""

    name: str

    def __iter__(self) -> Iterator[object]:
        return iter(StreamSpec.model_fields[self.name].metadata)


def _enter_alone(value: object) -> object:
    """A plain number means the enter threshold."""
    return {"enter": value} if isinstance(value, int | float) and not isinstance(value, bool) else value


def _names_no_secret(name: str) -> str:
    if redact(name) != name:
        raise ValueError("reads like a URL or a login; allowed is what people call it")
    return name


def _is_printable(name: str) -> str:
    if not name.isprintable() or not name.strip():
        raise ValueError("holds what cannot be seen; allowed are printable characters on one line")
    return name


def _once_each(words: tuple[str, ...]) -> tuple[str, ...]:
    """In one order, so that the same words are the same."""
    return tuple(sorted(set(words)))


Name = Annotated[str, AsInSpec("name"), AfterValidator(_is_printable), AfterValidator(_names_no_secret)]
SourceText = Annotated[str, AsInSpec("source")]
SOURCE = (
    "an rtsp(s):// URL, an http(s):// URL of MJPEG, HLS or a video, device:0 (a camera of ingest's machine), or a "
    "video file under the media root"
)
Skip = Literal["none", "auto", "keyframes"]
Override = Annotated[ThresholdOverride, BeforeValidator(_enter_alone, json_schema_input_type=float | ThresholdOverride)]


class StreamOptions(BaseModel):
    """What both registration and change may set; null asks for the default."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    fps: Annotated[float, AsInSpec("fps")] | None = Field(
        default=None, description="frames per second to look at; default: the model's rate"
    )
    model: Annotated[str, AsInSpec("model")] | None = Field(
        default=None, description="a name of GET /v1/models; a change that names one takes up what its folder holds now"
    )
    pace: Literal["live", "fast"] | None = Field(
        default=None, description="live: as the clock, oldest frames dropped; fast: no frame lost, as quick as it goes"
    )
    loop: bool | None = Field(default=None, description="begin a file again when it ends")
    thresholds: Annotated[dict[Label, Override], AsInSpec("thresholds")] | None = Field(
        default=None, description="per label of the model: what differs from its manifest; a number means `enter`"
    )
    reset_after_seconds: Annotated[float, AsInSpec("reset_after_seconds")] | None = Field(
        default=None, description="a gap longer than this resets the stream's memory"
    )
    rtsp_transport: RtspTransport | None = Field(default=None, description="how RTSP media travels")
    skip: Skip | None = Field(
        default=None, description="pictures the decoder leaves out; auto: those that sampling does not need"
    )
    stall_seconds: Annotated[float, AsInSpec("stall_seconds")] | None = Field(
        default=None,
        description="how long a camera may give no picture before it is connected anew; default: ingest's setting, or "
        "three pictures' time at fps where that is longer",
    )
    tags: Annotated[tuple[Tag, ...], AsInSpec("tags"), AfterValidator(_once_each), AS_LIST] | None = Field(
        default=None, description="words to find it by: `outdoor`, `floor:2`"
    )
    paused: bool | None = Field(
        default=None, description="let go of the source; what is kept of the stream stays. See `pause` and `resume`"
    )
    transport_short_side: Annotated[int, AsInSpec("transport_short_side")] | None = Field(
        default=None,
        description="pixels of the shorter side of its pictures in the queue, so of its events' pictures and clips; "
        "default: ingest's setting",
    )
    offline_seconds: Annotated[float, AsInSpec("offline_seconds")] | None = Field(
        default=None, description="a camera that gives nothing for longer is away, which is an event; default: 30"
    )
    maintenance: bool | None = Field(default=None, description="events are recorded and not delivered; default: false")
    schedule: Schedule | None = Field(default=None, description="when events are delivered; default: always")
    delivery: Annotated[dict[Label, LabelDelivery], AsInSpec("delivery")] | None = Field(
        default=None, description="per label of the model, or `offline`: severity, cooldown and shortest duration"
    )
    base_ms: Annotated[int, AsInSpec("base_ms")] | None = Field(
        default=None, description="when a file's recording began, in ms since 1970; default: now"
    )
    groups: Annotated[tuple[Group, ...], AsInSpec("groups"), AfterValidator(_once_each), AS_LIST] | None = Field(
        default=None, description="what it has in common with others, such as a site; keys may be for some groups alone"
    )


class StreamPut(StreamOptions):
    """A stream as it is to be; what is left out is its default."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.STREAM_PUT]})

    name: Name
    source: SourceText = Field(description=SOURCE)


class StreamCreate(StreamPut):
    """A stream to register."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.STREAM_CREATE]})

    id: StreamId | None = Field(default=None, description="default: made from the name")


def _without_default(schema: dict[str, Any]) -> None:
    """What may be left out, and cannot be null."""
    schema.pop("default")


class StreamChange(StreamOptions):
    """What to change of a stream; what is left out stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.STREAM_CHANGE]})

    name: Name | SkipJsonSchema[None] = Field(default=None, json_schema_extra=_without_default)
    source: SourceText | SkipJsonSchema[None] = Field(
        default=None,
        description=f"{SOURCE}; given back as it is shown, it stays what it is",
        json_schema_extra=_without_default,
    )

    @field_validator("name", "source", mode="after")
    @classmethod
    def _not_null(cls, value: str | None) -> str:
        if value is None:
            raise ValueError("must be text; leave it out to keep what is set")
        return value


class StreamView(BaseModel):
    """A stream: what was asked for and where it stands.

    Of a source, user info, values of parameters, and what may be a secret in its path are shown as `***`.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [examples.STREAM]})

    id: str
    name: str
    groups: tuple[str, ...] = ()
    source: str
    fps: float
    fps_given: bool = Field(description="whether fps was chosen; otherwise it is the model's rate")
    model: str
    running_model: str | None = Field(
        description="name@hash8 of the model that looks at it; another than asked for while that is loaded, or if it "
        "cannot be (see reason)"
    )
    pace: Literal["live", "fast"]
    loop: bool
    thresholds: dict[str, ThresholdOverride]
    reset_after_seconds: float
    rtsp_transport: RtspTransport
    skip: Skip
    stall_seconds: float | None = None
    tags: tuple[str, ...] = ()
    paused: bool = False
    transport_short_side: int | None = None
    offline_seconds: float = 30.0
    maintenance: bool = False
    schedule: Schedule | None = None
    delivery: dict[str, LabelDelivery] = Field(default_factory=dict)
    base_ms: int
    created_at_ms: int
    state: StreamState
    reason: str | None = Field(description="why it is in this state, where there is something to say")
    next_attempt_at_ms: int | None = Field(default=None, description="when a source that gives nothing is tried again")
    finished: bool = Field(description="ended or failed for good, and everything that was published has been looked at")
    epoch: int = Field(description="number of the current (re)connection of the source, from 1")
    frames_published: int
    frames_processed: int
    frames_dropped: int = Field(
        description="never looked at: lost before they reached the queue, or gone from a full one"
    )
    lag_frames: int = Field(description="published and not yet looked at")
    last_frame_at_ms: int | None
    codec: str | None = Field(description="of the source, as FFmpeg names it")
    width: int | None = Field(description="of the source, in pixels")
    height: int | None = Field(description="of the source, in pixels")
    source_fps: float | None
    duration_seconds: float | None = Field(description="of a file; null for live sources")

    @classmethod
    def of(cls, record: StreamRecord) -> "StreamView":
        """The record as the api shows it."""
        spec, status = record.spec, record.status
        state, reason = standing_of(record)
        return cls(
            **spec.model_dump(include=OF_SPEC),
            **status.model_dump(include={"epoch", "last_frame_at_ms", "next_attempt_at_ms", *OF_SOURCE}),
            name=redact(spec.name),
            source=shown_source(spec.source),
            running_model=record.inference.model,
            state=state,
            reason=redact(reason) if reason else None,
            finished=_is_finished(record, state),
            frames_published=record.frames_published,
            frames_processed=record.progress.frames_processed,
            frames_dropped=record.frames_dropped,
            lag_frames=record.lag_frames,
        )


def standing_of(record: StreamRecord) -> tuple[StreamState, str | None]:
    """State and reason; a stream that nobody or no model can look at has failed, whatever its source does."""
    status, inference = record.status, record.inference
    if record.problem:
        return StreamState.FAILED, record.problem
    if inference.reason and inference.model is None:
        return StreamState.FAILED, inference.reason
    return status.state, "; ".join(filter(None, (status.reason, inference.reason))) or None


def _is_finished(record: StreamRecord, state: StreamState) -> bool:
    over = state in {StreamState.ENDED, StreamState.FAILED} and record.status.next_attempt_at_ms is None
    at_rest = over and record.lag_frames == 0
    return at_rest and (record.progress.cursor.endswith(END_MARKER) or record.frames_published == 0)


class StreamPage(BaseModel):
    """Streams in the order of their ids."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [examples.STREAM], "next": "eWFyZC1tb25kYXk"}]})

    items: list[StreamView]
    next: str | None = Field(description="cursor of the next page; null on the last")


class GroupView(BaseModel):
    """A group, and how many streams are in it."""

    name: str
    num_streams: int


class GroupList(BaseModel):
    """Groups by name."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [{"name": "north", "num_streams": 12}]}]})

    items: list[GroupView]
