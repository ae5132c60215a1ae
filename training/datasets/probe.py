"""What a video file says of itself, once its first picture has decoded."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.ingest.sources.video import open_video
from shared.errors import SourceFailed
from shared.sources import Source

PROBE_FPS: Final = 8.0
MAX_THREADS: Final = 4


@dataclass(frozen=True, slots=True)
class Probed:
    """A video's length, rate and size, or why it cannot be used."""

    seconds: float | None = None
    fps: float | None = None
    num_pixels: int = 0
    num_bytes: int = 0
    failure: str | None = None


def probe(path: Path, *, measure: bool = False) -> Probed:
    """Opens a video up to its first picture; to `measure`, one that states no length is decoded to its end."""
    try:
        with open_video(Source(str(path.resolve()))) as video:
            info = video.info
            frames = video.frames(PROBE_FPS, threading.Event())
            last = next(frames)
            seconds = info.duration_seconds
            if seconds is None and measure:
                for last in frames:  # noqa: B007  (only the last one's time counts)
                    pass
                seconds = (last.point + 1) / PROBE_FPS
        return Probed(seconds, info.fps, info.width * info.height, path.stat().st_size)
    except SourceFailed as err:
        return Probed(failure=str(err))


def probe_all(
    wanted: Sequence[tuple[Path, bool]], on_progress: Callable[[int, int], None] | None = None
) -> Iterator[Probed]:
    """Probes (path, measure) pairs on a few threads, in order; `on_progress(done, total)` hears of each."""
    pool = ThreadPoolExecutor(min(MAX_THREADS, os.cpu_count() or 1))
    try:
        results = pool.map(lambda pair: probe(pair[0], measure=pair[1]), wanted)
        for done, probed in enumerate(results, start=1):
            if on_progress is not None:
                on_progress(done, len(wanted))
            yield probed
    finally:
        pool.shutdown(cancel_futures=True)  # who stops early does not wait for the rest
