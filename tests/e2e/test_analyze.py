"""`afterimage analyze`: a file, a folder or a camera through the whole system, and nothing left of it."""

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from cameras import camera_server
from patience import eventually
from running import Running, render_scene, running

from afterimage.ports import usable_port
from shared.events import Event
from shared.service.settings import PROJECT_ROOT

MODEL = PROJECT_ROOT / "models" / "camera-events"


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render_scene(tmp_path_factory.mktemp("media"))


def analyze(home: Path, *arguments: str) -> Running:
    """Runs to the end, and leaves neither a process nor a file behind."""
    with running("analyze", "--device", "cpu", *arguments, home=home) as command:
        command.wait()
        assert command.alive() == {}
        assert not any(path.is_file() for path in home.rglob("*"))
        assert not any("Traceback" in line for line in (*command.lines, *command.errors))
        return command


MARKS = ("acknowledged", "feedback", "kept")


def parsed(command: Running) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The events and the summary, once every line is what it should be."""
    assert command.process.returncode == 0, command.errors
    *events, summary = [json.loads(line) for line in command.lines]
    for event in events:
        assert event["type"] == "event"
        checked = Event.model_validate({key: value for key, value in event.items() if key not in {"type", *MARKS}})
        assert {event[each] for each in MARKS} == {None}
        assert checked.state == "closed"
    assert len({event["id"] for event in events}) == len(events) == summary["events"]
    assert summary["type"] == "summary"
    assert summary.keys() == {"type", "frames", "seconds", "frames_per_second", "events"}
    return events, summary


def test_a_rendered_scene_gives_its_events_and_the_very_same_ones_beside_a_bad_file(
    tmp_path: Path, media: Path
) -> None:
    events, summary = parsed(analyze(tmp_path / "alone", str(media / "scene.mp4"), "--json"))
    assert summary["frames"] == 96
    assert "lights_out" in {event["label"] for event in events}
    assert {event["stream_id"] for event in events} == {"scene-mp4"}
    folder = tmp_path / "videos"
    shutil.copytree(media, folder)
    (folder / "notes.mp4").write_text("not a video at all")
    (folder / "readme.txt").write_text("nobody looks at this")
    mixed = analyze(tmp_path / "home", str(folder), "--json")
    assert mixed.process.returncode == 1
    assert [line for line in mixed.errors if "notes.mp4" in line]
    assert not any("scene.mp4" in line for line in mixed.errors)
    *again, summary_again = [json.loads(line) for line in mixed.lines]
    assert (again, summary_again["frames"]) == (events, 96)


def test_real_footage_is_processed_frame_by_frame(tmp_path: Path, reference_data: Path) -> None:
    vtest = str(reference_data / "video" / "vtest.avi")
    events, summary = parsed(analyze(tmp_path, vtest, "--json"))
    assert summary["frames"] == 636
    again, _ = parsed(analyze(tmp_path, vtest, "--json"))
    assert again == events


def test_people_get_lines(tmp_path: Path, media: Path) -> None:
    shown = analyze(tmp_path, str(media / "scene.mp4"))
    assert shown.process.returncode == 0
    assert any("opened" in line and "lights_out" in line for line in shown.lines)
    assert any("closed" in line and "lights_out" in line for line in shown.lines)
    assert shown.lines[-1].startswith("96 frames in ")


def test_with_data_everything_is_kept_and_can_be_done_again(tmp_path: Path, media: Path) -> None:
    arguments = ("analyze", str(media / "scene.mp4"), "--json", "--fps", "4", "--data", str(tmp_path / "data"))
    found = []
    for _ in range(2):
        with running(*arguments, home=tmp_path) as command:
            command.wait()
            events, summary = parsed(command)
            found.append((events, summary["frames"], summary["events"]))
    assert found[0] == found[1]
    assert found[0][1] == 48
    assert (tmp_path / "data" / "logs" / "inference.log").stat().st_size


def test_ctrl_c_stops_it_in_order(tmp_path: Path, media: Path) -> None:
    with running("analyze", str(media / "scene.mp4"), "--json", home=tmp_path) as command:
        eventually(lambda: command.pid_of("services.inference"), "inference is starting")
        command.interrupt()
        assert command.wait(60) == 1
        assert command.errors == ["error: stopped before the end"]
        assert command.alive() == {}


def test_a_camera_is_watched_until_ctrl_c(tmp_path: Path, media: Path) -> None:
    with (
        camera_server(media / "scene.mp4") as camera,
        running("analyze", camera.url(), "--json", home=tmp_path) as command,
    ):
        event = json.loads(command.line('"type": "event"'))
        assert abs(event["started_at_ms"] / 1000 - time.time()) < 60
        command.interrupt()
        assert command.wait(60) == 0, command.errors
        ended = f"waiting: source {camera.url()}: the camera ended the stream"
        assert set(command.errors) <= {ended}  # the film may end before the event
        assert json.loads(command.lines[-1])["frames"] > 8
        assert command.alive() == {}


@pytest.mark.parametrize(
    ("source", "why", "code"),
    [
        ("{tmp}/missing.mp4", "no such file", 2),
        ("{tmp}/empty", "holds no video", 2),
        ("{tmp}/text.mp4", "not a video", 1),
        ("carrier-pigeon://host/x", "source: scheme is not known; allowed are rtsp://", 2),
        ("rtsp://user:s3cret@127.0.0.1:{port}/x", "connection refused", 1),
        ("rtsp://user:s3cret@nowhere.invalid/x", "host not found", 1),
    ],
)
def test_a_bad_source_is_one_clear_line(tmp_path: Path, source: str, why: str, code: int) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.mp4").write_text("not a video at all")
    failed = analyze(tmp_path / "home", source.format(tmp=tmp_path, port=usable_port("127.0.0.1")), "--json")
    assert failed.process.returncode == code
    assert len(failed.errors) == 1
    assert failed.errors[0].startswith("error: ")
    assert why in failed.errors[0]
    assert "s3cret" not in " ".join((*failed.lines, *failed.errors))


def test_a_file_outside_the_media_root_is_refused(tmp_path: Path, media: Path) -> None:
    failed = analyze(tmp_path / "home", str(media / "scene.mp4"), "--media-root", str(tmp_path))
    assert failed.process.returncode == 2
    assert "outside the media root" in failed.errors[0]


def test_a_corrupt_manifest_is_refused(tmp_path: Path, media: Path) -> None:
    model = Path(shutil.copytree(MODEL, tmp_path / "models" / "camera-events"))
    (model / "model.json").write_text('{"name": "camera-events", "labels": []}')
    failed = analyze(tmp_path / "home", str(media / "scene.mp4"), "--models", str(model.parent))
    assert failed.process.returncode == 2
    assert "model.json: labels" in failed.errors[0]


def test_weights_with_another_hash_are_refused(tmp_path: Path, media: Path) -> None:
    model = Path(shutil.copytree(MODEL, tmp_path / "models" / "camera-events"))
    weights = model / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\0")
    failed = analyze(tmp_path / "home", str(media / "scene.mp4"), "--models", str(model.parent))
    assert failed.process.returncode == 2
    assert "SHA-256 is" in failed.errors[0]
