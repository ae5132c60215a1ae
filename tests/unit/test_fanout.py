"""Which events go to whom."""

import json
from typing import Any

import pytest

from services.api.delivery.fanout import letters_of
from services.api.delivery.targets import Target
from services.api.followers.entries import FeedEntry
from shared.entries import EntryId
from shared.life.delivery_rules import DeliveryWish, LabelDelivery

QUIET = DeliveryWish(delivery={"moved": LabelDelivery(severity="notice", cooldown_seconds=60, min_seconds=2)})
ALL = DeliveryWish()
AT_MS = 1_000_000


def entry(kind: str = "opened", started_at_ms: int = AT_MS, ended_at_ms: int | None = None) -> FeedEntry:
    event = {"label": "moved", "started_at_ms": started_at_ms, "ended_at_ms": ended_at_ms}
    return FeedEntry(3, EntryId(started_at_ms), kind, "door", "moved", json.dumps(event))


def target(**fields: object) -> Target:
    stored = {"id": "home", "kind": "webhook", "url": "http://x", "secret": "s", "created_at_ms": AT_MS, **fields}
    return Target.model_validate(stored)


def named(at: FeedEntry, wish: DeliveryWish = ALL, **fields: Any) -> list[tuple[str, int]]:
    letters = letters_of(at, wish, ("north",), [target(**fields)], {})
    return [(letter.target_id, letter.due_at_ms) for letter in letters]


@pytest.mark.parametrize(
    ("fields", "is_wanted"),
    [
        ({}, True),
        ({"streams": ["door"], "labels": ["moved"], "groups": ["north", "south"], "severity": "alert"}, True),
        ({"streams": ["gate"]}, False),
        ({"labels": ["fell"]}, False),
        ({"groups": ["south"]}, False),
        ({"severity": "notice"}, False),
        ({"enabled": False}, False),
        ({"created_at_ms": AT_MS + 1}, False),
    ],
)
def test_targets_get_what_their_filters_let_pass(fields: dict[str, Any], is_wanted: bool) -> None:
    assert bool(named(entry(), **fields)) == is_wanted


def test_streams_say_what_is_delivered() -> None:
    assert named(entry(), DeliveryWish(maintenance=True)) == []
    assert named(entry(), QUIET, severity="alert") == []
    assert named(entry(), QUIET, severity="notice") == [("home", AT_MS + 2000)]
    assert named(entry("closed", ended_at_ms=AT_MS + 1999), QUIET) == []
    assert named(entry("closed", ended_at_ms=AT_MS + 2000), QUIET) == [("home", 0)]
    assert named(entry("updated")) == named(entry("deleted")) == []
    assert letters_of(FeedEntry(3, EntryId(1), "opened", "door", "moved", "{}"), QUIET, (), [target()], {}) == []


def test_what_people_do_is_told_to_those_who_ask() -> None:
    for kind in ("updated", "deleted"):
        assert named(entry(kind)) == []
        assert named(entry(kind), updates=True) == [("home", 0)]
        assert named(entry(kind), updates=True, kind="apprise") == []
        assert named(entry(kind), DeliveryWish(maintenance=True), updates=True) == []
    assert named(entry("deleted"), kind="mqtt") == [("home", 0)]  # whose sensor would stay on
    assert named(entry("updated"), kind="mqtt") == named(entry("odd"), updates=True) == []
    delivered = {"door moved": AT_MS + 60_000}
    letters_of(entry("updated"), ALL, (), [target(updates=True)], delivered)
    letters_of(entry("updated", AT_MS + 90_000), ALL, (), [target(updates=True)], delivered)
    assert delivered == {"door moved": AT_MS + 60_000}


@pytest.mark.parametrize(
    ("wish", "lasts_ms", "due_at_ms"),
    [
        (ALL, 5000, 0),
        (DeliveryWish(maintenance=True), 5000, 0),
        (QUIET, 5000, 0),
        (QUIET, 500, AT_MS + 2000),  # the sender knows whether the opening went
    ],
)
@pytest.mark.parametrize("kind", ["closed", "deleted"])
def test_to_whom_an_event_opened_it_ends_whatever_is_wished_by_then(
    wish: DeliveryWish, lasts_ms: int, due_at_ms: int, kind: str
) -> None:
    delivered: dict[str, int] = {}
    to = [target(updates=True)]
    assert letters_of(entry(), ALL, (), to, delivered)
    [letter] = letters_of(entry(kind, ended_at_ms=AT_MS + lasts_ms), wish, (), to, delivered)
    assert letter.due_at_ms == due_at_ms


def test_a_cooldown_counts_from_what_was_delivered() -> None:
    delivered: dict[str, int] = {}

    def is_told(at: FeedEntry) -> bool:
        return bool(letters_of(at, QUIET, (), [target()], delivered))

    assert is_told(entry())
    assert is_told(entry("closed", ended_at_ms=AT_MS + 5000))
    assert not is_told(entry(started_at_ms=AT_MS + 59_000))
    assert delivered == {"door moved": AT_MS}
    assert is_told(entry(started_at_ms=AT_MS + 60_000))
