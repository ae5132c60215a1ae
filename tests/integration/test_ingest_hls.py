"""HLS through the whole of ingest: a playlist that stands still is a camera that is down, not a live one."""

from collections.abc import Iterator

import pytest
from films import VideoFile
from grey_films import NUM_FRAMES, fragments
from ingest_runner import IngestRunner
from patience import eventually
from web_server import WebServer, web_server

from shared.streams import StreamState, StreamStatus

HEAD = b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:7\n"


@pytest.fixture
def web() -> Iterator[WebServer]:
    with web_server() as server:
        yield server


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFTERIMAGE_STALL_SECONDS", "4")


@pytest.mark.usefixtures("impatient")
def test_a_playlist_that_stands_still_is_waited_for(
    web: WebServer, ingest: IngestRunner, video_file: VideoFile
) -> None:
    def status() -> StreamStatus:
        return ingest.registry.get("still").status

    def failures() -> float:
        return ingest.value("afterimage_source_failures_total", stream_id="still") or 0

    web.give("/0.ts", video_file("0.ts", seconds=1).read_bytes())
    web.give("/1.ts", video_file("1.ts", seconds=2).read_bytes())
    web.give("/live.m3u8", HEAD + b"#EXTINF:1,\n0.ts\n")
    ingest.add("still", web.url("/live.m3u8"), pace="live")
    ingest.start()
    stands_still = "its playlist does not move on"
    eventually(lambda: (status().reason or "").endswith(stands_still), "the reason")
    num_failures, states = failures(), set()

    def has_failed_again() -> bool:
        states.add(status().state)
        return failures() > num_failures

    eventually(has_failed_again, "another attempt")
    assert states == {StreamState.WAITING}, "so that AfterimageCameraDown fires"
    num_frames = len(ingest.frames("still"))
    assert 0 < num_frames <= 8, "eight a second, of one second"
    web.give("/live.m3u8", HEAD + b"#EXTINF:1,\n0.ts\n#EXTINF:1,\n1.ts\n")
    eventually(lambda: len(ingest.frames("still")) > num_frames, "the next segment")
    assert sum(path == "/0.ts" for path, _ in web.asked) == 1


@pytest.mark.usefixtures("impatient")
def test_nothing_is_played_again_by_the_next_process_nor_is_it_over(
    web: WebServer, ingest: IngestRunner, video_file: VideoFile
) -> None:
    def has_reason() -> bool:
        reason = ingest.registry.get("still").status.reason or ""
        return reason.endswith("its playlist does not move on")

    for number in range(2):
        web.give(f"/{number}.ts", video_file(f"{number}.ts", seconds=1 + number).read_bytes())
    over = HEAD + b"#EXTINF:1,\n0.ts\n#EXT-X-ENDLIST\n"
    web.give("/live.m3u8", HEAD + b"#EXTINF:1,\n0.ts\n")
    ingest.add("still", web.url("/live.m3u8"), pace="live")
    ingest.start()
    eventually(has_reason, "the reason")
    num_frames = len(ingest.frames("still"))
    web.give("/live.m3u8", over)
    for _ in range(2):
        ingest.stop()
        ingest.start()
        eventually(has_reason, "the reason again")
    assert len(ingest.frames("still")) == num_frames
    assert sum(path == "/0.ts" for path, _ in web.asked) == 1
    web.give("/live.m3u8", HEAD + b"#EXTINF:1,\n0.ts\n#EXTINF:1,\n1.ts\n")
    eventually(lambda: len(ingest.frames("still")) > num_frames, "the next segment")


def test_a_recording_ends_as_a_file_does(web: WebServer, ingest: IngestRunner, video_file: VideoFile) -> None:
    content = video_file("0.ts", seconds=2).read_bytes()
    web.give_parts("/0.ts", content)
    web.give("/vod.m3u8", b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n" + b"#EXTINF:2,\n0.ts\n#EXT-X-ENDLIST\n")
    web.give_parts("/film.mp4", video_file("film.mp4", seconds=2).read_bytes())
    for name in ("vod.m3u8", "film.mp4"):
        ingest.add(name[:4].strip("."), web.url(f"/{name}"), pace="live")
    ingest.start()
    for stream_id in ("vod", "film"):
        assert ingest.until(stream_id, StreamState.ENDED, passing=False).status.reason is None
        assert len(ingest.frames(stream_id)) == 16
        assert len(ingest.entries(stream_id)) == 17, "the end is marked"


def test_a_source_that_changes_again_and_again_does_not_fail(web: WebServer, ingest: IngestRunner) -> None:
    """Every segment comes from another encoder, as between advertisements: each is a reader's last."""
    lines, num_changes = "", 6
    for number in range(num_changes):
        init, [fragment] = fragments(number)
        web.give(f"/init{number}.mp4", init)
        web.give(f"/{number}.m4s", fragment)
        lines += f'#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI="init{number}.mp4"\n#EXTINF:0.5,\n{number}.m4s\n'
    web.give("/ads.m3u8", f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n{lines}#EXT-X-ENDLIST\n".encode())
    ingest.add("ads", web.url("/ads.m3u8"), pace="live", fps=10)
    ingest.start()
    status = ingest.until("ads", StreamState.ENDED, passing=False).status
    assert (status.reason, status.epoch) == (None, num_changes)
    assert len(ingest.frames("ads")) == num_changes * NUM_FRAMES
    assert ingest.value("afterimage_source_failures_total", stream_id="ads") in (None, 0)
