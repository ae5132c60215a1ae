"""When a camera's being away is an event."""

from ingest_runner import stream_spec

from services.ingest.captures.offline import OfflineWatch, Standing
from shared.life.outages import Outage, OutageEnd

CAMERA = stream_spec("cam", "rtsp://camera/1", offline_seconds=30)
SPECS = {"cam": CAMERA}


def look(watch: OfflineWatch, now: float, last_ms: int = 1_000, ends: str | None = None) -> list[Outage | OutageEnd]:
    news = watch.look({"cam": Standing(ends, last_ms, 3)}, SPECS, now)  # type: ignore[arg-type]
    watch.told(news)
    return news


def test_a_camera_is_away_since_its_newest_frame_once_nothing_came_for_so_long() -> None:
    watch = OfflineWatch()
    assert look(watch, 100.0) == []
    assert look(watch, 129.9) == []
    assert look(watch, 130.0) == [Outage(CAMERA, 1_000, 3)]
    assert look(watch, 500.0) == []
    assert look(watch, 501.0, last_ms=9_000, ends="live") == [OutageEnd(CAMERA, 9_000, "live")]
    assert look(watch, 600.0, last_ms=9_000, ends="live") == []  # few pictures, far apart
    assert look(watch, 600.1, last_ms=9_000) == [Outage(CAMERA, 9_000, 3)]


def test_a_short_silence_is_none_and_frames_count_from_when_they_came() -> None:
    watch = OfflineWatch()
    assert look(watch, 0.0, ends="live") == [OutageEnd(CAMERA, 1_000, "live")]  # what an earlier process left open
    assert look(watch, 20.0) == []
    assert look(watch, 29.0, last_ms=2_000) == []
    assert look(watch, 58.9, last_ms=2_000) == []
    assert look(watch, 59.0, last_ms=2_000) == [Outage(CAMERA, 2_000, 3)]


def test_what_was_not_taken_is_said_again_and_what_is_no_camera_ends_it_once() -> None:
    watch = OfflineWatch()
    never = {"cam": Standing(None, 0, 1)}
    assert watch.look(never, SPECS, 0.0) == []
    assert [watch.look(never, SPECS, now) for now in (30.0, 31.0)] == [[Outage(CAMERA, CAMERA.created_at_ms, 1)]] * 2
    assert look(watch, 32.0, ends="source_changed") == [OutageEnd(CAMERA, 1_000, "source_changed")]
    assert look(watch, 99.0, ends="source_changed") == []
    again = CAMERA.model_copy(update={"generation": CAMERA.generation + 1})
    standing = Standing("source_changed", 0, 1)
    assert watch.look({"cam": standing}, {"cam": again}, 100.0) == [OutageEnd(again, 0, "source_changed")]


def test_of_a_stream_that_is_over_the_end_is_told_until_it_is_taken_and_then_it_costs_nothing() -> None:
    watch = OfflineWatch()
    watch.over("cam")
    end = OutageEnd(CAMERA, 0, "source_ended")
    assert [watch.look({}, SPECS, now) for now in (0.0, 1.0)] == [[end]] * 2
    watch.told([end])
    assert watch.look({}, SPECS, 2.0) == []
    watch.over("cam")
    assert watch.look({"cam": Standing(None, 1_000, 3)}, SPECS, 3.0) == []  # it is captured again
    assert watch.look({}, SPECS, 100.0) == []
    watch.over("cam")
    assert watch.look({}, {}, 101.0) == []  # and removed
    assert watch.look({}, SPECS, 102.0) == []
