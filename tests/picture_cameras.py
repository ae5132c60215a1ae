"""HTTP cameras of a test's own that give pictures, and how a test reads them."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from web_server import Answer, Handler

from services.ingest.sources.options import ReadOptions
from services.ingest.sources.video import SampledFrame, Video, open_video
from shared.sources import parse_source

EVERY_PICTURE: Final = 100_000.0
"""A grid so fine that none falls between its points."""
GREYS: Final = [20, 90, 160, 230]


@contextmanager
def opened(url: str, stall_seconds: float = 20.0, poll_fps: float = 50.0) -> Iterator[Video]:
    options = ReadOptions(stall_seconds=stall_seconds, poll_fps=poll_fps)
    with open_video(parse_source(url, Path("/")), options) as video:
        yield video


def frames_of(video: Video, fps: float = EVERY_PICTURE) -> Iterator[SampledFrame]:
    return video.frames(fps, threading.Event())


def grey_of(frame: SampledFrame) -> int:
    return round(float(frame.image.mean()))


def stream(send: Callable[[Handler], None], content_type: str, *, in_chunks: bool = False) -> Answer:
    def answer(handler: Handler) -> None:
        if in_chunks:
            handler.protocol_version = "HTTP/1.1"
        handler.send_response(200)
        if content_type:
            handler.send_header("Content-Type", content_type)
        if in_chunks:
            handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        send(handler)

    return answer
