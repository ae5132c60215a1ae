"""Targets of delivery as the api shows and takes them."""

from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from services.api.delivery.channels.people import is_for_people
from services.api.delivery.outbox import Letter
from services.api.delivery.targets import LOCKED_TARGET, SIGNING_KEY, Target, TargetKind
from services.api.schemas import examples
from shared.life.delivery_rules import Severity
from shared.manifest import Label
from shared.sources import SEALED
from shared.streams import Group, StreamId
from shared.words.redaction import MASK, redact, shown_source
from shared.words.urls import URL, split_rest

SCHEMES: Final[dict[TargetKind, tuple[str, ...]]] = {"webhook": ("http", "https"), "mqtt": ("mqtt", "mqtts")}


def check_url(kind: TargetKind, url: str) -> None:
    """Raises ValueError where a URL is none for such targets."""
    if MASK in url:
        raise ValueError(f"holds {MASK}, which stands for what is not shown; give the whole URL")
    if kind == "apprise":
        if not is_for_people(url):
            raise ValueError("allowed are those that apprise knows, but for those of one's own desktop or log")
        return
    found = URL.fullmatch(url)
    parts = split_rest(found["rest"]) if found else None
    if not found or parts is None or found["scheme"].lower() not in SCHEMES[kind] or " " in url:
        raise ValueError(f"for {kind} allowed are {'://, '.join(SCHEMES[kind])}:// with a host")
    if int(parts.port or 1) not in range(1, 65536):
        raise ValueError("a port is a number from 1 to 65535")
    if kind == "mqtt" and set(parts.tail) & {"+", "#"}:
        raise ValueError("what ends a broker's URL is the beginning of topics, without + and #")


def _printable(url: str) -> str:
    if not url.isprintable():
        raise ValueError("allowed are printable characters")
    return url


TargetUrl = Annotated[str, Field(min_length=1, max_length=2048), AfterValidator(_printable)]
TargetSecret = Annotated[str, Field(pattern=SIGNING_KEY)]


class TargetWish(BaseModel):
    """What can be said of any target."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    streams: list[StreamId] = Field(default=[], max_length=256, description="events of these alone; none: of all")
    labels: list[Label] = Field(default=[], max_length=256, description="events of these labels alone; none: of all")
    groups: list[Group] = Field(default=[], max_length=16, description="events of streams in any; none: of all")
    severity: Severity | None = Field(default=None, description="events of this one alone; left out: of both")
    updates: bool = Field(default=False, description="also what people do: mark an event, keep it, delete it")
    enabled: bool = True


class TargetCreate(TargetWish):
    """A target to be."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        hide_input_in_errors=True,
        json_schema_extra={"examples": [examples.NEW_TARGET]},
    )

    id: StreamId
    kind: TargetKind = "webhook"
    url: TargetUrl = Field(description="where to; shown without what may be secret")
    secret: TargetSecret | None = Field(default=None, description="whsec_ and base64; left out: one is made")


class TargetPatch(BaseModel):
    """What changes of a target; what is left out stays."""

    model_config = ConfigDict(
        extra="forbid", strict=True, hide_input_in_errors=True, json_schema_extra={"examples": [{"enabled": False}]}
    )

    url: TargetUrl | None = None
    secret: TargetSecret | None = None
    streams: list[StreamId] | None = Field(default=None, max_length=256)
    labels: list[Label] | None = Field(default=None, max_length=256)
    groups: list[Group] | None = Field(default=None, max_length=16)
    severity: Severity | None = None
    updates: bool | None = None
    enabled: bool | None = None


class TargetView(TargetWish):
    """A target as it may be seen."""

    model_config = ConfigDict(
        extra="forbid", hide_input_in_errors=True, json_schema_extra={"examples": [examples.TARGET]}
    )

    id: StreamId
    kind: TargetKind
    url: str = Field(description="without what may be secret")
    created_at_ms: int
    reason: str | None = Field(
        default=None, description="why nothing is delivered, where nobody wanted it so; or why the last attempt failed"
    )

    @classmethod
    def of(cls, target: Target, *, trouble: str | None = None) -> Self:
        """The view of a stored target; `trouble` is what delivery workers say of it."""
        return cls(**_seen(target, trouble))


class TargetCreated(TargetView):
    """A target that was made, with its secret, which is never shown again."""

    model_config = ConfigDict(
        extra="forbid",
        hide_input_in_errors=True,
        json_schema_extra={"examples": [examples.MADE_TARGET]},
    )

    secret: str

    @classmethod
    def with_secret(cls, target: Target) -> Self:
        """The same with the secret."""
        return cls(**_seen(target), secret=target.secret)


def _seen(target: Target, trouble: str | None = None) -> dict[str, Any]:
    reason = LOCKED_TARGET if target.is_locked else target.gone or (trouble if target.enabled else None)
    seen = target.model_dump(include=Target.model_fields.keys() - {"secret", "url", "gone"})
    return {**seen, "url": _shown(target), "reason": reason}


def _shown(target: Target) -> str:
    """What may be seen of its URL: a webhook's path is often the secret itself, an apprise URL all of it."""
    if target.url == SEALED:
        return MASK
    if target.kind == "mqtt":
        return shown_source(target.url)
    found = URL.fullmatch(target.url)
    parts = split_rest(found["rest"]) if found and target.kind == "webhook" else None
    if not parts or parts.is_doubtful:
        return f"{target.url.partition('://')[0]}://{MASK}"
    origin = target.url[: len(target.url) - len(parts.tail)] if parts.tail not in ("", "/") else target.url
    return shown_source(origin) + (f"/{MASK}" if origin != target.url else "")


class TargetList(BaseModel):
    """All targets by id."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [examples.TARGET]}]})

    items: list[TargetView]


class TargetTested(BaseModel):
    """What came of a test."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"ok": False, "reason": "it answered 503"}]})

    ok: bool
    reason: str | None = Field(default=None, description="why the receiver did not take it")


class DeadLetterView(BaseModel):
    """A letter that was given up."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.DEAD_LETTER]})

    id: str
    stream_id: str
    kind: str
    event: str = Field(description="the event's JSON as it was to be delivered")
    reason: str

    @classmethod
    def of(cls, letter: Letter) -> Self:
        """The view of a dead letter."""
        return cls(
            id=letter_id(letter),
            stream_id=letter.stream_id,
            kind=letter.kind,
            event=letter.event,
            reason=redact(letter.why),
        )


def letter_id(letter: Letter) -> str:
    """A dead letter's id."""
    return f"{letter.partition}.{letter.entry_id}"


class DeadLetterList(BaseModel):
    """A target's dead letters, the oldest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [examples.DEAD_LETTER]}]})

    items: list[DeadLetterView]


class Replay(BaseModel):
    """Which dead letters are to be tried again."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"examples": [{"ids": ["3.1753516400190-0"]}]}
    )

    ids: list[str] | None = Field(default=None, max_length=1000, description="left out: all")


class Replayed(BaseModel):
    """How many were put back."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"replayed": 1}]})

    replayed: int = Field(description="those that are left had no room, or were none of the target's")
