from services.ingest.sources.decoding.timeline import Pace


def test_packets_wait_for_their_time() -> None:
    pace = Pace()
    assert pace.early_seconds(100.0, now=7.0) == 0
    assert pace.early_seconds(101.5, now=7.5) == 1.0
    assert pace.early_seconds(102.0, now=10.0) == 0  # a second late
    assert pace.early_seconds(104.0, now=10.0) == 1.0  # which is made up for


def test_a_jump_or_a_long_stall_begins_anew() -> None:
    pace = Pace()
    for media_seconds, now in ((0.0, 0.0), (50.0, 1.0), (3.0, 2.0), (4.0, 6.0)):
        assert pace.early_seconds(media_seconds, now) == 0
    assert pace.early_seconds(5.0, now=6.0) == 1.0
