"""What `dataset from-feedback` takes, skips, keeps and refuses, from a real API."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from api_server import BASE_MS, RunningApi, an_event, running_api, write_event
from default_layout import keys_of
from films import render
from in_process import InProcess, Outcome

from afterimage.feedback import collecting
from afterimage.feedback.folder import FeedbackFolder
from services.api.media.places.folder import EventFolder
from services.api.media.records import KeptClip, MediaRecord
from shared.events import Event

SECONDS, FPS = 4, 8


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    render(path, seconds=SECONDS, fps=FPS, size=(64, 48), rotation=0)
    return path


@pytest.fixture(scope="module")
def events_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("events")


@pytest.fixture(scope="module")
def server(redis_url: str, events_dir: Path) -> Iterator[RunningApi]:
    with running_api(redis_url, events_dir=str(events_dir)) as api:
        yield api


class Desk:
    """Writes events as inference and the recorder do, and judges them; runs the command."""

    def __init__(self, server: RunningApi, client: redis.Redis, events_dir: Path, film: Path, run: InProcess) -> None:
        self.server, self.client, self.files, self.film = server, client, EventFolder(events_dir), film
        self._run = run
        server.add("cam")

    def event(self, second: float, verdict: str = "right", media: MediaRecord | None = None, **fields: Any) -> str:
        """An event with a clip from a second before it on, or with this record of its media."""
        at_ms = BASE_MS + round(second * 1000)
        event = Event.model_validate(an_event("cam", at_ms).model_dump() | fields)
        write_event(self.client, event)
        clip = KeptClip(
            from_ms=at_ms - 1000, to_ms=at_ms + 2875, num_frames=SECONDS * FPS, width=64, height=48, frames_missing=0
        )
        record = media or MediaRecord(state="kept", clip=clip)
        if record.clip:
            self.files.put(event.id, "clip.mp4", self.film)
        self.client.hset(keys_of("cam").media, event.id, record.model_dump_json())
        self.judge(event.id, verdict)
        return event.id

    def judge(self, event_id: str, verdict: str) -> None:
        reply = self.server.http.put(f"/v1/events/{event_id}/feedback", json={"verdict": verdict})
        assert reply.status_code == 200, reply.text

    def run(self, folder: Path, *more: str) -> Outcome:
        return self._run("dataset", "from-feedback", str(folder), "--url", self.server.url, *more)

    def told(self, folder: Path, *more: str) -> dict[str, Any]:
        ran = self.run(folder, "--json", *more)
        assert ran.code == 0, ran.errors
        found: dict[str, Any] = json.loads(ran.output)
        return found


@pytest.fixture
def desk(server: RunningApi, redis_client: redis.Redis, events_dir: Path, film: Path, in_process: InProcess) -> Desk:
    return Desk(server, redis_client, events_dir, film, in_process)


def database(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "annotations.json").read_text())["database"]
    return found


def test_judged_events_are_taken_and_the_rest_is_named(desk: Desk, tmp_path: Path) -> None:
    right, wrong = desk.event(100), desk.event(200, "wrong")
    gone = desk.event(300, media=MediaRecord(state="removed", reason="it made room"))
    lasting = desk.event(400, state="open", ended_at_ms=None, close_reason=None)
    write_event(desk.client, an_event("cam", BASE_MS + 500_000))  # of which nobody says anything
    ran = desk.run(tmp_path / "mine", "--licence", "CC0")
    assert ran.code == 0, ran.errors
    assert ran.errors.splitlines() == [
        f"skipped {gone}: it has no clip: it made room",
        f"skipped {lasting}: it still lasts: run again once it has ended",
    ]
    assert "2 added, 0 changed, 0 withdrawn, 2 skipped" in ran.output
    content = json.loads((tmp_path / "mine/annotations.json").read_text())
    assert (content["labels"], content["terms"]["licence"]) == (["moved"], "CC0")
    videos = {video["event"]["event_id"]: video for video in content["database"].values()}
    held = {"label": "moved", "segment": [1.0, 1.625]}
    assert (videos[right]["annotations"], videos[right]["judged"]) == ([held], [])
    assert (videos[wrong]["annotations"], videos[wrong]["judged"]) == ([], [held])
    for name in content["database"]:
        assert (tmp_path / "mine" / name).read_bytes() == desk.film.read_bytes()
    assert not list((tmp_path / "mine").rglob("*.part"))
    shown = desk._run("dataset", "check", str(tmp_path / "mine"))
    assert shown.code == 0, shown.output


def test_a_second_run_fetches_only_what_is_new_and_keeps_what_the_system_forgot(desk: Desk, tmp_path: Path) -> None:
    forgotten, withdrawn, changed = (desk.event(100 * each) for each in range(1, 4))
    assert desk.told(tmp_path)["clips"] == 3
    first = {path: path.stat().st_mtime_ns for path in (tmp_path / "clips").rglob("*.mp4")}
    desk.server.http.delete(f"/v1/events/{forgotten}")
    desk.server.http.delete(f"/v1/events/{withdrawn}/feedback")
    desk.judge(changed, "wrong")
    new = desk.event(400)
    found = desk.told(tmp_path, "--outside", "absent")
    assert (found["added"], found["changed"], found["withdrawn"]) == ([new], [changed], [withdrawn])
    left = {path: path.stat().st_mtime_ns for path in (tmp_path / "clips").rglob("*.mp4")}
    assert {path.stem for path in left} == {forgotten, changed, new}
    assert all(left[path] == first[path] for path in left if path.stem != new)
    by_event = {video["event"]["event_id"]: video for video in database(tmp_path).values()}
    assert [len(by_event[each]["annotations"]) for each in (forgotten, changed, new)] == [1, 0, 1]
    assert by_event[new]["judged"] == [{"label": "moved", "segment": [0, 4.0]}]
    assert desk.told(tmp_path)["added"] == []
    assert by_event == {video["event"]["event_id"]: video for video in database(tmp_path).values()}, "the terms stay"


def test_only_what_is_asked_for_is_taken_and_nothing_else_is_let_go(desk: Desk, tmp_path: Path) -> None:
    old, new = desk.event(100), desk.event(200)
    assert desk.told(tmp_path, "--limit", "1")["added"] == [new]
    desk.server.http.delete(f"/v1/events/{new}/feedback")
    found = desk.told(tmp_path, "--stream", "cam", "--label", "covered")
    assert (found["clips"], found["withdrawn"]) == (1, [])
    emptied = desk.run(tmp_path, "--since-ms", str(BASE_MS + 150_000), "--stream", "cam", "--label", "moved", "--json")
    assert (emptied.code, json.loads(emptied.output)["withdrawn"]) == (2, [new])
    assert desk.told(tmp_path)["added"] == [old]


def test_an_interrupted_run_goes_on(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events = [desk.event(100 * each) for each in range(1, 4)]
    clip = desk.files.path(events[2], "clip.mp4")
    clip.rename(clip.with_name("elsewhere"))
    found = desk.told(tmp_path)
    assert found["added"] == events[:2]
    assert "no frame for the clip was left" in found["skipped"][events[2]]
    clip.with_name("elsewhere").rename(clip)
    left = tmp_path / "clips/cam" / f".{events[2]}.mp4.part"
    left.write_bytes(b"half")
    (tmp_path / "annotations.json").unlink()  # killed before it was written
    assert desk.told(tmp_path)["added"] == events
    assert not left.exists()
    monkeypatch.setattr(collecting, "MAX_CLIP_BYTES", 100)
    too_large = desk.event(900)
    assert desk.told(tmp_path)["skipped"] == {too_large: "its clip is larger than 100 bytes"}
    assert {path.name for path in (tmp_path / "clips/cam").iterdir()} == {f"{each}.mp4" for each in events}


def test_nothing_to_learn_from_is_an_error(desk: Desk, tmp_path: Path) -> None:
    write_event(desk.client, an_event("cam", BASE_MS))
    ran = desk.run(tmp_path / "mine")
    assert ran.code == 2
    assert "no event that people marked right or wrong has one" in ran.errors
    assert [path.name for path in (tmp_path / "mine").iterdir()] == [".lock"]


@pytest.mark.parametrize(
    ("content", "why"),
    [("{}", "version: Field required"), ("[", "Invalid JSON"), ('{"version": "1", "database": {}}', "version: ")],
    ids=["empty", "broken", "another's"],
)
def test_annotations_of_others_are_left_alone(desk: Desk, tmp_path: Path, content: str, why: str) -> None:
    desk.event(100)
    (tmp_path / "annotations.json").write_text(content)
    ran = desk.run(tmp_path)
    assert ran.code == 2
    assert why in ran.errors
    assert "give another folder" in ran.errors
    assert (tmp_path / "annotations.json").read_text() == content


def test_two_runs_never_share_a_folder(desk: Desk, tmp_path: Path) -> None:
    desk.event(100)
    with FeedbackFolder(tmp_path).opened():
        ran = desk.run(tmp_path)
    assert (ran.code, "another run writes to it" in ran.errors) == (2, True)
    assert len(desk.told(tmp_path)["added"]) == 1


def test_help_has_an_example(in_process: InProcess) -> None:
    shown = " ".join(in_process("dataset", "from-feedback", "--help").output.split())
    assert "afterimage dataset from-feedback data/mine" in shown
