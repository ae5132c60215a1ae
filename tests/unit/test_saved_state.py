import json

import numpy as np
import pytest

from services.inference.pipeline.messages import Remembered
from services.inference.pipeline.saved_state import SavedMemory, SavedTracks, StateUnreadable
from shared.life.tracker import Track, TrackerState

TRACK = Track(1_000, 1.0, 2, 1_500, 0.9, 2.4, 3, in_gap=True, is_event=True, frames_missed=4, memory_reset="gap")
TRACKS = SavedTracks("m@12345678", TrackerState({"frozen": TRACK}, 5, "gap"))
EMPTY = SavedMemory("m@12345678", "1500-0", 12, Remembered(None, 1_500, 10.0))


def test_a_memory_comes_back_bit_for_bit() -> None:
    vector = np.random.default_rng(0).normal(size=100).astype(np.float32)
    saved = SavedMemory("m@12345678", "1500-0", 12, Remembered(vector, 1_500, 10.0))
    restored = SavedMemory.from_bytes(saved.to_bytes())
    assert restored.memory.vector is not None
    assert restored.memory.vector.tobytes() == vector.tobytes()
    assert (restored.memory.at_ms, restored.memory.reset_after_seconds) == (1_500, 10.0)
    assert (restored.model, restored.cursor, restored.frames_processed) == ("m@12345678", "1500-0", 12)


def test_an_empty_memory_stays_empty() -> None:
    assert SavedMemory.from_bytes(EMPTY.to_bytes()) == EMPTY


def test_tracks_come_back_as_they_were() -> None:
    assert SavedTracks.from_bytes(TRACKS.to_bytes()) == TRACKS


def test_a_tracks_fields_are_told_by_name() -> None:
    stored = json.loads(TRACKS.to_bytes())
    assert stored["tracks"] == {"frozen": TRACK._asdict()}
    turned = {**stored, "tracks": {"frozen": dict(reversed(TRACK._asdict().items()))}}
    assert SavedTracks.from_bytes(json.dumps(turned).encode()) == TRACKS
    fresh = SavedTracks("m@12345678", TrackerState({"frozen": Track(1_000, 1.0, 2, 1_000, 0.9, 0.9, 1)}))
    assert SavedTracks.from_bytes(fresh.to_bytes()) == fresh
    assert "memory_reset" not in json.loads(fresh.to_bytes())["tracks"]["frozen"]


def tracks(**changes: object) -> bytes:
    return json.dumps(json.loads(TRACKS.to_bytes()) | changes).encode()


def memory(**changes: object) -> bytes:
    return json.dumps(json.loads(EMPTY.to_bytes()) | changes).encode() + b"\n"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "damaged"),
        (b"not json", "damaged"),
        (b"[]", "damaged"),
        (b'{"version":2}', "damaged"),
        (b'{"version":1}', "of an earlier version"),
        (tracks(model=None), "damaged"),
        (tracks(frames_missed="many"), "damaged"),
        (tracks(tracks=[]), "damaged"),
        (tracks(tracks={"frozen": TRACK._asdict() | {"started_at_ms": "noon"}}), "damaged"),
        (tracks(tracks={"frozen": TRACK._asdict() | {"num_frames": 0}}), "damaged"),
        (tracks(tracks={"frozen": {"started_at_ms": 1_000}}), "damaged"),
    ],
)
def test_other_tracks_are_refused_with_a_reason(content: bytes, reason: str) -> None:
    with pytest.raises(StateUnreadable, match=reason):
        SavedTracks.from_bytes(content)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "damaged"),
        (b"not json\n", "damaged"),
        (memory(version=1), "of an earlier version"),
        (memory(model=None), "damaged"),
        (memory(cursor=5), "damaged"),
        (memory(at_ms="noon"), "damaged"),
        (memory(reset_after_seconds="long"), "damaged"),
        (memory(frames_processed=None), "damaged"),
        (SavedMemory("m", "1-0", 1, Remembered(np.zeros(4, np.float32), 1)).to_bytes()[:-1], "damaged"),
    ],
)
def test_other_memories_are_refused_with_a_reason(content: bytes, reason: str) -> None:
    with pytest.raises(StateUnreadable, match=reason):
        SavedMemory.from_bytes(content)
