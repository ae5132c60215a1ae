"""What of a stream's events is delivered: hours by the clock on the wall, urgency, and what holds one back."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from shared.life.delivery_rules import DeliveryVerdict, DeliveryWish, verdict


@dataclass(frozen=True)
class Event:
    label: str
    started_at_ms: int
    ended_at_ms: int | None = None


def at_ms(text: str, zone: str = "Europe/Berlin") -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def wish(**fields: Any) -> DeliveryWish:
    return DeliveryWish.model_validate(fields)


def in_hours(text: str, *hours: dict[str, Any]) -> bool:
    wanted = wish(schedule={"time_zone": "Europe/Berlin", "hours": hours})
    return verdict(Event("moved", at_ms(text)), wanted).withheld is None


NIGHTS = {"days": ["fri", "sat"], "begin": "22:00", "end": "06:00"}
OFFICE = {"days": ["mon"], "begin": "08:30", "end": "17:00"}


@pytest.mark.parametrize(
    ("at", "is_in"),
    [
        ("2026-11-23T08:29:59.999", False),  # a Monday
        ("2026-11-23T08:30", True),
        ("2026-11-23T16:59:59.999", True),
        ("2026-11-23T17:00", False),
        ("2026-11-24T09:00", False),
        ("2026-11-27T21:59", False),  # a Friday
        ("2026-11-27T22:00", True),
        ("2026-11-28T05:59", True),
        ("2026-11-28T06:00", False),
        ("2026-11-29T05:59", True),  # what began on Saturday
        ("2026-11-29T22:30", False),
        ("2026-03-29T03:00", True),  # a Sunday; two o'clock was none
        ("2026-10-25T02:30", True),
        ("2026-10-25T06:00", False),
    ],
)
def test_hours_are_those_of_the_clock_on_the_wall(at: str, is_in: bool) -> None:
    assert in_hours(at, OFFICE, NIGHTS) is is_in


def test_hours_without_bounds_are_whole_days() -> None:
    for clock in ("00:00", "12:00", "23:59:59.999"):
        assert in_hours(f"2026-11-28T{clock}", {"days": ["sat"]})
        assert not in_hours(f"2026-11-27T{clock}", {"days": ["sat"]})


def test_an_event_is_held_back_for_one_reason_alone() -> None:
    start = at_ms("2026-11-28T12:00")
    label = {"moved": {"severity": "notice", "cooldown_seconds": 60, "min_seconds": 5}}
    never = {"time_zone": "UTC", "hours": [{"days": ["mon"]}]}
    short, long = Event("moved", start, start + 4_999), Event("moved", start, start + 5_000)
    all_of_it = wish(maintenance=True, schedule=never, delivery=label)
    assert verdict(short, all_of_it, start - 1) == DeliveryVerdict("notice", "maintenance", start + 5_000)
    assert verdict(short, wish(schedule=never, delivery=label), start - 1).withheld == "schedule"
    wanted = wish(delivery=label)
    assert verdict(short, wanted, start - 1).withheld == "too_short"
    assert verdict(long, wanted, start - 1).withheld == "cooldown"
    assert verdict(Event("moved", start), wanted) == DeliveryVerdict("notice", None, start + 5_000)
    assert verdict(Event("frozen", start, start), wanted, start - 1) == DeliveryVerdict("alert", None, start)


@pytest.mark.parametrize(("passed_ms", "withheld"), [(-1, None), (0, "cooldown"), (59_999, "cooldown"), (60_000, None)])
def test_a_cooldown_counts_from_the_start_of_the_one_before(passed_ms: int, withheld: str | None) -> None:
    start = at_ms("2026-11-28T12:00")
    wanted = wish(delivery={"moved": {"cooldown_seconds": 60}})
    assert verdict(Event("moved", start), wanted, start - passed_ms).withheld == withheld


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"schedule": {"time_zone": "Mars/Olympus", "hours": [{}]}}, ("schedule", "time_zone")),
        ({"schedule": {"time_zone": "../../etc/passwd", "hours": [{}]}}, ("schedule", "time_zone")),
        ({"schedule": {"time_zone": "Europe", "hours": [{}]}}, ("schedule", "time_zone")),
        ({"schedule": {"hours": []}}, ("schedule", "hours")),
        ({"schedule": {"hours": [{"begin": "24:00"}]}}, ("schedule", "hours", 0, "begin")),
        ({"schedule": {"hours": [{"days": ["someday"]}]}}, ("schedule", "hours", 0, "days", 0)),
        ({"delivery": {"moved": {"severity": "panic"}}}, ("delivery", "moved", "severity")),
        ({"delivery": {"moved": {"min_seconds": -1}}}, ("delivery", "moved", "min_seconds")),
        ({"delivery": {"moved": {"cooldown_seconds": float("inf")}}}, ("delivery", "moved", "cooldown_seconds")),
    ],
)
def test_what_is_not_allowed_is_named(fields: dict[str, Any], place: tuple[Any, ...]) -> None:
    with pytest.raises(ValidationError) as caught:
        wish(**fields)
    assert caught.value.errors()[0]["loc"] == place
