"""Live HLS, read from a real server: nothing is played twice, and what the playlist does is said."""

import pytest
from live_channel import SHARE, Channel, Look, times
from web_server import Handler

from services.ingest.sources.failures import status_failed
from services.ingest.sources.hls import follower
from services.ingest.sources.hls.follower import LEAST_REFETCH_SECONDS, REPEATS, STANDS_STILL


def test_a_playlist_that_stands_still_is_played_once(channel: Channel) -> None:
    channel.show(0, 1, 2, 3, 4)
    look = Look(channel.url)
    assert (look.shades, look.reason) == (times(2, 3, 4), STANDS_STILL)
    assert look.info
    assert not look.info.is_recording
    look = Look(channel.url, look.mark)
    assert (look.shades, look.reason) == ([], STANDS_STILL)
    assert [channel.num_asked(f"/{number}.ts") for number in range(5)] == [0, 0, 1, 1, 1]
    channel.show(2, 3, 4, 5)
    look = Look(channel.url, look.mark)
    assert (look.shades, look.reason) == (times(5), STANDS_STILL)


@pytest.mark.parametrize("end", ["", "#EXT-X-ENDLIST"])
def test_an_old_playlist_must_move_on_before_it_is_played(channel: Channel, end: str) -> None:
    """What stands still since yesterday is not live when it is seen for the first time; a recording may be old."""
    channel.headers = {"Last-Modified": "Sat, 01 Jan 2000 00:00:00 GMT"}
    channel.show(0, 1, 2, end=end)
    look = Look(channel.url)
    if end:
        assert (look.shades, look.reason) == (times(0, 1, 2), None)
        return
    assert (look.shades, look.reason, channel.num_asked("/2.ts")) == ([], STANDS_STILL, 0)
    channel.moves_on = lambda: channel.show(1, 2, 3, 4)
    assert Look(channel.url).shades == times(3, 4)


def test_a_live_playlist_that_ends_is_no_recording(channel: Channel) -> None:
    def end(shade: int) -> None:
        channel.show(*range(shade, shade + 4), end="#EXT-X-ENDLIST" if shade == 2 else "")

    channel.show(0, 1, 2)
    look = Look(channel.url, then=lambda shade: end(min(shade, 2)))
    assert (look.shades, look.reason) == (times(0, 1, 2, 3, 4, 5), STANDS_STILL)
    again = Look(channel.url, look.mark)
    assert (again.shades, again.reason) == ([], STANDS_STILL)
    assert channel.num_asked("/5.ts") == 1


def test_a_playlist_of_a_session_of_its_own_is_not_played_again(channel: Channel, parts: list[bytes]) -> None:
    """The server names everything anew whenever its master playlist is asked for."""
    sessions = 0

    def master(handler: Handler) -> None:
        nonlocal sessions
        sessions += 1
        handler.reply(200, f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{sessions}/live.m3u8\n".encode())
        lines = "".join(f"#EXTINF:0.5,\n{number}.ts\n" for number in range(3))
        channel.web.give(f"/{sessions}/live.m3u8", f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n{lines}".encode())
        for number in range(3):
            channel.web.give(f"/{sessions}/{number}.ts", parts[number])

    channel.web.answers["/master"] = master
    look = Look(channel.web.url("/master"))
    assert look.shades == times(0, 1, 2)
    look = Look(channel.web.url("/master"), look.mark)
    assert (look.shades, look.reason) == ([], STANDS_STILL)


def test_numbers_that_begin_anew_and_missing_segments_are_borne(channel: Channel) -> None:
    def go_on(shade: int) -> None:
        if shade == 2:
            channel.show(3, "gone", 4, first=0)
        elif shade == 4:
            channel.show("gone", 4, 5, 6, first=1)

    channel.show(0, 1, 2, first=1000)
    look = Look(channel.url, then=go_on)
    assert (look.shades, look.reason) == (times(0, 1, 2, 3, 4, 5, 6), STANDS_STILL)


def test_numbers_that_jump_over_the_same_segments_bring_nothing_again(channel: Channel) -> None:
    def jump(shade: int) -> None:
        if shade == 3:
            channel.show(2, 3, 4, first=1002)

    channel.show(1, 2, 3)
    look = Look(channel.url, then=jump)
    assert (look.shades, look.reason) == (times(1, 2, 3, 4), STANDS_STILL)


@pytest.mark.parametrize("first", [5000, 0])
def test_addresses_that_come_again_are_read_again(channel: Channel, parts: list[bytes], first: int) -> None:
    """A server that writes five files in turns is started anew, or does not count at all."""
    newest = 2

    def move_on(shade: int) -> None:
        nonlocal newest
        newest = max(newest, min(shade + 1, 9))
        channel.web.give(f"/ring{newest % 5}.ts", parts[newest])
        names = [f"ring{number % 5}" for number in range(newest - 2, newest + 1)]
        channel.show(*names, first=first + newest if first and newest < 5 else 0)

    for number in range(3):
        channel.web.give(f"/ring{number}.ts", parts[number])
    move_on(0)
    look = Look(channel.url, then=move_on)
    assert (look.shades, look.reason) == (times(*range(10)), STANDS_STILL)


def test_new_numbers_over_the_same_bytes_are_said_to_be_that(channel: Channel, parts: list[bytes]) -> None:
    num_asked = 0

    def move_on() -> None:
        nonlocal num_asked
        num_asked += 1
        for number in range(num_asked, num_asked + 3):
            channel.web.give(f"/again{number}.ts", parts[5])
        channel.show(*(f"again{number}" for number in range(num_asked, num_asked + 3)), first=num_asked)

    move_on()
    channel.moves_on = move_on
    look = Look(channel.url)
    assert (look.shades, look.reason) == (times(5), REPEATS)
    look = Look(channel.url, look.mark)
    assert (look.shades, look.reason) == ([], REPEATS)


def test_a_recording_may_show_the_same_again(channel: Channel) -> None:
    channel.show(0, 1, 1, 0, first=0, end="#EXT-X-ENDLIST")
    look = Look(channel.url)
    assert (set(look.shades), look.reason) == ({0, 1}, None)
    assert [channel.num_asked(f"/{number}.ts") for number in range(2)] == [2, 2]


@pytest.mark.parametrize("status", [403, 404, 503])
def test_a_playlist_whose_segments_are_all_refused_says_so(channel: Channel, status: int) -> None:
    for name in "abcde":
        channel.web.answers[f"/{name}.ts"] = lambda handler: handler.reply(status)
    channel.show("a", "b", "c", first=0)
    look = Look(channel.url)
    assert look.reason == str(status_failed(status))
    assert channel.num_asked("/c.ts") > 0
    channel.show("a", "b", "c", "d", "e", first=0, end="#EXT-X-ENDLIST")
    assert Look(channel.url).reason == str(status_failed(status))


@pytest.mark.parametrize(("first", "window"), [(0, (2, 7)), (0, (4, 9)), (2**64 - 616, (2, 7))])
def test_a_window_that_grows_as_it_moves_on_loses_nothing(
    channel: Channel, first: int, window: tuple[int, int]
) -> None:
    """Its numbers are the largest that there are, or none: then what was read says what is new."""
    channel.show(*range(4), first=first)
    channel.moves_on = lambda: channel.show(*range(*window), first=first and first + window[0])
    look = Look(channel.url)
    assert (look.shades, look.reason) == (times(*range(1, window[1])), STANDS_STILL)


def test_a_playlist_is_not_asked_for_too_often(channel: Channel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower, "LEAST_REFETCH_SECONDS", LEAST_REFETCH_SECONDS)
    channel.show(0, 1, 2)
    look = Look(channel.url, stall_seconds=10.0)
    assert look.shades == times(0, 1, 2)
    assert 2 <= channel.num_asked("/live.m3u8") <= 1 + round(10.0 * SHARE / 0.5)
