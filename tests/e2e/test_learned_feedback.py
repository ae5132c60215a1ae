"""From events that people judged to a model: recorder, feedback, `dataset from-feedback`, `train`, `evaluate`."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from patience import TOOL_SECONDS, eventually
from running import Running, render_scene, running

from training.datasets.reading import read_dataset

STREAMS = tuple(f"cam{number}" for number in range(8))
BASE_MS = 1_700_000_000_000


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A whole system that has seen the lights go out in eight places."""
    home, media = tmp_path_factory.mktemp("home"), render_scene(tmp_path_factory.mktemp("media"))
    arguments = ("--port", "0", "--data", str(home / "data"), "--media-root", str(media), "--device", "cpu")
    with running("up", *arguments, home=home) as system:
        for number, stream_id in enumerate(STREAMS):
            base_ms = BASE_MS + 60_000 * number
            body = {"id": stream_id, "name": stream_id, "source": "scene.mp4", "pace": "fast", "base_ms": base_ms}
            ask(system, "POST", "/v1/streams", json=body)
        eventually(lambda: len(kept(system)) == len(STREAMS), "a clip of what happened in each place")
        yield system


def ask(system: Running, method: str, path: str, **options: Any) -> Any:
    reply = httpx.request(method, f"{system.url}{path}", headers=system.headers, timeout=30, **options)
    return reply.raise_for_status().json()


def kept(system: Running) -> list[str]:
    """Ids of the first event of each stream, once its clip is whole."""
    events = ask(system, "GET", "/v1/events?limit=500")["items"]
    whole = {event["stream_id"]: event["id"] for event in events if (event["media"] or {}).get("state") == "kept"}
    return [whole[stream_id] for stream_id in STREAMS if stream_id in whole]


def judge(system: Running, event_id: str, verdict: str) -> None:
    ask(system, "PUT", f"/v1/events/{event_id}/feedback", json={"verdict": verdict})


def run(system: Running, *arguments: str | Path) -> str:
    environment = os.environ | {"XDG_DATA_HOME": str(system.home), "AFTERIMAGE_URL": system.url, "COLUMNS": "200"}
    command = [sys.executable, "-m", "afterimage", *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=TOOL_SECONDS, check=False, env=environment)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_what_people_said_becomes_a_model(system: Running, tmp_path: Path) -> None:
    folder, model = tmp_path / "mine", tmp_path / "models" / "mine"
    events = kept(system)
    for number, event_id in enumerate(events):
        judge(system, event_id, "wrong" if number % 2 else "right")
    first = json.loads(run(system, "dataset", "from-feedback", folder, "--json"))
    assert (sorted(first["added"]), first["skipped"], first["clips"]) == (sorted(events), {}, len(STREAMS))
    assert run(system, "dataset", "check", folder).rstrip().endswith("problems: 0")
    dataset = read_dataset(folder)
    by_name = {video.name.split("/")[1]: video for video in dataset.videos}
    assert [len(by_name[each].intervals) for each in STREAMS] == [1, 0] * 4
    assert all(video.judged for video in dataset.videos)
    assert {"training", "validation"} <= set(dataset.subsets)

    run(system, "train", "--data", folder, "--out", model, "--epochs", "1", "--device", "cpu", "--threads", "1")
    measured = json.loads(run(system, "evaluate", "--model", model, "--data", folder, "--device", "cpu", "--json"))
    assert measured["videos"] == len(dataset.subset("validation").videos)

    judge(system, events[1], "right")
    ask(system, "DELETE", f"/v1/events/{events[2]}/feedback")
    again = json.loads(run(system, "dataset", "from-feedback", folder, "--json"))
    assert [again[each] for each in ("added", "changed", "withdrawn")] == [[], [events[1]], [events[2]]]
    by_name = {video.name.split("/")[1]: video for video in read_dataset(folder).videos}
    assert [len(by_name[each].intervals) for each in STREAMS if each in by_name] == [1, 1, 0, 1, 0, 1, 0]
