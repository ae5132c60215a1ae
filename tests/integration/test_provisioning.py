"""Streams as a file: `afterimage streams apply` and `export`; events as one: `afterimage events export`."""

from collections.abc import Callable
from pathlib import Path

import pytest
import redis
import yaml
from api_server import BASE_MS, RunningApi, an_event, write_event
from in_process import InProcess, Outcome

from shared.store.registry import Registry

FILE = """
streams:
  - id: door
    name: Front door
    source: rtsp://viewer:${CAM1_PASSWORD}@10.0.0.5/main
    groups: [north]
  - id: yard
    name: Yard
    source: rtsp://10.0.0.6/main
    fps: 4
    thresholds: {moved: {enter: 0.7}}
"""
SECRET = "pa:ss@w/ord"

Command = Callable[..., Outcome]


@pytest.fixture
def api(server: RunningApi, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> RunningApi:
    monkeypatch.setenv("AFTERIMAGE_URL", server.url)
    monkeypatch.setenv("CAM1_PASSWORD", SECRET)
    return server


@pytest.fixture
def apply(in_process: InProcess, tmp_path: Path) -> Command:
    file = tmp_path / "streams.yaml"

    def applied(text: str, *options: str) -> Outcome:
        file.write_text(text)
        return in_process("streams", "apply", str(file), *options)

    return applied


def test_a_file_is_applied_once_and_then_changes_nothing(
    api: RunningApi, apply: Command, redis_client: redis.Redis
) -> None:
    api.add("old")
    dry = apply(FILE, "--dry-run", "--prune")
    assert [line[:6] for line in dry.output.splitlines()] == ["+ door", "+ yard", "- old"]
    registry = Registry(redis_client)
    assert registry.ids() == ["old"]
    assert apply(FILE).output.splitlines() == dry.output.splitlines()[:2]
    specs = registry.specs()
    assert specs["door"].source == f"rtsp://viewer:{SECRET}@10.0.0.5/main"
    assert apply(FILE).output == "nothing changes\n"
    assert registry.specs() == specs
    assert apply(FILE, "--prune").output == "- old\n"
    assert registry.specs().keys() == {"door", "yard"}


def test_a_diff_names_what_changes_and_no_secret(
    api: RunningApi, apply: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(FILE)
    monkeypatch.setenv("CAM1_PASSWORD", "n3w-secret")
    changed = apply(FILE.replace("fps: 4", "fps: 5").replace("[north]", "[north, roof]"))
    assert changed.output.splitlines() == [
        "~ door",
        "    base_ms: " + changed.output.splitlines()[1].partition(": ")[2],
        "    groups: ['north'] → ['north', 'roof']",
        "    source: rtsp://***@10.0.0.5/main → another login",
        "~ yard",
        "    fps: 4.0 → 5.0",
    ]


def test_what_is_exported_can_be_applied(
    api: RunningApi, apply: Command, in_process: InProcess, monkeypatch: pytest.MonkeyPatch, redis_client: redis.Redis
) -> None:
    apply(FILE)
    api.http.patch("/v1/streams/yard", json={"paused": True, "tags": ["outdoor"], "skip": "none"})
    exported = in_process("streams", "export").output
    assert SECRET not in exported
    assert yaml.safe_load(exported)["streams"][1] == {
        "id": "yard",
        "name": "Yard",
        "source": "rtsp://10.0.0.6/main",
        "fps": 4.0,
        "thresholds": {"moved": {"enter": 0.7}},
        "skip": "none",
        "tags": ["outdoor"],
        "paused": True,
    }
    specs = Registry(redis_client).specs()
    unset = apply(exported)
    assert (unset.code, "the environment has no DOOR_LOGIN" in unset.errors) == (2, True)
    monkeypatch.setenv("DOOR_LOGIN", f"viewer:{SECRET}")
    assert apply(exported, "--prune").output == "nothing changes\n"
    assert Registry(redis_client).specs() == specs


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        (FILE.replace("CAM1", "CAM2"), 2, "stream door: source: the environment has no CAM2_PASSWORD"),
        (FILE.replace("id: yard", "id: door"), 2, "stream 2 has the id of another: door"),
        (FILE.replace("id: yard", "label: yard"), 2, "stream 2 has no id"),
        (FILE.replace("fps: 4", "fps: 100"), 1, "nothing was changed: yard: fps: Input should be less than"),
        (FILE.replace("moved", "farm"), 1, "yard: thresholds: camera-events has no label 'farm'"),
        (FILE.replace("id: yard", "id: a/b"), 1, "a/b: "),
        ("streams: {", 2, "line 1: is no YAML"),
        ("door: 1", 2, "must hold `streams:`"),
        ("", 2, "must hold `streams:`"),
    ],
)
def test_a_file_with_a_mistake_changes_nothing(
    api: RunningApi, apply: Command, redis_client: redis.Redis, text: str, code: int, said: str
) -> None:
    failed = apply(text)
    assert (failed.code, failed.output) == (code, "")
    assert said in failed.errors
    assert SECRET not in failed.errors
    assert Registry(redis_client).ids() == []


def test_events_are_exported_by_command(api: RunningApi, in_process: InProcess, redis_client: redis.Redis) -> None:
    api.add("door")
    ids = [write_event(redis_client, an_event("door", BASE_MS + at)) for at in range(3)]
    exported = in_process("events", "export", "--format", "csv", "--stream", "door")
    assert [line.partition(",")[0] for line in exported.output.splitlines()] == ["id", *reversed(ids)]
    assert "no stream has the id 'x'" in in_process("events", "export", "--stream", "x").errors


def test_streams_are_paused_by_command(api: RunningApi, in_process: InProcess, redis_client: redis.Redis) -> None:
    api.add("door")
    for command, paused in (("pause", True), ("resume", False)):
        assert in_process("streams", command, "door").code == 0
        assert Registry(redis_client).get("door").spec.paused is paused
