import json

import numpy as np
import pytest

from services.inference.pipeline.saved_state import SavedState, StateUnreadable
from services.inference.pipeline.tracker import Track, TrackerState

TRACK = Track(1_000, 1.0, 2, 1_500, 0.9, 2.4, 3, in_gap=True, is_event=True, frames_missed=4, memory_reset="gap")


def test_a_state_comes_back_bit_for_bit() -> None:
    vector = np.random.default_rng(0).normal(size=100).astype(np.float32)
    saved = SavedState("m@12345678", vector, 1_500, 2, TrackerState({"frozen": TRACK}, 5, "gap"))
    restored = SavedState.from_bytes(saved.to_bytes())
    assert restored.vector is not None
    assert restored.vector.tobytes() == vector.tobytes()
    assert (restored.model, restored.at_ms, restored.epoch) == ("m@12345678", 1_500, 2)
    assert restored.tracking == saved.tracking


def test_an_empty_memory_stays_empty() -> None:
    restored = SavedState.from_bytes(SavedState("m@12345678", None).to_bytes())
    assert restored.vector is None
    assert restored.at_ms is None


def otherwise(**changes: object) -> bytes:
    """A state whose header says something else."""
    saved = SavedState("m", None, 1_500, 2, TrackerState({"frozen": TRACK})).to_bytes()
    return json.dumps(json.loads(saved) | changes).encode() + b"\n"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "damaged"),
        (b"not json\n", "damaged"),
        (b"[]\n", "damaged"),
        (b'{"version":1}\n', "damaged"),
        (b'{"version":99}\n', "unknown version"),
        (SavedState("m", np.zeros(4, np.float32)).to_bytes()[:-1], "damaged"),
        (otherwise(model=None), "damaged"),
        (otherwise(at_ms="noon"), "damaged"),
        (otherwise(epoch=None), "damaged"),
        (otherwise(frames_missed="many"), "damaged"),
        (otherwise(tracks={"frozen": ["noon", 1.0, 2, 1_500, 0.9, 2.4, 3]}), "damaged"),
        (otherwise(tracks={"frozen": [1_000, 1.0, 2, 1_500, 0.9, 2.4, 0]}), "damaged"),
        (otherwise(tracks={"frozen": [1_000, 1.0, 2, 1_500, 0.9, 2.4]}), "damaged"),
    ],
)
def test_anything_else_is_refused_with_a_reason(content: bytes, reason: str) -> None:
    with pytest.raises(StateUnreadable, match=reason):
        SavedState.from_bytes(content)
