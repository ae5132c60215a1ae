"""A real Mosquitto, and a client that hears all."""

import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from patience import eventually, unavailable

MOSQUITTO = shutil.which("mosquitto") or "/usr/sbin/mosquitto"


@contextmanager
def mosquitto(folder: Path, port: int, *lines: str) -> Iterator[None]:
    """Listens at 127.0.0.1 as long as the block runs; `lines` are more of its settings."""
    if not Path(MOSQUITTO).exists():
        unavailable("mosquitto (Debian)")
    config = folder / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nuser root\n" + "\n".join(lines))
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
def listening(port: int, said: Mapping[str, str] = MappingProxyType({})) -> Iterator[list[tuple[str, str, bool]]]:
    """(topic, text, whether it was retained) of all that a client hears that joins now; first it has `said` these."""
    heard: list[tuple[str, str, bool]] = []
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    joined: Any = lambda *_: client.subscribe("#", qos=1)  # noqa: E731
    client.on_connect = joined
    client.on_message = lambda _client, _data, each: heard.append((each.topic, each.payload.decode(), each.retain))
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        for topic, text in said.items():
            client.publish(topic, text, qos=1, retain=True).wait_for_publish(10)
        yield heard
    finally:
        client.disconnect()
        client.loop_stop()
