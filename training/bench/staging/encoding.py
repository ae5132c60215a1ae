"""The `ffmpeg` program: backdrops as long as a clip, through filters, into real codecs."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Final

from shared.errors import SettingsInvalid, SourceFailed
from training.bench.staging.takes import CLIP_SECONDS, Stage, Take

MAX_FOLDED_SECONDS: Final = 14.0
"""Of a shorter backdrop so much plays forth and back."""
MAX_HEIGHT: Final = 720

ENCODERS: Final = {
    "h264": "-c:v libx264 -preset veryfast -crf 23 -g {two_seconds}",
    "h264 camera": "-c:v libx264 -preset veryfast -crf 23 -g {two_seconds} -bf 0 -refs 1",
    "h264 low": "-c:v libx264 -preset veryfast -crf 33 -g {second} -sc_threshold 0",
    "hevc": "-c:v libx265 -preset ultrafast -crf 24 -x265-params keyint={two_seconds}:log-level=error:pools=1",
    "mpeg2": "-c:v mpeg2video -q:v 4 -g {second} -r {mpeg2_rate}",
    "mpeg4": "-c:v mpeg4 -q:v 4 -g {two_seconds}",
    "mjpeg": "-c:v mjpeg -q:v 4 -pix_fmt yuvj420p",
}
ANY_CODEC: Final = ("h264", "h264", "hevc", "mpeg4", "mpeg2", "mjpeg")
SUFFIXES: Final = {"h264 camera": ".ts", "hevc": ".ts", "mpeg2": ".ts", "mpeg4": ".mkv", "mjpeg": ".mkv"}
MPEG2_RATES: Final = (25, 30, 50, 60)
"""All that it knows: a picture of another rate comes again."""


def require_ffmpeg() -> None:
    """Raises SettingsInvalid where the program is not on the PATH."""
    if not shutil.which("ffmpeg"):
        raise SettingsInvalid("ffmpeg: not found on the PATH; incidents are made with it: apt-get install ffmpeg")


def encode(take: Take, rng: Random, filters: str, codec: str, out: Path) -> None:
    """The backdrop, as long as a clip, through a filter graph from [base] to [out]."""
    stage, available = take.stage, take.backdrop_seconds
    fps = f"fps={stage.fps},scale={stage.width}:{stage.height},setsar=1,format=yuv420p"
    if available > CLIP_SECONDS + 1:
        begin = ["-ss", f"{rng.uniform(0, available - CLIP_SECONDS - 1):.2f}", "-t", str(CLIP_SECONDS + 1)]
        base = f"[0:v]{fps},setpts=N/{stage.fps}/TB[base]"
    else:
        begin = ["-t", str(MAX_FOLDED_SECONDS)]
        frames = 2 * round(MAX_FOLDED_SECONDS * stage.fps) + 2
        base = (
            f"[0:v]{fps},split[forth][again];[again]reverse[back];[forth][back]concat=n=2,"
            f"loop=loop=-1:size={frames}:start=0,setpts=N/{stage.fps}/TB[base]"
        )
    graph = f"{base};{filters},trim=duration={CLIP_SECONDS},format=yuv420p[out]"
    run_encoder([*begin, "-i", str(take.backdrop), "-filter_complex", graph, "-map", "[out]", "-an"], codec, stage, out)


def run_encoder(arguments: Sequence[str], codec: str, stage: Stage, out: Path) -> None:
    """Runs ffmpeg with these arguments into a codec, as long as a clip; raises SourceFailed where it fails."""
    second = max(2, round(stage.fps))
    encoder = ENCODERS[codec].format(second=second, two_seconds=2 * second, mpeg2_rate=_mpeg2_rate(stage)).split()
    run_ffmpeg([*arguments, *encoder, "-threads", "1", "-t", str(CLIP_SECONDS), str(out)])


def packet_rate(codec: str, stage: Stage) -> float:
    """Packets a second of what `encode` writes."""
    return _mpeg2_rate(stage) if codec == "mpeg2" else stage.fps


def _mpeg2_rate(stage: Stage) -> int:
    return next((rate for rate in MPEG2_RATES if rate >= stage.fps - 0.1), MPEG2_RATES[-1])


def run_ffmpeg(arguments: Sequence[str]) -> bytes:
    """Runs the program and returns its standard output; raises SourceFailed where it fails."""
    command = ["ffmpeg", "-v", "error", "-nostdin", "-y", "-filter_complex_threads", "1", *arguments]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        words = done.stderr.decode(errors="replace").strip().splitlines()
        raise SourceFailed(f"ffmpeg failed: {' '.join(words[-2:])[:500]} ({' '.join(command)[:1500]})")
    return done.stdout
