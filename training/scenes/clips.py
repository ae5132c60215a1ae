"""Rendered clips as video files, for demonstrations; needs no torch."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from shared.errors import SourceFailed
from training.scenes.incidents import DURATIONS_SECONDS, LABELS, Incident
from training.scenes.scene import Clip, render_clip
from training.scenes.seeds import Split, clip_seed
from training.truth import Interval

SIZE = (320, 240)
EARLIEST_SECONDS = 5.0
CRF = 20
SEEDS_APART, ATTEMPTS_APART = 10, 7
LINGERING = ("covered", "moved")
"""Of these the memory of half a minute keeps what was seen meanwhile: soon after, they are nothing new to it."""
CLEAR_SECONDS = 20.0
MAX_ATTEMPTS = 40
"""What moves may hide half-way or never come into view, a scene may be a drawn one; another is rendered then."""


def render_demo_clip(
    label: str,
    seed: int,
    path: Path,
    fps: float = 10.0,
    seconds: float = 20.0,
    *,
    clear_seconds: float = 0.0,
    footage: Mapping[str, Sequence[Path]] | None = None,
) -> list[Interval]:
    """Writes an mp4 with exactly one incident of that label in it, on a seed that no training saw; returns its truth.

    It is longer by `clear_seconds` before the incident, and by as many after it. With `footage`, video files by group,
    it befalls a camera that filmed one of them; what moves there is not told.
    Raises ValueError for a label that there is not, or a clip too short to hold the incident; SourceFailed where no
    such clip comes about.
    """
    if label not in LABELS:
        raise ValueError(f"label is {label!r}; allowed are {list(LABELS)}")
    shortest, longest = DURATIONS_SECONDS[label]
    room = seconds - EARLIEST_SECONDS - 2.0
    if room < shortest:
        raise ValueError(f"{seconds} s are too short for {label}; allowed are {EARLIEST_SECONDS + shortest + 2.0} up")
    number = list(DURATIONS_SECONDS).index(label)
    rng = np.random.default_rng((seed, number))
    lasts = rng.uniform(min((shortest + longest) / 2, room), min(longest, room))
    start = round(clear_seconds + EARLIEST_SECONDS + rng.uniform(0, room - lasts), 1)
    whole = seconds + 2 * clear_seconds
    incident = Incident(label, start, round(start + lasts, 1))
    for attempt in range(MAX_ATTEMPTS):
        index = ATTEMPTS_APART * (SEEDS_APART * seed + attempt) + number
        clip = render_clip(clip_seed(Split.DEMO, index), [incident], whole, fps, SIZE, footage=footage, disturbed=False)
        if len(clip.truth) == 1 and (footage is None or clip.on_running_footage):
            break
    else:
        where = "with this seed" if footage is None else "on this footage: it takes a camera that stands still"
        raise SourceFailed(f"no clip shows {label!r} exactly once {where}")
    write_mp4(clip, path)
    return list(clip.truth)


def render_repeated_clip(
    label: str, seed: int, path: Path, fps: float = 10.0, *, footage: Mapping[str, Sequence[Path]] | None = None
) -> list[Interval]:
    """Renders such a clip to be played over and over, with a clear view between two incidents where it takes that."""
    clear_seconds = CLEAR_SECONDS if label in LINGERING else 0.0
    return render_demo_clip(label, seed, path, fps, clear_seconds=clear_seconds, footage=footage)


def write_mp4(clip: Clip, path: Path) -> None:
    """Writes the clip's frames as H.264 in an mp4 file."""
    height, width = clip.frames.shape[1:3]
    with av.open(path, "w", format="mp4") as container:
        stream = container.add_stream("libx264", Fraction(clip.fps).limit_denominator(1001))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"crf": str(CRF), "preset": "veryfast", "threads": "1"}
        for picture in clip.frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode(None))
