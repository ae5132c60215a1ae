"""HLS whose segments change their kind, or are parts of a file."""

import pytest
from grey_films import film, fragments
from live_channel import Channel, Look, times

from services.ingest.sources.hls.follower import CHANGES_FORMAT


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
