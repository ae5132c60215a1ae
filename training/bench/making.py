"""Clips of incidents, made by the `ffmpeg` program from real backdrops, and what is true of each."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.errors import SettingsInvalid, SourceFailed
from training.bench.covers import COVERS
from training.bench.damage import HARMS
from training.bench.takes import CLIP_SECONDS, Harm, Manner, Stage, Take, Truth
from training.bench.views import VIEWS

TRUTH_FILE: Final = "truth.json"
MANNERS: Final = {(each.kind, each.name): each for each in (*COVERS, *VIEWS)}
DAMAGES: Final = {each.name: each for each in HARMS}

MAX_FOLDED_SECONDS: Final = 14.0
"""Of a shorter backdrop so much plays forth and back."""
MAX_HEIGHT: Final = 720

ENCODERS: Final = {
    "h264": "-c:v libx264 -preset veryfast -crf 23 -g {two_seconds}",
    "h264 low": "-c:v libx264 -preset veryfast -crf 33 -g {second} -sc_threshold 0",
    "hevc": "-c:v libx265 -preset ultrafast -crf 24 -x265-params keyint={two_seconds}:log-level=error:pools=1",
    "mpeg2": "-c:v mpeg2video -q:v 4 -g {second}",
    "mpeg4": "-c:v mpeg4 -q:v 4 -g {two_seconds}",
    "mjpeg": "-c:v mjpeg -q:v 4 -pix_fmt yuvj420p",
}
ANY_CODEC: Final = ("h264", "h264", "hevc", "mpeg4", "mpeg2", "mjpeg")
SUFFIXES: Final = {"h264": ".ts", "hevc": ".ts", "mpeg2": ".ts", "mpeg4": ".mkv", "mjpeg": ".mkv"}
MPEG2_RATES: Final = (24.0, 25.0, 30.0, 50.0)

RARITIES: Final = (20_000, 8_000, 3_000, 1_500, 700, 300)
SHARES: Final = (0.08, 0.15, 0.3, 0.5, 0.7, 0.9)
CHANGED_LEVELS: Final = 24
CHANGED_SHARE: Final = 0.015
"""A picture is seen to be damaged where so much of it is off by so many grey levels."""
HARDLY_CHANGED_SHARE: Final = 0.002
"""From where on an alarm is right."""
MAX_LATE_SECONDS: Final = 0.8
MIN_DAMAGED: Final = 0.35
"""The share of the pictures between start and end in which the damage must be seen."""


def make(takes: Sequence[Take], folder: Path, shown: Iterable[Take] | None = None) -> list[Truth]:
    """Makes the clips in `folder` with their truth.json; what is there already, of the same takes, is not made again.

    `shown` are the same takes, shown as they are begun. Takes whose damage cannot be seen on their backdrop are left
    out. Raises SettingsInvalid where ffmpeg is not there, SourceFailed where it fails.
    """
    require_ffmpeg()
    folder.mkdir(parents=True, exist_ok=True)
    attempts = [_kept(folder, take) or _made(take, folder) for take in shown or takes]
    made = [truth for truth in attempts if truth]
    (folder / TRUTH_FILE).write_text(json.dumps([truth.as_json() for truth in made], indent=1) + "\n")
    return made


def require_ffmpeg() -> None:
    """Raises SettingsInvalid where the program is not on the PATH."""
    if not shutil.which("ffmpeg"):
        raise SettingsInvalid("ffmpeg: not found on the PATH; incidents are made with it: apt-get install ffmpeg")


def _kept(folder: Path, take: Take) -> Truth | None:
    note = folder / f"{take.name}.json"
    if not note.is_file():
        return None
    truth = Truth(**json.loads(note.read_text()))
    return truth if (folder / truth.file).is_file() else None


def _made(take: Take, folder: Path) -> Truth | None:
    rng = Random(take.seed)
    with tempfile.TemporaryDirectory() as scratch:
        made = (_damaged if take.kind == "glitch" else _filtered)(take, rng, Path(scratch))
        if not made:
            return None
        clip, start, end = made
        file = take.name + clip.suffix
        shutil.move(clip, folder / file)
    truth = Truth(file, take.kind, take.manner, round(start, 3), round(end, 3), take.backdrop.name)
    (folder / f"{take.name}.json").write_text(json.dumps(truth.as_json()))
    return truth


def _filtered(take: Take, rng: Random, scratch: Path) -> tuple[Path, float, float]:
    manner: Manner = MANNERS[take.kind, take.manner]
    clip = scratch / "clip.mkv"
    stage = take.stage
    _encode(take, rng, manner.filters(stage, rng), _codec(manner.codec or rng.choice(ANY_CODEC), stage), clip)
    return clip, stage.start, stage.start + manner.lasts if manner.lasts else stage.end


def _codec(name: str, stage: Stage) -> str:
    """The codec, or another where it does not know the rate."""
    return "mpeg4" if name == "mpeg2" and stage.fps not in MPEG2_RATES else name


def _encode(take: Take, rng: Random, filters: str, codec: str, out: Path) -> None:
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
    _run([*begin, "-i", str(take.backdrop), "-filter_complex", graph, "-map", "[out]", "-an"], codec, stage, out)


def _run(arguments: Sequence[str], codec: str, stage: Stage, out: Path) -> None:
    second = max(2, round(stage.fps))
    encoder = ENCODERS[codec].format(second=second, two_seconds=2 * second).split()
    _ffmpeg([*arguments, *encoder, "-threads", "1", "-t", str(CLIP_SECONDS), str(out)])


def _ffmpeg(arguments: Sequence[str]) -> bytes:
    command = ["ffmpeg", "-v", "error", "-nostdin", "-y", "-filter_complex_threads", "1", *arguments]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        words = done.stderr.decode(errors="replace").strip().splitlines()
        raise SourceFailed(f"ffmpeg failed: {' '.join(words[-2:])[:500]} ({' '.join(command)[:1500]})")
    return done.stdout


def _damaged(take: Take, rng: Random, scratch: Path) -> tuple[Path, float, float] | None:
    """The mildest damage that is seen long enough, or the next, if any; true from its first picture to its last."""
    harm, stage = DAMAGES[take.manner], take.stage
    codec = _codec(harm.codec, stage)
    clean = scratch / f"clean{SUFFIXES[codec]}"
    _encode(take, rng, "[base]null", codec, clean)
    expected = _pictures(clean, stage)
    is_worse = rng.random() < 0.5
    for rarity, share in zip(RARITIES, SHARES, strict=True):
        clip = _harmed(harm, clean, stage, rarity + rng.randrange(97), share, scratch)
        off = _off(expected, _pictures(clip, stage), stage.fps)
        if (off > CHANGED_SHARE).sum() < MIN_DAMAGED * (stage.end - stage.start) * stage.fps:
            continue
        if is_worse and rarity != RARITIES[-1]:
            is_worse = False
            continue
        times = np.flatnonzero(off > HARDLY_CHANGED_SHARE) / stage.fps
        return clip, float(times[0]), float(times[-1])
    return None


def _harmed(harm: Harm, clean: Path, stage: Stage, rarity: int, share: float, scratch: Path) -> Path:
    during = f"between((pts-startpts)*tb,{stage.start},{stage.end})"
    amount, drop = (text.format(rare=rarity, share=share) for text in (harm.amount, harm.drop))
    damaged = scratch / f"damaged{clean.suffix}"
    bits = f"noise=amount='{during}*({amount})':drop='{during}*({drop})'"
    _ffmpeg(["-i", str(clean), "-c", "copy", "-bsf:v", bits, str(damaged)])
    if not harm.baked:
        return damaged
    baked = scratch / "baked.mkv"
    shown = ["-flags", "+output_corrupt", "-flags2", "+showall", "-i", str(damaged)]
    _run([*shown, "-vf", f"fps={stage.fps}", "-an"], "h264", stage, baked)
    return baked


def _pictures(clip: Path, stage: Stage) -> NDArray[np.int16]:
    """The clip as it decodes, at its rate, grey and small, [T, 120, 160]."""
    shown = ["-flags", "+output_corrupt", "-flags2", "+showall", "-i", str(clip)]
    filters = f"fps={stage.fps},scale=160:120:flags=area,format=gray"
    raw = _ffmpeg([*shown, "-vf", filters, "-f", "rawvideo", "-"])
    return np.frombuffer(raw, np.uint8).reshape(-1, 120, 160).astype(np.int16)


def _off(expected: NDArray[np.int16], found: NDArray[np.int16], fps: float) -> NDArray[np.float64]:
    """The share of each picture that is damaged: one that only comes late, or again, is not."""
    count = min(len(expected), len(found))
    shares = np.zeros(count)
    for index in range(count):
        late = expected[max(0, index - round(MAX_LATE_SECONDS * fps)) : index + 1]
        shares[index] = (np.abs(late - found[index]) > CHANGED_LEVELS).mean(axis=(1, 2)).min()
    return shares
