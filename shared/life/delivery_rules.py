"""What is delivered of a stream's events, and how urgent it is: what the user wants of it, and what that says of one.

Pure policy. Whatever is not delivered is recorded all the same.
"""

from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Final, Literal, NamedTuple, Protocol
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: Final[tuple[Day, ...]] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MAX_HOURS: Final = 28
MAX_SECONDS: Final = 86_400
AS_LIST: Final = Strict(False)  # noqa: FBT003
"""Of a tuple: a list is taken for it, as JSON has no other."""

Severity = Literal["alert", "notice"]
Withheld = Literal["maintenance", "schedule", "cooldown", "too_short"]


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as err:
        raise ValueError("no such time zone; allowed are names of the tz database, as Europe/Berlin") from err
    return name


ClockTime = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
ZoneName = Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z][A-Za-z0-9_+/-]*$"), AfterValidator(_known_zone)]


class Wish(BaseModel):
    """A part of what a user wants of delivery."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class WishPart(Wish):
    """Takes no value of another type: it comes as it is in a request."""

    model_config = ConfigDict(strict=True)


class Hours(WishPart):
    """Hours of some days, by the clock on the wall; those that end no later than they begin run past midnight."""

    days: Annotated[tuple[Day, ...], AS_LIST] = Field(
        default=DAYS, min_length=1, max_length=len(DAYS), description="on which they begin"
    )
    begin: ClockTime = Field(default="00:00", description="HH:MM")
    end: ClockTime = Field(default="00:00", description="HH:MM; that itself is outside")

    def hold(self, at: datetime) -> bool:
        """Whether they hold at that local time."""
        clock, begin, end = at.time(), time.fromisoformat(self.begin), time.fromisoformat(self.end)
        today, yesterday = (DAYS[(at - timedelta(days=past)).weekday()] in self.days for past in (0, 1))
        if begin < end:
            return today and begin <= clock < end
        return (today and clock >= begin) or (yesterday and clock < end)


class Schedule(WishPart):
    """When events are delivered: those that begin in any of these hours."""

    time_zone: ZoneName = "UTC"
    hours: Annotated[tuple[Hours, ...], AS_LIST] = Field(min_length=1, max_length=MAX_HOURS)

    def holds(self, at_ms: int) -> bool:
        """Whether events that begin then are delivered."""
        at = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(self.time_zone))
        return any(hours.hold(at) for hours in self.hours)


class LabelDelivery(WishPart):
    """How events of one label are delivered."""

    severity: Severity = "alert"
    cooldown_seconds: float = Field(
        default=0, ge=0, le=MAX_SECONDS, description="from the start of one that was delivered, no other is"
    )
    min_seconds: float = Field(default=0, ge=0, le=MAX_SECONDS, description="no shorter one is delivered")


class DeliveryWish(Wish):
    """What the user wants of delivering a stream's events."""

    maintenance: bool = Field(default=False, description="events are recorded and not delivered")
    schedule: Schedule | None = Field(default=None, description="when they are delivered; default: always")
    delivery: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")], LabelDelivery] = Field(
        default_factory=dict, max_length=257, description="per label, `offline` among them"
    )

    def of_label(self, label: str) -> LabelDelivery:
        """What is wanted of a label's events."""
        return self.delivery.get(label, LabelDelivery())


class Happening(Protocol):
    """What must be known of an event."""

    @property
    def label(self) -> str:
        """What happened."""

    @property
    def started_at_ms(self) -> int:
        """When it began."""

    @property
    def ended_at_ms(self) -> int | None:
        """When it ended; None while it is open."""


class DeliveryVerdict(NamedTuple):
    """Whether an event is to be delivered: `withheld` says why not.

    `due_at_ms` is when it may be at the earliest; an open event for which that is still to come is asked about again
    then, or when it closes.
    """

    severity: Severity
    withheld: Withheld | None
    due_at_ms: int


def verdict(event: Happening, wish: DeliveryWish, delivered_at_ms: int | None = None) -> DeliveryVerdict:
    """What becomes of an event by what the user wants now.

    `delivered_at_ms` is the start of the newest other event of its stream and label that was delivered, if any. The
    answer goes by the event's start, so it is the same when it opens and when it closes; but one that is open is never
    `too_short` yet.
    """
    wanted = wish.of_label(event.label)
    due_at_ms = event.started_at_ms + round(wanted.min_seconds * 1000)
    withheld: Withheld | None = None
    if wish.maintenance:
        withheld = "maintenance"
    elif wish.schedule and not wish.schedule.holds(event.started_at_ms):
        withheld = "schedule"
    elif event.ended_at_ms is not None and event.ended_at_ms < due_at_ms:
        withheld = "too_short"
    elif delivered_at_ms is not None and _is_near(event.started_at_ms - delivered_at_ms, wanted.cooldown_seconds):
        withheld = "cooldown"
    return DeliveryVerdict(wanted.severity, withheld, due_at_ms)


def _is_near(passed_ms: int, seconds: float) -> bool:
    return 0 <= passed_ms < seconds * 1000
