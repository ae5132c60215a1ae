"""A task that only memory can solve: did something pass from left to right, or from right to left?

Every clip comes with its own reversal, so that both answers show exactly the same frames; only their order differs.
"""

from dataclasses import dataclass
from itertools import chain

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from services.inference.network import build_network
from shared.manifest import InputSpec
from training.loop import Learner, LoopConfig, batches
from training.precision import precisions_of
from training.scenes.backgrounds import paint_background, random_colour
from training.scenes.footage import FPS
from training.scenes.seeds import Split, clip_seed
from training.sequences import Sequence8Bit, as_served
from training.unroll import scores_of

NUM_FRAMES = 16
WARM_FRAMES = 4
"""Nobody can tell a direction from the first frames; they do not count."""
SPEC = InputSpec(height=48, width=64)
SIZE = (128, 96)


@dataclass(frozen=True, slots=True)
class OrderReport:
    """Results on held-out clips of the same network, trained with and without memory."""

    with_memory: float
    """share of the clips called rightly"""
    without_memory: float
    ap_with_memory: float
    """average precision over the frames that count"""
    ap_without_memory: float
    num_clips: int

    def as_json(self) -> dict[str, float]:
        """The figures as `afterimage evaluate --order --json` prints them."""
        return {
            "accuracy": round(self.with_memory, 5),
            "accuracy_without_memory": round(self.without_memory, 5),
            "ap": round(self.ap_with_memory, 5),
            "ap_without_memory": round(self.ap_without_memory, 5),
            "clips": self.num_clips,
        }

    def table(self) -> Table:
        """The report for people."""
        table = Table(title=f"left-to-right or right-to-left, {self.num_clips} held-out clips")
        table.add_column("state")
        table.add_column("accuracy", justify="right")
        table.add_column("AP", justify="right")
        table.add_row("carried from frame to frame", f"{self.with_memory:.3f}", f"{self.ap_with_memory:.3f}")
        table.add_row("reset before every frame", f"{self.without_memory:.3f}", f"{self.ap_without_memory:.3f}")
        return table


def compare(
    *, seed: int = 0, num_train: int = 96, num_test: int = 128, epochs: int = 8, show_progress: bool = True
) -> OrderReport:
    """Trains the network on `num_train` pairs of clips twice, with memory and without, and tests both on others."""
    train = list(chain.from_iterable(_pair(clip_seed(Split.TRAINING, 10_000 * seed + i)) for i in range(num_train)))
    test = list(chain.from_iterable(_pair(clip_seed(Split.EVALUATION, 10_000 * seed + i)) for i in range(num_test)))
    (with_memory, ap_with_memory), (without_memory, ap_without_memory) = (
        _tested(train, test, seed, epochs, with_memory=remembers, show_progress=show_progress)
        for remembers in (True, False)
    )
    return OrderReport(with_memory, without_memory, ap_with_memory, ap_without_memory, num_clips=len(test))


def _tested(
    train: list[Sequence8Bit],
    test: list[Sequence8Bit],
    seed: int,
    epochs: int,
    *,
    with_memory: bool,
    show_progress: bool,
) -> tuple[float, float]:
    """Accuracy over clips and average precision over frames, once trained."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    config = LoopConfig(
        streams=16, chunk_frames=NUM_FRAMES, positive_weight=1.0, with_memory=with_memory, augment=False
    )
    network = build_network({}, 1, SPEC.height, SPEC.width)
    learner = Learner(network, config, SPEC, epochs * -(-len(train) // config.streams))
    title = "with memory" if with_memory else "without memory"
    for _ in track(range(epochs), title, console=Console(stderr=True), disable=not show_progress):
        for batch in batches(train, config, rng):
            list(learner.learn(batch))
    scores = scores_of(network, test, SPEC, with_memory=with_memory)
    said = np.array([rows[WARM_FRAMES:].mean() > 0.5 for rows in scores])
    accuracy = float(np.mean(said == np.array([sequence.targets[0, 0] > 0.5 for sequence in test])))
    return accuracy, precisions_of(["rightwards"], test, scores)["rightwards"]


def _pair(seed: int) -> tuple[Sequence8Bit, Sequence8Bit]:
    """A clip from left to right, and its reversal."""
    images = as_served(_crossing(np.random.default_rng(seed)), SPEC.height, SPEC.width)
    return _labelled(images, 1.0), _labelled(np.ascontiguousarray(images[::-1]), 0.0)


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


def _labelled(images: NDArray[np.uint8], target: float) -> Sequence8Bit:
    times = (np.arange(NUM_FRAMES) / FPS).astype(np.float32)
    weights = (np.arange(NUM_FRAMES) >= WARM_FRAMES).astype(np.float32)[:, None]
    return Sequence8Bit(images, times, np.full((NUM_FRAMES, 1), target, np.float32), weights, truth=())
