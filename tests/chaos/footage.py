"""The files that the streams play: rendered clips with an incident each, played several times over."""

from collections.abc import Callable
from pathlib import Path

import av

from training.scenes.clips import render_demo_clip
from training.scenes.incidents import SHIPPED

FPS = 8.0


def render_files(
    folder: Path, count: int, seconds: float, repeats: int, on_progress: Callable[[int], None]
) -> list[Path]:
    """Renders clips, an incident in each, and repeats each in its file; tells how many are done."""
    paths = []
    for number in range(count):
        label, seed = SHIPPED[number % len(SHIPPED)], 1 + number // len(SHIPPED)
        once, path = folder / "once.mp4", folder / f"{number:02d}-{label}.mp4"
        render_demo_clip(label, seed, once, fps=FPS, seconds=seconds)
        repeat(once, path, repeats)
        once.unlink()
        paths.append(path)
        on_progress(number + 1)
    return paths


def repeat(source: Path, path: Path, repeats: int) -> None:
    """The same pictures again and again, without encoding them anew."""
    with av.open(str(path), "w") as repeated:
        stream, shift = None, 0
        for _ in range(repeats):
            with av.open(str(source)) as once:
                video = once.streams.video[0]
                stream = stream or repeated.add_stream_from_template(video)
                for packet in once.demux(video):
                    if packet.pts is None or packet.dts is None:
                        continue
                    packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, stream
                    repeated.mux(packet)
                shift += video.duration or 0
