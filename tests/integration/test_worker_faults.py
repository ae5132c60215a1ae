"""What goes wrong with pictures and models, on a real Redis: it troubles the stream that it befalls, and no other."""

import logging
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
from patience import eventually
from torch import Tensor
from worker_runner import BASE_MS, FRAME_MS, WorkerRunner, pictures, save_random_model, spec_of

from services.inference.network.network import Network

NUM_FRAMES = 40


def test_a_picture_that_does_not_decode_is_passed_over(runner: WorkerRunner) -> None:
    spec = spec_of("cam")
    runner.registry.add(spec)
    film = pictures(6)
    film[2] = b"\xff\xd8 this is no picture"
    runner.publish(spec, film)
    runner.start()
    assert runner.wait_processed("cam", 6).progress.cursor == f"{BASE_MS + 5 * FRAME_MS}-0"
    assert f"{BASE_MS + 2 * FRAME_MS}-0" not in runner.scores("cam")
    assert len(runner.scores("cam")) == 5


def test_a_model_that_cannot_be_loaded_troubles_its_own_streams_only(runner: WorkerRunner, tmp_path: Path) -> None:
    save_random_model(tmp_path, "spoilt")
    weights = tmp_path / "spoilt" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x00")
    good, bad = spec_of("good"), spec_of("bad", model="spoilt")
    for spec in (bad, good):
        runner.registry.add(spec)
        runner.publish(spec, pictures(5))
    runner.start()
    runner.wait_processed("good", 5)
    assert "SHA-256" in runner.wait_reason("bad")
    assert runner.record("bad").inference.model is None
    assert runner.record("bad").progress.frames_processed == 0


def test_a_stream_that_the_model_fails_on_is_set_aside_and_goes_on_once_it_can(
    runner: WorkerRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode, healed = Network.encode, threading.Event()

    def failing(self: Network, images: Tensor, told: Tensor | None = None) -> Tensor:
        if not healed.is_set() and (images > 250).flatten(1).all(1).any():
            raise ValueError("white is no picture")
        return encode(self, images, told)

    monkeypatch.setattr(Network, "encode", failing)
    monkeypatch.setattr("services.inference.pipeline.admission.DAMAGED_SECONDS", 0.1)
    film, white = pictures(NUM_FRAMES), cv2.imencode(".jpg", np.full((48, 64, 3), 255, np.uint8))[1].tobytes()
    for name, frames in (("good", film), ("bad", [*film[:20], white, *film[21:]])):
        runner.registry.add(spec := spec_of(name))
        runner.publish(spec, frames)
    runner.start()
    runner.wait_processed("good", NUM_FRAMES)
    assert "fails on its frames: ValueError: white is no picture" in runner.wait_reason("bad")
    assert runner.record("bad").progress.frames_processed <= 20
    healed.set()
    runner.wait_processed("bad", NUM_FRAMES)
    good, bad = (np.array(list(runner.scores(name).values())) for name in ("good", "bad"))
    assert np.allclose(good[:20], bad[:20], atol=1e-4)
    assert not np.allclose(good[20], bad[20], atol=1e-4)


def test_pictures_that_do_not_decode_are_counted_and_told_once(
    runner: WorkerRunner, caplog: pytest.LogCaptureFixture
) -> None:
    spec, film = spec_of("cam"), pictures(10)
    broken = [b"no JPEG", film[3][:200], *[film[4][:200]] * 3]
    runner.registry.add(spec)
    runner.publish(spec, [*film[:3], *broken, *film[8:]])
    with caplog.at_level(logging.WARNING):
        runner.start()
        runner.wait_processed("cam", 10)
        eventually(lambda: unreadable(runner, "damaged") == 4, "four pictures that do not decode")
    assert unreadable(runner, "header") == 1
    assert unreadable(runner, "size") == 0
    assert caplog.text.count("stream cam: no picture: ") == 1
    assert len(runner.scores("cam")) == 5


def unreadable(runner: WorkerRunner, reason: str) -> float | None:
    return runner.value("afterimage_frames_unreadable_total", stream_id="cam", reason=reason)
