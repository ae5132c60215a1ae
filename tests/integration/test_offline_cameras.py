"""A camera that is away is one event, whatever ingest dies of meanwhile, and whoever else speaks of it."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest
import redis
from default_layout import keys_of
from ingest_runner import stream_spec
from leasing import lease_of, seize
from patience import eventually
from service_process import ingest_process
from test_ingest_http import mjpeg
from web_server import web_server

from shared.events import Event
from shared.life.event_desk import EventDesk
from shared.life.outages import Outage, OutageEnd, tell_outages
from shared.manifest import Manifest
from shared.store.leases import Lease
from shared.store.registry import Registry

KEYS = keys_of("cam")
SPEC = stream_spec("cam", "rtsp://camera/1")
AWAY, BACK = Outage(SPEC, 1_000, 3), OutageEnd(SPEC, 9_000, "live")


@pytest.fixture
def lease(redis_client: redis.Redis) -> Lease:
    Registry(redis_client).add(SPEC)
    return lease_of(redis_client, "ingest", "cam")


def told(client: redis.Redis) -> list[tuple[str, str, str | None]]:
    entries: Any = client.xrange(KEYS.feed)
    events = [(fields[b"kind"].decode(), json.loads(fields[b"event"])) for _, fields in entries]
    return [(kind, event["id"], event["close_reason"]) for kind, event in events]


def test_it_opens_and_closes_once_whoever_says_so_again(redis_client: redis.Redis, lease: Lease) -> None:
    client = redis_client
    assert tell_outages(client, [(BACK, lease)]) == [BACK]
    assert client.exists(KEYS.feed) == 0
    for since_ms in (1_000, 1_000, 1_500):  # a process that died, and one that knows the newest frame better
        away = Outage(SPEC, since_ms, 3)
        assert tell_outages(client, [(away, lease)]) == [away]
    assert EventDesk(client).get("cam.offline.1000").event.state == "open"
    for at_ms in (9_000, 9_500):
        assert len(tell_outages(client, [(OutageEnd(SPEC, at_ms, "live"), lease)])) == 1
    event = EventDesk(client).get("cam.offline.1000").event
    assert (event.state, event.ended_at_ms, event.close_reason, event.epoch) == ("closed", 9_000, "live", 3)
    assert told(client) == [("opened", event.id, None), ("closed", event.id, "live")]
    assert client.exists(KEYS.open) == 0


def test_it_is_not_told_by_a_stale_owner_nor_of_a_stream_that_is_gone(redis_client: redis.Redis, lease: Lease) -> None:
    client, registry = redis_client, Registry(redis_client)
    present = seize(client, "ingest", [KEYS.partition])[KEYS.partition]
    assert tell_outages(client, [(AWAY, lease)]) == []
    assert tell_outages(client, [(AWAY, present)]) == [AWAY]
    assert tell_outages(client, [(BACK, lease)]) == []
    registry.remove("cam")
    assert told(client) == [("opened", "cam.offline.1000", None), ("closed", "cam.offline.1000", "stream_removed")]
    registry.add(SPEC.model_copy(update={"generation": SPEC.generation + 1}))
    assert tell_outages(client, [(AWAY, present), (BACK, present)]) == []
    assert len(told(client)) == 2
    client.set(KEYS.event_data("cam"), "damage")
    again = Outage(SPEC.model_copy(update={"generation": SPEC.generation + 1}), 2_000, 1)
    assert tell_outages(client, [(again, present)]) == []


def test_it_outlives_the_process_that_opened_it(redis_client: redis.Redis, redis_url: str, tmp_path: Path) -> None:
    over, desk = threading.Event(), EventDesk(redis_client)
    with web_server() as web:
        spec = stream_spec("cam", web.url("/cam"), pace="live", offline_seconds=1)
        Registry(redis_client).add(spec)

        def events(state: str) -> list[Event]:
            listed: Any = redis_client.zrange(KEYS.events("cam"), 0, -1)
            found = [event for event, _ in desk.find(map(bytes.decode, listed))]
            return found if [event.state for event in found] == [state] else []

        with ingest_process(redis_url, tmp_path, tmp_path / "log") as ingest:
            [opened] = eventually(lambda: events("open"), "the camera to be away")
            ingest.process.kill()
        assert (opened.label, opened.started_at_ms, opened.model) == ("offline", spec.created_at_ms, None)
        with ingest_process(redis_url, tmp_path, tmp_path / "log"):
            tries = len(web.asked)
            eventually(lambda: len(web.asked) > tries + 1, "it to be asked for again")
            assert events("open") == [opened]
            web.answers["/cam"] = mjpeg(over)
            [closed] = eventually(lambda: events("closed"), "the camera to be back")
            over.set()
    assert (closed.close_reason, closed.id) == ("live", opened.id)
    assert told(redis_client) == [("opened", opened.id, None), ("closed", opened.id, "live")]


def test_no_model_finds_it() -> None:
    with pytest.raises(ValueError, match="no label may be offline"):
        Manifest.model_validate(
            {
                "name": "m",
                "labels": ["offline"],
                "fps": 8,
                "input": {"height": 32, "width": 32},
                "state_size": 1,
                "network": {},
                "weights": {"sha256": "0" * 64},
            }
        )
