"""What the demo's cameras show over and over, as the shipped model sees it: the incident in every play."""

from pathlib import Path

import pytest
from chaos.footage import repeat

from training.bench.watching import Watcher
from training.scenes.clips import LINGERING, render_repeated_clip

ROOT = Path(__file__).resolve().parents[2]
PLAYS = 3
LATEST_SECONDS = 5.0


@pytest.mark.parametrize("label", LINGERING)
def test_what_lingers_in_the_memory_is_found_in_every_play(tmp_path: Path, label: str) -> None:
    once, film = tmp_path / "once.mp4", tmp_path / "film.mp4"
    (true,) = render_repeated_clip(label, 0, once)
    repeat(once, film, PLAYS)
    viewing = Watcher(ROOT / "models" / "camera-events", "cpu").watch(film)
    starts = [alarm.interval.start_seconds for alarm in viewing.alarms if alarm.interval.label == label]
    for play in range(PLAYS):
        due = play * viewing.seconds / PLAYS + true.start_seconds
        assert any(due - 1 <= start <= due + LATEST_SECONDS for start in starts), (play, starts)
