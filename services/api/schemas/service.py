"""What the api gives of the system: models, workers, health."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from services.api.schemas import service_examples as examples
from shared.manifest import InputSpec, Thresholds
from shared.store.keys import Role
from shared.streams import StreamState


class ModelView(BaseModel):
    """A model folder on this machine."""

    name: str
    usable: bool
    reason: str | None = Field(default=None, description="why it is not usable")
    reference: str | None = Field(default=None, description="name@first 8 hex digits of the weights' SHA-256")
    description: str | None = None
    labels: list[str] = Field(default_factory=list)
    fps: float | None = Field(default=None, description="the rate the model was trained at")
    input: InputSpec | None = None
    thresholds: dict[str, Thresholds] = Field(default_factory=dict, description="per label, defaults filled in")


class ModelList(BaseModel):
    """The models that streams can use."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [examples.MODEL]}]})

    items: list[ModelView]


class LabelMemory(BaseModel):
    """What memory is worth to a label, as the model's card has it: the same weights with it and without."""

    label: str
    ap_with_memory: float | None = Field(description="average precision over frames; null: not measured")
    ap_one_frame: float | None = Field(description="with the memory emptied before every frame")
    ap_shuffled: float | None = Field(description="with memory, over the frames of each video in a random order")
    f1_with_memory: float | None = Field(description="of events")
    f1_one_frame: float | None = Field(description="of events, with the memory emptied before every frame")
    needs: str = Field(description="what the card says that it needs: `memory and order`, `one frame is enough`, …")
    words: str | None = Field(description="the same in a sentence")


class ModelCard(BaseModel):
    """What a model is, in its makers' words."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.CARD]})

    name: str
    reference: str | None = Field(description="name@first 8 hex digits of the weights' SHA-256")
    sha256: str | None = Field(description="of the weights; null where the folder does not say")
    card: str | None = Field(description="the README.md of its folder, Markdown; null where there is none")
    is_cut: bool = Field(description="whether the card is longer than what is shown of it, 256 KiB")
    memory: list[LabelMemory] = Field(description="its table of what memory is for; empty where it has none")


class SecretsRotated(BaseModel):
    """What became of sources and targets when they were encrypted anew."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.ROTATED]})

    num_streams: int = Field(description="whose source is under the first key now")
    unreadable: list[str] = Field(description="streams whose source is encrypted with a key that is not here any more")
    num_targets: int = Field(description="whose URL and secret are under the first key now")
    unreadable_targets: list[str] = Field(description="those that are encrypted with a key that is not here any more")


class WorkerView(BaseModel):
    """A living worker, and its share of the work."""

    id: str
    role: Role
    silent_seconds: float = Field(description="since its last heartbeat")
    partitions: list[int] = Field(description="of those that streams are spread over, the ones that it owns")
    num_streams: int = Field(description="registered in these partitions")


class WorkerList(BaseModel):
    """The living workers, by role and id."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"num_partitions": 32, "items": [examples.WORKER]}]})

    num_partitions: int = Field(description="that streams are spread over, numbered from 0")
    items: list[WorkerView]


class RedisView(BaseModel):
    """A Redis server: how full it is, and whether what it holds outlives it."""

    node: str
    version: str
    used_bytes: int
    limit_bytes: int | None = Field(description="at which it refuses writes; null: it has no limit of its own")
    policy: str = Field(description="what it does at its limit; only `noeviction` loses nothing")
    persists: Literal["log", "snapshots", "nothing"] | None = Field(
        description="log: what was written a second ago is on its disk; null: it does not say"
    )
    is_writing_well: bool = Field(description="whether its last write to disk went well")


class MediaRoom(BaseModel):
    """What events' pictures and clips take."""

    used_bytes: int
    limit_bytes: int | None = Field(description="at which the oldest go; null: no recorder has ever run")


class SystemView(BaseModel):
    """How the system stands."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.SYSTEM]})

    version: str
    redis: list[RedisView] = Field(description="the one server, or each master of a cluster")
    num_streams: int
    max_streams: int = Field(description="how many may be registered")
    streams: dict[StreamState, int] = Field(description="how many are in which state; none: left out")
    media: MediaRoom


class Version(BaseModel):
    """Which Afterimage this is."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"version": "0.1.0"}]})

    version: str


class Health(BaseModel):
    """The process answers."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "ok"}]})

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """Redis answers and there is somebody to do the work."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"status": "ready", "workers": {"ingest": 1, "inference": 1}}]}
    )

    status: Literal["ready"] = "ready"
    workers: dict[str, int] = Field(description="role → number of living workers")
