"""Live HLS from servers that stumble, name variants, or begin sessions."""

import pytest
from grey_films import film, fragments
from live_channel import Channel, Look, in_turn, times
from web_server import Answer, Handler, WebServer

from services.ingest.sources.failures import status_failed
from services.ingest.sources.hls.follower import CUT_SHORT, STANDS_STILL


def refuse(handler: Handler) -> None:
    handler.reply(403)


def be_busy(handler: Handler) -> None:
    handler.reply(503)


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
