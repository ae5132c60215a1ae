"""A task that only memory can solve, as labelled videos: did something pass from left to right, or right to left?

Every clip comes with its own reversal, so that both labels show exactly the same frames; only their order differs.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.scenes.backgrounds import paint_background, random_colour
from training.scenes.clips import write_mp4
from training.scenes.scene import Clip
from training.scenes.seeds import Split, clip_seed

RIGHTWARDS, LEFTWARDS = "rightwards", "leftwards"
NUM_FRAMES = 16
FPS = 8.0
SIZE = (128, 96)
ANNOTATIONS_FILE = "annotations.json"


def write_order_task(folder: Path, *, num_training: int = 96, num_validation: int = 64, seed: int = 0) -> Iterator[int]:
    """Writes pairs of clips and their annotations (ActivityNet's form) into a folder; yields how many pairs are done.

    Both clips of a pair are one group, so that no split parts them. The same seed writes the same pictures.
    """
    folder.mkdir(parents=True, exist_ok=True)
    database: dict[str, Any] = {}
    subsets = (("training", Split.TRAINING, num_training), ("validation", Split.EVALUATION, num_validation))
    for subset, split, num_pairs in subsets:
        for index in range(num_pairs):
            frames = _crossing(np.random.default_rng(clip_seed(split, 10_000 * seed + index)))
            for label, shown in ((RIGHTWARDS, frames), (LEFTWARDS, frames[::-1])):
                name = f"{subset}-{index}-{label}.mp4"
                write_mp4(Clip(np.ascontiguousarray(shown), np.zeros(NUM_FRAMES, np.bool_), FPS, ()), folder / name)
                database[name] = {
                    "subset": subset,
                    "group": f"{subset}-{index}",
                    "annotations": [{"label": label, "segment": [0.0, NUM_FRAMES / FPS]}],
                }
            yield len(database) // 2
    (folder / ANNOTATIONS_FILE).write_text(json.dumps({"database": database}, indent=1))


def _crossing(rng: Generator) -> NDArray[np.uint8]:
    """Something that goes from left to right before a still background, [T, H, W, 3] BGR."""
    width, height = SIZE
    backdrop, colour = paint_background(rng, width, height), random_colour(rng)
    radius, y = int(rng.integers(6, 16)), int(rng.uniform(0.2, 0.8) * height)
    first, last = rng.uniform(-0.1, 0.35) * width, rng.uniform(0.65, 1.1) * width
    frames = []
    for x in np.linspace(first, last, NUM_FRAMES):
        frame = cv2.circle(backdrop.copy(), (int(x), y), radius, colour, -1, cv2.LINE_AA)
        frames.append(np.clip(frame + rng.normal(0, 3, frame.shape), 0, 255).astype(np.uint8))
    return np.stack(frames)
