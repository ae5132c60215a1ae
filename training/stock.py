"""Clips as a network without a look keeps them: made once, by processes beside this one, and kept on disk."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import save_file

from services.inference.network.network import Network, build_network
from shared.errors import SourceFailed
from training.footage import read_video, unlabelled
from training.scenes.footage import FPS
from training.scenes.incidents import LABELS
from training.scenes.rendered import SequenceSpec, in_turn, render_sequence
from training.sequences import SensedClip, Sequence8Bit
from training.truth import Interval
from training.unroll import FRAMES_AT_ONCE, encoded

EDITION = 4
"""To be raised where the same order gives another clip: by the renderer, the figures or the senses."""
UNTOUCHED_SECONDS = 120.0
"""So much of a file in which nothing happens to the camera is learnt from; while it is read it takes 280 MB."""
SENSED_BY = ("change", "thumb_pool", "colour", "histograms", "figures", "damage")
"""What in a network's config decides what is kept of a frame."""

ARRAYS = ("features", "times_seconds", "targets", "weights")


@dataclass(frozen=True, slots=True)
class ClipOrder:
    """A clip to make: what to render, or a file of footage in which there is no fault."""

    source: SequenceSpec | Path
    folder: Path
    network: Mapping[str, Any]
    height: int
    width: int

    @property
    def file(self) -> Path:
        """Where it is kept: its name tells all that the clip depends on."""
        if isinstance(self.source, Path):
            name, content = f"untouched-{self.source.stem}", [str(self.source), self.source.stat().st_mtime_ns]
        else:
            part = "all" if self.source.split is None else self.source.split.name.lower()
            name, content = f"{part}-{self.source.seed}", [repr(self.source)]
        senses = [self.network.get(key) for key in SENSED_BY]
        told = json.dumps([EDITION, content, senses, self.height, self.width])
        return self.folder / f"{name}-{hashlib.blake2b(told.encode(), digest_size=6).hexdigest()}.safetensors"


def made(orders: Sequence[ClipOrder], num_workers: int) -> Iterator[Path]:
    """Makes what is not there yet, in this order, as far ahead of the caller as the processes come."""
    yield from in_turn(make, orders, num_workers, num_ahead=len(orders))


def make(order: ClipOrder) -> Path:
    """Makes one clip unless it is there; a file that does not read gives one without frames."""
    file = order.file
    if file.exists():
        return file
    source, size = order.source, (order.height, order.width)
    sequence = _untouched(source, *size) if isinstance(source, Path) else render_sequence(source)
    network = build_network(order.network, len(LABELS), order.height, order.width)
    order.folder.mkdir(parents=True, exist_ok=True)
    save_clip(file, sensed(network, sequence))
    return file


def sensed(network: Network, sequence: Sequence8Bit) -> SensedClip:
    """What the fixed parts of a network keep of a sequence's frames."""
    device = next(network.parameters()).device
    features = np.zeros((len(sequence.images), network.feature_size), np.float32)
    for start in range(0, len(sequence.images), FRAMES_AT_ONCE):
        part = slice(start, start + FRAMES_AT_ONCE)
        told = None if sequence.told is None else sequence.told[None, part]
        with torch.no_grad():
            features[part] = encoded(network, sequence.images[None, part], device, told)[0].cpu().numpy()
    return SensedClip(features, sequence.times_seconds, sequence.targets, sequence.weights, sequence.truth)


def _untouched(file: Path, height: int, width: int) -> Sequence8Bit:
    """A file's frames without any fault; whether anything moves in it is unknown."""
    try:
        sequence = read_video(unlabelled(file), LABELS, FPS, height, width, longest_seconds=UNTOUCHED_SECONDS)
    except SourceFailed:
        none = np.zeros((0, len(LABELS)), np.float32)
        return Sequence8Bit(np.zeros((0, height, width, 3), np.uint8), none[:, 0], none, none, ())
    sequence.weights[:, LABELS.index("activity")] = 0
    return sequence


def save_clip(file: Path, clip: SensedClip) -> None:
    """Writes beside the path, then over it."""
    arrays = {name: np.ascontiguousarray(getattr(clip, name)) for name in ARRAYS}
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    save_file(arrays, beside, {"truth": json.dumps([asdict(interval) for interval in clip.truth])})
    beside.replace(file)


def load_clip(file: Path) -> SensedClip:
    """What `save_clip` wrote; a clip of 30 s takes half a megabyte at 192x256."""
    with safe_open(file, "np") as content:
        truth = tuple(Interval(**fields) for fields in json.loads(content.metadata()["truth"]))
        return SensedClip(**{name: content.get_tensor(name) for name in ARRAYS}, truth=truth)
