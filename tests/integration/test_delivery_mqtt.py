"""Delivery to a real Mosquitto."""

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import redis
from api_server import an_event, running_api, write_event
from brokers import listening, mosquitto
from default_layout import keys_of
from deliveries import end, worker
from patience import eventually
from redis_cluster import free_port
from redis_process import redis_process

from shared.store.client import connect

SENSOR = "homeassistant/binary_sensor/afterimage_door/moved/config"
GATE = "homeassistant/binary_sensor/afterimage_gate/moved/config"
STATE = "afterimage/door/moved/state"


def test_a_camera_appears_with_its_labels_and_what_happens_arrives(tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "log"
    with ExitStack() as stack:
        store = stack.enter_context(ExitStack())
        options = ("--appendonly", "yes", "--appendfsync", "always")
        url = store.enter_context(redis_process(tmp_path, *options))
        stack.enter_context(mosquitto(tmp_path, port))
        api = stack.enter_context(running_api(url, deliver_private=True))
        client = stack.enter_context(connect(url))
        api.add("door", name="Front door")
        target = {"id": "home", "kind": "mqtt", "url": f"mqtt://me:hush@127.0.0.1:{port}"}
        made = api.http.post("/v1/targets", json=target)
        assert made.json()["url"] == f"mqtt://***@127.0.0.1:{port}"
        processes = [worker("services.api.delivery", url, log)]
        stack.callback(lambda: end(processes))
        discovered: Any = None
        with listening(port) as heard:
            discovered = eventually(lambda: [each for each in heard if each[0] == SENSOR], "discovery")
            config = json.loads(discovered[0][1])
            assert config["device"]["name"] == "Front door"
            assert config["state_topic"] == "afterimage/door/moved/state"
            write_event(client, an_event("door", 5, state="open"))
            eventually(lambda: ("afterimage/door/moved/state", "ON", False) in heard, "the state")
            [event] = [json.loads(text) for topic, text, _ in heard if topic == "afterimage/door/moved/event"]
            assert (event["type"], event["data"]["started_at_ms"]) == ("event.opened", 5)
            end(processes)
            eventually(lambda: ("afterimage/availability", "offline", False) in heard, "the last will")
        store.close()
        store.enter_context(redis_process(tmp_path, *options))
        write_event(client, an_event("door", 5))
        processes[:] = [worker("services.api.delivery", url, log)]
        with listening(port) as heard:
            eventually(lambda: ("afterimage/door/moved/state", "OFF", False) in heard, "what happened meanwhile")
            assert (SENSOR, discovered[0][1], True) in heard
            eventually(lambda: ("afterimage/availability", "online", False) in heard, "that it is back")
            assert api.http.post("/v1/targets/home/test").json() == {"ok": True, "reason": None}
            open_id = write_event(client, an_event("door", 7, state="open"))
            eventually(lambda: heard[-1] == (STATE, "ON", False), "another event")
            assert api.http.delete(f"/v1/events/{open_id}").is_success
            eventually(lambda: heard[-1] == (STATE, "OFF", False), "that nobody wants it")
            api.http.delete("/v1/streams/door")
            eventually(lambda: (SENSOR, "", False) in heard, "that the camera is gone")


def test_a_stream_that_was_removed_while_nobody_delivered_disappears(
    redis_url: str, redis_client: redis.Redis, tmp_path: Path
) -> None:
    port, log = free_port(), tmp_path / "log"
    others = {
        "homeassistant/binary_sensor/afterimage_gone/moved/config": '{"availability_topic": "elsewhere/availability"}',
        "homeassistant/binary_sensor/plug/moved/config": '{"availability_topic": "afterimage/availability"}',
        "homeassistant/binary_sensor/afterimage_odd/moved/config": "[1]",
    }
    with mosquitto(tmp_path, port), running_api(redis_url, deliver_private=True) as api:
        for stream_id in ("door", "gate"):
            api.add(stream_id)
        api.http.post("/v1/targets", json={"id": "home", "kind": "mqtt", "url": f"mqtt://127.0.0.1:{port}"})
        process = worker("services.api.delivery", redis_url, log)
        with listening(port, others) as heard:
            write_event(redis_client, an_event("door", 5))
            eventually(lambda: {SENSOR, GATE, STATE} <= {topic for topic, *_ in heard}, "both, and a state")
        process.terminate()
        assert process.wait(20) == 0
        api.http.delete("/v1/streams/door")
        redis_client.hset(keys_of("gate").streams, "gate", "{}")  # nobody can tell whether it is there
        process = worker("services.api.delivery", redis_url, log)
        try:
            with listening(port) as heard:
                eventually(lambda: {(SENSOR, "", False), (STATE, "", False)} <= {*heard}, "that the camera is gone")
                eventually(lambda: ("afterimage/availability", "online", False) in heard, "that one delivers")
        finally:
            end([process])
    kept = {topic for topic, _, is_retained in heard if is_retained}
    assert kept >= {GATE, *others}
    assert not {GATE, *others} & {topic for topic, text, _ in heard if not text}


pytestmark = pytest.mark.timeout(120)
