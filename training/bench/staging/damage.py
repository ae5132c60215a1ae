"""Streams that arrive damaged: what FFmpeg's bit stream filter changes and drops in real codecs' packets."""

from pathlib import Path
from random import Random
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.bench.staging.encoding import SUFFIXES, encode, packet_rate, run_encoder, run_ffmpeg
from training.bench.staging.takes import Harm, Stage, Take

_HARMS: Final = (
    Harm("MPEG-2, bits", "mpeg2", amount="{rare}"),
    Harm("MPEG-2, bits, fresh", "mpeg2", amount="{rare}", baked=False),
    Harm("MPEG-4, bits", "mpeg4", amount="{rare}"),
    Harm("MPEG-4, bits, fresh", "mpeg4", amount="{rare}", baked=False),
    Harm("MPEG-4, lost stretches", "mpeg4", drop="lt(mod(n/{rate},1.7),{share})"),
    Harm("H.264, bits", "h264 camera", amount="{rare}"),
    Harm("H.264, bits, fresh", "h264 camera", amount="{rare}", baked=False),
    Harm("H.264, lost packets", "h264 camera", drop="not(key)*lt(random(1),{share})"),
    Harm("H.264, lost key frames", "h264 camera", drop="key"),
    Harm("HEVC, bits", "hevc", amount="{rare}"),
    Harm("HEVC, lost packets", "hevc", drop="not(key)*lt(random(1),{share})"),
    Harm("MJPEG, bits", "mjpeg", amount="{rare}"),
)
HARMS: Final = {harm.name: harm for harm in _HARMS}

RARITIES: Final = (20_000, 8_000, 3_000, 1_500, 700, 300)
SHARES: Final = (0.08, 0.15, 0.3, 0.5, 0.7, 0.9)
CHANGED_LEVELS: Final = 24
CHANGED_SHARE: Final = 0.025
"""A picture is seen to be damaged where so much of it is off by so many grey levels."""
HARDLY_CHANGED_SHARE: Final = 0.002
"""From where on an alarm is right."""
MAX_LATE_SECONDS: Final = 2.0
MAX_GROUP_SECONDS: Final = 2.5
"""Damage lasts until the next key frame; what is off beyond is the second encoding's."""
MIN_DAMAGED: Final = 0.35
"""The share of the pictures between start and end in which the damage must be seen."""


def damaged(take: Take, rng: Random, scratch: Path) -> tuple[Path, float, float] | None:
    """The mildest damage that is seen long enough, or the next, if any; true from its first picture to its last."""
    harm, stage = HARMS[take.manner], take.stage
    clean = scratch / f"clean{SUFFIXES[harm.codec]}"
    encode(take, rng, "[base]null", harm.codec, clean)
    expected = _pictures(clean, stage)
    is_worse = rng.random() < 0.5
    for rarity, share in zip(RARITIES, SHARES, strict=True):
        clip = _harmed(harm, clean, stage, rarity + rng.randrange(97), share, scratch)
        off = damaged_shares(expected, _pictures(clip, stage), stage.fps)
        seen = seen_seconds(off, stage)
        if not seen:
            continue
        if is_worse and rarity != RARITIES[-1]:
            is_worse = False
            continue
        return clip, *seen
    return None


def seen_seconds(shares: NDArray[np.float64], stage: Stage) -> tuple[float, float] | None:
    """When the damage of pictures, by how much of each is off, is seen first and last; None where it is too little.

    Before and long after the stage's time what is off is the second encoding's: there nothing is seen.
    """
    if (shares > CHANGED_SHARE).sum() < MIN_DAMAGED * (stage.end - stage.start) * stage.fps:
        return None
    times = np.flatnonzero(shares > HARDLY_CHANGED_SHARE) / stage.fps
    times = times[(times >= stage.start - MAX_GROUP_SECONDS) & (times <= stage.end + MAX_GROUP_SECONDS)]
    return (float(times[0]), float(times[-1])) if len(times) else None


def _harmed(harm: Harm, clean: Path, stage: Stage, rarity: int, share: float, scratch: Path) -> Path:
    """The stream with one byte in `rarity` changed, or a `share` of its packets lost, as the harm says."""
    rate = packet_rate(harm.codec, stage)
    during = f"between(n/{rate},{stage.start},{stage.end})"
    amount, drop = (text.format(rare=rarity, share=share, rate=rate) for text in (harm.amount, harm.drop))
    # the times of a fresh one are the container's: a transport stream's are guessed from headers that may be damaged
    stream = scratch / f"damaged{clean.suffix if harm.baked else '.mkv'}"
    bits = f"noise=amount='{during}*({amount})':drop='{during}*({drop})'"
    run_ffmpeg(["-i", str(clean), "-c", "copy", "-bsf:v", bits, str(stream)])
    if not harm.baked:
        return stream
    baked = scratch / "baked.mkv"
    shown = ["-flags", "+output_corrupt", "-flags2", "+showall", "-i", str(stream)]
    run_encoder([*shown, "-vf", f"fps={stage.fps}", "-an"], "h264", stage, baked)
    return baked


def _pictures(clip: Path, stage: Stage) -> NDArray[np.int16]:
    """The clip as it decodes, at its rate, grey and small, [T, 120, 160]."""
    shown = ["-flags", "+output_corrupt", "-flags2", "+showall", "-i", str(clip)]
    filters = f"fps={stage.fps},scale=160:120:flags=area,format=gray"
    raw = run_ffmpeg([*shown, "-vf", filters, "-f", "rawvideo", "-"])
    return np.frombuffer(raw, np.uint8).reshape(-1, 120, 160).astype(np.int16)


def damaged_shares(expected: NDArray[np.int16], found: NDArray[np.int16], fps: float) -> NDArray[np.float64]:
    """The share of each picture that is damaged: one that only comes late, or again, is not."""
    count = min(len(expected), len(found))
    shares = np.zeros(count)
    for index in range(count):
        late = expected[max(0, index - round(MAX_LATE_SECONDS * fps)) : index + 1]
        shares[index] = (np.abs(late - found[index]) > CHANGED_LEVELS).mean(axis=(1, 2)).min()
    return shares
