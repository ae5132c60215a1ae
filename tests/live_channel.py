"""A live HLS playlist on a server of its own, and what is seen of it."""

import threading
from collections.abc import Callable
from pathlib import Path

from grey_films import NUM_FRAMES, STEP
from web_server import Answer, Handler, WebServer

from services.ingest.sources.options import ReadOptions
from services.ingest.sources.video import VideoInfo, open_video
from shared.errors import SourceFailed
from shared.sources import parse_source

SHARE = 0.2
REFETCH_SECONDS = 0.1


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

    def show(self, *names: int | str, first: int | None = None, end: str = "", target: str = "0.1") -> None:
        first = int(names[0]) if first is None else first
        lines = [name if isinstance(name, str) and name[0] == "#" else f"#EXTINF:0.5,\n{name}.ts" for name in names]
        head = f"#EXTM3U\n#EXT-X-TARGETDURATION:{target}\n#EXT-X-MEDIA-SEQUENCE:{first}\n"
        self._text = (head + "\n".join(lines) + f"\n{end}\n").encode()

    def num_asked(self, path: str) -> int:
        return sum(asked == path for asked, _ in self.web.asked)


class Impatient(threading.Event):
    """Stops nothing, and has nothing wait for its time."""

    def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002
        return False


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
                for frame in video.frames(500.0, Impatient()):
                    self.mark = video.mark
                    shade = round(float(frame.image.mean()) / STEP)
                    if callable(then) and shade not in self.shades:
                        then(shade)
                    self.shades.append(shade)
                    self.sizes.add(frame.image.shape[1::-1])
        except SourceFailed as err:
            self.reason = str(err)


def times(*shades: int) -> list[int]:
    return [shade for shade in shades for _ in range(NUM_FRAMES)]


def in_turn(*answers: Answer) -> Answer:
    """One after the other, and the last for ever."""
    left = list(answers)

    def answer(handler: Handler) -> None:
        now = left.pop(0) if len(left) > 1 else left[0]
        now(handler)

    return answer
