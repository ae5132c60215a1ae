"""How streams and sources look in a terminal."""

from typing import Any

from rich.console import Console

from afterimage.show import probe_table, stream_table
from shared.clock import now_ms

STREAM = {"id": "door", "name": "Door", "frames_processed": 1, "lag_frames": 0, "frames_dropped": 0, "source": "a.mp4"}


def shown(table: Any) -> str:
    console = Console(width=200, color_system=None)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def test_a_stream_that_waits_says_how_long_and_why() -> None:
    waiting = {"state": "waiting", "reason": "connection refused", "next_attempt_at_ms": now_ms() + 90_400}
    line = shown(stream_table([{**STREAM, **waiting}]))
    assert "waiting, again in 90 s" in line
    assert "connection refused" in line


def test_an_attempt_that_is_due_is_not_in_the_past() -> None:
    assert "failed, again in 0 s" in shown(
        stream_table([{**STREAM, "state": "failed", "reason": None, "next_attempt_at_ms": 1}])
    )


def test_other_streams_show_their_state_alone() -> None:
    text = shown(stream_table([{**STREAM, "state": "live", "reason": None, "next_attempt_at_ms": None}]))
    assert "live" in text
    assert "again" not in text


def test_what_a_source_does_not_state_is_not_shown() -> None:
    figures = {"source": "rtsp://***@h/1", "codec": "hevc", "width": 640, "height": 360, "took_seconds": 0.504}
    text = shown(probe_table({**figures, "fps": None, "duration_seconds": None}))
    for word in ("rtsp://***@h/1", "hevc", "640 x 360", "not stated", "after 0.50 s"):
        assert word in text
    assert "duration" not in text
    assert "1:02:03.0" in shown(probe_table({**figures, "fps": 25.0, "duration_seconds": 3723.0}))
