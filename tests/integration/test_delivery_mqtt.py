"""Delivery to a real Mosquitto."""

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from api_server import an_event, running_api, write_event
from deliveries import end, worker
from paho.mqtt.enums import CallbackAPIVersion
from patience import eventually, unavailable
from redis_cluster import free_port
from redis_process import redis_process

from shared.store.client import connect

MOSQUITTO = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
SENSOR = "homeassistant/binary_sensor/afterimage_door/moved/config"


@contextmanager
def mosquitto(folder: Path, port: int) -> Iterator[None]:
    if not Path(MOSQUITTO).exists():
        unavailable("mosquitto (Debian)")
    config = folder / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    with subprocess.Popen(
        [MOSQUITTO, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as broker:
        try:
            eventually(lambda: listens(port), "Mosquitto")
            yield
        finally:
            broker.kill()


def listens(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def listening(port: int) -> Iterator[list[tuple[str, str, bool]]]:
    """(topic, text, whether it was retained) of all that a client hears that joins now."""
    heard: list[tuple[str, str, bool]] = []
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    joined: Any = lambda *_: client.subscribe("#", qos=1)  # noqa: E731
    client.on_connect = joined
    client.on_message = lambda _client, _data, each: heard.append((each.topic, each.payload.decode(), each.retain))
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        yield heard
    finally:
        client.disconnect()
        client.loop_stop()


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
            api.http.delete("/v1/streams/door")
            eventually(lambda: (SENSOR, "", False) in heard, "that the camera is gone")


pytestmark = pytest.mark.timeout(120)
