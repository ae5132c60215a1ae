"""Live HLS, read from a real server: nothing is played twice, and what the playlist does is said."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from grey_films import NUM_FRAMES, STEP, film, fragments
from web_server import Answer, Handler, WebServer, web_server

from services.ingest.sources.failures import status_failed
from services.ingest.sources.hls import follower
from services.ingest.sources.hls.follower import CHANGES_FORMAT, CUT_SHORT, REPEATS, STANDS_STILL
from services.ingest.sources.options import ReadOptions
from services.ingest.sources.video import VideoInfo, open_video
from shared.errors import SourceFailed
from shared.sources import parse_source

SHARE = 0.2


@pytest.fixture(scope="module")
def parts() -> list[bytes]:
    return [film(number) for number in range(12)]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives a playlist up for standing still long before a server for saying nothing."""
    monkeypatch.setattr(follower, "SHARE_OF_PATIENCE", SHARE)
    monkeypatch.setattr(follower, "EARLY_SECONDS", 0.1)


class Channel:
    """A live playlist on a server: `show` changes what it names, `parts` is what it may name."""

    def __init__(self, web: WebServer, parts: list[bytes]) -> None:
        self.web = web
        self.url = web.url("/live.m3u8")
        self._text = b""
        self.headers: dict[str, str] = {}
        self.moves_on: Callable[[], None] | None = None
        """called once the playlist was asked for"""
        web.answers["/live.m3u8"] = self._answer
        for number, part in enumerate(parts):
            web.give(f"/{number}.ts", part)

    def _answer(self, handler: Handler) -> None:
        handler.reply(200, self._text, **self.headers)
        if self.moves_on:
            self.moves_on()

    def show(self, *names: int | str, first: int | None = None, end: str = "", target: str = "1") -> None:
        first = int(names[0]) if first is None else first
        lines = [name if isinstance(name, str) and name[0] == "#" else f"#EXTINF:0.5,\n{name}.ts" for name in names]
        head = f"#EXTM3U\n#EXT-X-TARGETDURATION:{target}\n#EXT-X-MEDIA-SEQUENCE:{first}\n"
        self._text = (head + "\n".join(lines) + f"\n{end}\n").encode()

    def num_asked(self, path: str) -> int:
        return sum(asked == path for asked, _ in self.web.asked)


class Look:
    """One attempt at a source: `shades` of what was seen, in order, why it ended, and its mark."""

    def __init__(self, url: str, after: str | None = None, stall_seconds: float = 6.0, then: object = None) -> None:
        self.shades: list[int] = []
        self.sizes: set[tuple[int, int]] = set()
        self.reason: str | None = None
        self.mark = after
        self.info: VideoInfo | None = None
        source = parse_source(url, Path("/"))
        try:
            with open_video(source, ReadOptions(stall_seconds=stall_seconds), after) as video:
                self.info = video.info
                for frame in video.frames(500.0, threading.Event()):
                    self.mark = video.mark
                    shade = round(float(frame.image.mean()) / STEP)
                    if callable(then) and shade not in self.shades:
                        then(shade)
                    self.shades.append(shade)
                    self.sizes.add(frame.image.shape[1::-1])
        except SourceFailed as err:
            self.reason = str(err)


@pytest.fixture
def channel(parts: list[bytes]) -> Iterator[Channel]:
    with web_server() as web:
        yield Channel(web, parts)


def times(*shades: int) -> list[int]:
    return [shade for shade in shades for _ in range(NUM_FRAMES)]


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


def in_turn(*answers: Answer) -> Answer:
    """One after the other, and the last for ever."""
    left = list(answers)

    def answer(handler: Handler) -> None:
        now = left.pop(0) if len(left) > 1 else left[0]
        now(handler)

    return answer


def refuse(handler: Handler) -> None:
    handler.reply(403)


def be_busy(handler: Handler) -> None:
    handler.reply(503)


def cut_short(body: bytes) -> Answer:
    """Half of it, and the connection is gone."""

    def answer(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[: len(body) // 2])

    return answer


STUFFING = (b"\x47\x1f\xff\x10" + bytes(184)) * 60


def test_a_segment_that_is_refused_or_cut_short_again_and_again_is_one_that_is_lost(
    channel: Channel, parts: list[bytes]
) -> None:
    """It is one in three, as on a store that says 403 of what it does not have."""
    channel.web.answers["/1.ts"] = refuse
    channel.web.answers["/4.ts"] = cut_short(STUFFING + parts[4])
    channel.show(0, 1, 2)
    channel.moves_on = lambda: channel.show(2, 3, 4, 5)
    look = Look(channel.url)
    assert (look.shades, look.reason) == (times(0, 2, 3, 5), STANDS_STILL)
    assert channel.num_asked("/4.ts") == 2


def test_a_segment_that_was_cut_short_goes_on_where_it_broke_off(channel: Channel, parts: list[bytes]) -> None:
    """If it is the same one: an address may be used again."""
    whole, other = parts[1] + STUFFING + film(2), STUFFING + STUFFING + film(9)
    channel.web.give("/1.ts", whole)
    channel.web.answers["/1.ts"] = in_turn(cut_short(whole), channel.web.answers["/1.ts"])
    channel.web.give("/3.ts", other)
    channel.web.answers["/3.ts"] = in_turn(cut_short(parts[3] + STUFFING), channel.web.answers["/3.ts"])
    channel.show(0, 1, 3, 4)
    look = Look(channel.url)
    assert (look.shades, look.reason) == (times(1, 2, 3, 4), STANDS_STILL)


def test_a_fragment_that_was_cut_short_is_left_for_a_reader_of_its_own(channel: Channel) -> None:
    """What follows would be taken for the rest of it."""
    init, (first, second) = fragments(0, 1)
    for name, content in (("init", init), ("1", second)):
        channel.web.give(f"/{name}.ts", content)
    channel.web.answers["/0.ts"] = cut_short(first + (10_000).to_bytes(4) + b"free" + bytes(9_992))
    channel.show('#EXT-X-MAP:URI="init.ts"', 0, 1, first=0, end="#EXT-X-ENDLIST")
    look = Look(channel.url)
    assert (look.shades, look.reason) == (times(0), CUT_SHORT)
    look = Look(channel.url, look.mark)
    assert (look.shades, look.reason) == (times(1), None)


@pytest.mark.parametrize(("first", "window"), [(0, (2, 7)), (0, (4, 9)), (2**64 - 616, (2, 7))])
def test_a_window_that_grows_as_it_moves_on_loses_nothing(
    channel: Channel, first: int, window: tuple[int, int]
) -> None:
    """Its numbers are the largest that there are, or none: then what was read says what is new."""
    channel.show(*range(4), first=first)
    channel.moves_on = lambda: channel.show(*range(*window), first=first and first + window[0])
    look = Look(channel.url)
    assert (look.shades, look.reason) == (times(*range(1, window[1])), STANDS_STILL)


def test_a_playlist_is_not_asked_for_too_often(channel: Channel) -> None:
    channel.show(0, 1, 2, target="0")
    look = Look(channel.url, stall_seconds=10.0)
    assert look.shades == times(0, 1, 2)
    assert 2 <= channel.num_asked("/live.m3u8") <= 1 + round(10.0 * SHARE / 0.5)


def hang_up(handler: Handler) -> None:
    handler.connection.close()


def break_off(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b"#EXTM3U\n")


def half_written(handler: Handler) -> None:
    handler.reply(200)


@pytest.mark.parametrize("stumble", [refuse, be_busy, hang_up, break_off, half_written])
def test_a_server_that_stumbles_is_asked_again(channel: Channel, stumble: Answer) -> None:
    """Whether it is its playlist or a segment that it does not give now."""
    playlist, segment = channel.web.answers["/live.m3u8"], channel.web.answers["/2.ts"]
    channel.web.answers["/live.m3u8"] = in_turn(playlist, stumble, playlist)
    channel.web.answers["/2.ts"] = in_turn(stumble, segment)
    channel.show(0, 1, 2)

    def move_on() -> None:
        if channel.num_asked("/live.m3u8") > 1:
            channel.show(0, 1, 2, 3)

    channel.moves_on = move_on
    look = Look(channel.url, stall_seconds=10.0)
    assert (look.shades, look.reason) == (times(0, 1, 2, 3), STANDS_STILL)


def test_a_server_that_stumbles_for_too_long_says_why(channel: Channel) -> None:
    def fall() -> None:
        channel.web.answers["/live.m3u8"] = be_busy

    channel.show(0, 1, 2)
    channel.moves_on = fall
    look = Look(channel.url)
    assert look.shades == times(0, 1, 2)
    assert look.reason == "the camera answers with an error of its own (HTTP status 503)"
    assert channel.num_asked("/live.m3u8") > 2


def give_variants(web: WebServer, num_variants: int = 2) -> str:
    lines = "".join(f"#EXT-X-STREAM-INF:BANDWIDTH={number}\n{number}.m3u8\n" for number in range(num_variants))
    web.give("/main.m3u8", f"#EXTM3U\n{lines}".encode())
    return web.url("/main.m3u8")


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_a_variant_that_is_refused_is_left_for_the_next(channel: Channel, status: int) -> None:
    url = give_variants(channel.web, 3)
    channel.web.answers["/0.m3u8"] = lambda handler: handler.reply(status)
    channel.web.give("/1.m3u8", b"#EXTM3U\n#EXT-X-KEY:METHOD=AES-128\n#EXTINF:1,\n0.ts\n")
    channel.web.answers["/2.m3u8"] = channel.web.answers["/live.m3u8"]
    channel.show(0, 1, end="#EXT-X-ENDLIST")
    look = Look(url)
    assert (look.shades, look.reason) == (times(0, 1), None)
    channel.web.answers["/2.m3u8"] = channel.web.answers["/0.m3u8"]
    assert Look(url).reason == str(status_failed(status))


def test_a_variant_that_stands_still_is_left_for_one_that_goes_on(channel: Channel, parts: list[bytes]) -> None:
    url, shown = give_variants(channel.web), 3
    still = Channel(channel.web, parts)
    still.show(0, 1, 2)
    channel.web.answers["/0.m3u8"] = channel.web.answers["/live.m3u8"]
    moving = Channel(channel.web, parts)
    channel.web.answers["/1.m3u8"] = channel.web.answers["/live.m3u8"]

    def move_on() -> None:
        nonlocal shown
        shown = min(shown + 1, 6)
        moving.show(*range(shown - 3, shown))

    move_on()
    moving.moves_on = move_on
    look = Look(url, stall_seconds=12.0)
    assert (look.shades, look.reason) == (times(*range(6)), STANDS_STILL)


def test_variants_that_all_stand_still_are_played_once(channel: Channel, parts: list[bytes]) -> None:
    url = give_variants(channel.web)
    channel.web.answers["/0.m3u8"] = channel.web.answers["/live.m3u8"]
    channel.show(0, 1, 2)
    for number in range(3):
        channel.web.give(f"/other{number}.ts", film(number + 6))
    channel.web.give("/1.m3u8", b"#EXTM3U\n" + b"".join(b"#EXTINF:1,\nother%d.ts\n" % k for k in range(3)))
    look = Look(url)
    assert (look.shades, look.reason) == (times(0, 1, 2), STANDS_STILL)
    assert channel.num_asked("/1.m3u8") > 0


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_session_that_has_ended_is_begun_anew(channel: Channel, status: int) -> None:
    """Each is good for one answer."""
    playlist, num_sessions = channel.web.answers["/live.m3u8"], 0

    def begin(handler: Handler) -> None:
        nonlocal num_sessions
        num_sessions += 1
        path = f"/{num_sessions}/live.m3u8"
        channel.web.answers[path] = in_turn(playlist, lambda handler: handler.reply(status))
        handler.reply(302, Location=path)

    def move_on() -> None:
        newest = min(num_sessions + 2, 4)
        channel.show(*range(newest - 2, newest + 1))

    channel.web.answers["/begin"] = begin
    for number in range(5):
        channel.web.answers.update({f"/{k}/{number}.ts": channel.web.answers[f"/{number}.ts"] for k in range(1, 9)})
    channel.show(0, 1, 2)
    channel.moves_on = move_on
    look = Look(channel.web.url("/begin"), stall_seconds=12.0)
    assert look.shades == times(*range(5))
    assert num_sessions >= 3


def test_a_session_cookie_is_sent_back(channel: Channel, parts: list[bytes]) -> None:
    channel.show(0, 1, end="#EXT-X-ENDLIST")
    playlist = channel.web.answers["/live.m3u8"]

    def guarded(handler: Handler) -> None:
        handler.reply(200 if "session=abc" in handler.headers.get("Cookie", "") else 403, parts[0])

    def greet(handler: Handler) -> None:
        if "session=abc" in handler.headers.get("Cookie", ""):
            playlist(handler)
        else:
            handler.reply(302, Location="/live.m3u8", Set_Cookie="session=abc; Path=/; HttpOnly")

    channel.web.answers.update({"/live.m3u8": greet, "/0.ts": guarded, "/1.ts": guarded})
    assert Look(channel.url).reason is None


@pytest.mark.parametrize("tag", ["#EXT-X-DISCONTINUITY", "#EXT-X-VERSION:3"])
def test_another_size_and_another_clock_go_on(channel: Channel, tag: str) -> None:
    for number in range(2):
        channel.web.give(f"/wide{number}.ts", film(number + 6, size=(96, 48)))
    channel.show(4, tag, "wide0", "wide1", end="#EXT-X-ENDLIST\n#EXT-X-PLAYLIST-TYPE:VOD")
    look = Look(channel.url)
    assert look.shades == times(4, 6, 7)
    assert look.sizes == {(64, 48), (96, 48)}
    assert look.reason is None
    assert look.info
    assert look.info.is_recording


def test_another_codec_goes_on(channel: Channel) -> None:
    """But for the last picture before it, for whose end the parser of the codec waits."""
    for number in (2, 3):
        channel.web.give(f"/{number}.ts", film(number, codec="libx265", size=(96, 64)))
    channel.show(0, 1, "#EXT-X-DISCONTINUITY", 2, 3, end="#EXT-X-ENDLIST")
    look = Look(channel.url)
    assert look.shades in (times(0, 1, 2, 3), [*times(0, 1)[:-1], *times(2, 3)])
    assert (look.sizes, look.reason) == ({(64, 48), (96, 64)}, None)


def test_fragments_of_another_kind_are_opened_anew(channel: Channel) -> None:
    lines = []
    for number, size in enumerate(((64, 48), (96, 48))):
        init, (first, second) = fragments(2 * number, 2 * number + 1, size=size)
        channel.web.give(f"/init{number}.mp4", init)
        channel.web.give(f"/{2 * number}.ts", first)
        channel.web.give(f"/{2 * number + 1}.ts", second)
        lines += [f'#EXT-X-MAP:URI="init{number}.mp4"', str(2 * number), str(2 * number + 1)]
    channel.show(*lines, first=0, end="#EXT-X-ENDLIST")
    look = Look(channel.url)
    assert (look.shades, look.reason, look.sizes) == (times(0, 1), CHANGES_FORMAT, {(64, 48)})
    look = Look(channel.url, look.mark)
    assert (look.shades, look.reason, look.sizes) == (times(2, 3), None, {(96, 48)})


def test_fragments_whose_clock_begins_anew_are_opened_anew(channel: Channel) -> None:
    """The MP4 reader would take them for those that it has."""
    init, (first, second) = fragments(0, 1)
    for name, content in (("init", init), ("0", first), ("1", second), ("2", fragments(0)[1][0])):
        channel.web.give(f"/{name}.ts", content)
    channel.show('#EXT-X-MAP:URI="init.ts"', 0, 1, "#EXT-X-DISCONTINUITY", 2, first=0, end="#EXT-X-ENDLIST")
    look = Look(channel.url)
    assert (look.shades, look.reason) == (times(0, 1), CHANGES_FORMAT)
    look = Look(channel.url, look.mark)
    assert (look.shades, look.reason) == (times(0), None)


@pytest.mark.parametrize("kind", ["mpegts", "mp4"])
def test_parts_of_one_file_are_read(channel: Channel, kind: str) -> None:
    """As `-hls_flags single_file` writes them; the first bytes of MP4 are a part, too."""
    whole, contents = fragments(*range(3)) if kind == "mp4" else (b"", [film(number) for number in range(3)])
    lines = [f'#EXT-X-MAP:URI="whole.ts",BYTERANGE="{len(whole)}@0"'] if whole else []
    for number, content in enumerate(contents):
        place = f"@{len(whole)}" if number % 2 == 0 else ""
        lines += [f"#EXT-X-BYTERANGE:{len(content)}{place}", "whole"]
        whole += content
    channel.web.give_parts("/whole.ts", whole)
    channel.show(*lines, first=0, end="#EXT-X-ENDLIST")
    look = Look(channel.url)
    assert (look.shades, look.reason) == (times(0, 1, 2), None)
    assert all("Range" in headers for path, headers in channel.web.asked if path == "/whole.ts")


def test_a_server_without_parts_says_so(channel: Channel, parts: list[bytes]) -> None:
    channel.show("#EXT-X-BYTERANGE:1000@0", "0", first=0, end="#EXT-X-ENDLIST")
    assert Look(channel.url).reason == "its playlist names parts of a file, and its server gives no parts"


@pytest.mark.parametrize("said", ["bytes 0-999/3000", "bytes */3000", ""])
def test_a_part_that_was_not_asked_for_is_not_believed(channel: Channel, parts: list[bytes], said: str) -> None:
    """Else the first segment would be played for each of them."""
    headers = {"Content_Range": said} if said else {}
    channel.web.answers["/whole.ts"] = lambda handler: handler.reply(206, parts[0], **headers)
    channel.show(f"#EXT-X-BYTERANGE:{len(parts[1])}@{len(parts[0])}", "whole", first=0, end="#EXT-X-ENDLIST")
    look = Look(channel.url)
    assert (look.shades, look.reason) == ([], "its playlist names parts of a file, and its server gives no parts")
