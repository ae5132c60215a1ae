"""Damage to what Redis has of a stream: by hand, by a disk, or by a version that writes it otherwise."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import redis
from default_layout import keys_of, partition_of

SECRET = "s3cret-pass"


def neighbour_of(stream_id: str) -> str:
    """An id of the same partition."""
    names = (f"{stream_id}-{number}" for number in range(10_000))
    return next(name for name in names if partition_of(name) == partition_of(stream_id))


def strangers(*names: str) -> dict[str, str]:
    """For each name an id that begins with it, all of different partitions."""
    found: dict[int, str] = {}
    for name in names:
        ids = (f"{name}-{number}" for number in range(10_000))
        stream_id = next(each for each in ids if partition_of(each) not in found)
        found[partition_of(stream_id)] = stream_id
    return dict(zip(names, found.values(), strict=True))


@dataclass(frozen=True, slots=True)
class Damage:
    """What becomes of one field of one of a partition's hashes, and what is said of it then."""

    name: str
    part: str
    change: Callable[[bytes], bytes]
    place: str

    def do(self, client: redis.Redis, stream_id: str) -> Callable[[], object]:
        """Damages the stream; what is returned puts it right again."""
        key = getattr(keys_of(stream_id), self.part)
        former: Any = client.hget(key, stream_id)
        client.hset(key, stream_id, self.change(former or b"{}"))
        if former is None:
            return lambda: client.hdel(key, stream_id)
        return lambda: client.hset(key, stream_id, former)


def of_another_type(client: redis.Redis, stream_id: str, part: str, kind: str) -> tuple[str, Callable[[], object]]:
    """Puts another thing where a key is to be of a kind: what is wrong then, and what puts it right again.

    What a lease was nobody needs again.
    """
    key = getattr(keys_of(stream_id), part)
    if callable(key):
        key = key("inference" if part == "lease" else stream_id)
    is_kept = bool(client.exists(key)) and part != "lease"
    if is_kept:
        client.rename(key, f"{key}:kept")
    client.delete(key)
    client.lpush(key, "what is this")

    def put_right() -> None:
        client.delete(key)
        if is_kept:
            client.rename(f"{key}:kept", key)

    return f"{key} is no {kind}", put_right


def _with(**fields: object) -> Callable[[bytes], bytes]:
    return lambda text: json.dumps({**json.loads(text), **fields}).encode()


def _becomes(text: bytes) -> Callable[[bytes], bytes]:
    return lambda _former: text


SPECS = (
    Damage("cut", "streams", lambda text: text[:40], "spec (not JSON)"),
    Damage("no-text", "streams", _becomes(b"\xff\xfe\x00"), "spec (not JSON)"),
    Damage("newer-version", "streams", _with(v=2), "spec (of version 2, known is 1)"),
    Damage("no-version", "streams", _with(v=SECRET), "spec (of an unknown version)"),
    Damage("newer-part", "streams", _with(thresholds={"frozen": {"fall": 1}}), "spec.thresholds.frozen.fall"),
    Damage("newer-value", "streams", _with(skip=SECRET), "spec.skip"),
    Damage("wrong-type", "streams", _with(source=[SECRET]), "spec.source"),
    Damage("field-without-a-name", "streams", _with(thresholds={f"a://u:{SECRET}@h": {}}), "spec.thresholds"),
    Damage("of-another", "streams", _with(id="somebody"), "spec"),
)
OTHERS = (
    Damage("newer-state", "status", _with(state=SECRET), "status.state"),
    Damage("newer-status", "status", _with(v=3), "status (of version 3, known is 1)"),
    Damage("no-status", "status", _becomes(b"[]"), "status"),
    Damage("no-progress", "progress", _becomes(b"7 x 1 1"), "progress"),
    Damage("no-cursor", "progress", _becomes(b"7 99999999999999999999-0 1 1"), "progress"),
    Damage("no-number", "published", _becomes(b"many"), "published"),
    Damage("no-model", "inference", _with(model=[SECRET]), "inference.model"),
    Damage("newer-inference", "inference", _with(v=2), "inference (of version 2, known is 1)"),
)
ALL = SPECS + OTHERS
