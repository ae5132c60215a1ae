"""Frames as the network meets them, through the very transport and decoding that serve, with a target per frame."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from services.inference.models.images import decode_image
from services.ingest.sources.decoding.transport import encode_jpeg, transport_size
from training.truth import Interval

UNSURE_SECONDS = 0.3
"""Around a label's start and end a frame may be called either way; it does not count in training."""


class Labelled(Protocol):
    """Frames' times and targets, whatever is kept of the frames."""

    @property
    def seen(self) -> NDArray[Any]:
        """Of each frame, [T, ...]: pictures, or features."""
        ...

    @property
    def times_seconds(self) -> NDArray[np.float32]:
        """Of each frame, [T]."""
        ...

    @property
    def targets(self) -> NDArray[np.float32]:
        """[T, L], 1 where the label holds."""
        ...

    @property
    def weights(self) -> NDArray[np.float32]:
        """[T, L], 0 where nobody could say."""
        ...

    @property
    def truth(self) -> tuple[Interval, ...]:
        """When each label holds."""
        ...


@dataclass(frozen=True, slots=True)
class Sequence8Bit:
    """A clip's frames and targets in memory."""

    images: NDArray[np.uint8]
    """[T, H, W, 3], RGB, of the network's size."""
    times_seconds: NDArray[np.float32]
    targets: NDArray[np.float32]
    """[T, L], 1 where the label holds."""
    weights: NDArray[np.float32]
    """[T, L], 0 where nobody could say."""
    truth: tuple[Interval, ...]
    told: NDArray[np.float32] | None = None
    """[T, 17], what `shared.entries.told` gives for each; None where nothing was measured, and none is damaged"""

    @property
    def seen(self) -> NDArray[np.uint8]:
        """The pictures."""
        return self.images

    def turned(self) -> "Sequence8Bit":
        """The same with left and right exchanged."""
        return replace(self, images=np.ascontiguousarray(self.images[:, :, ::-1]))


@dataclass(frozen=True, slots=True)
class SensedClip:
    """A clip as what a network's fixed parts keep of its frames: no weight that moves made it; it serves all epochs."""

    features: NDArray[np.float32]
    """[T, feature_size]"""
    times_seconds: NDArray[np.float32]
    targets: NDArray[np.float32]
    weights: NDArray[np.float32]
    truth: tuple[Interval, ...] = ()
    mirrored: NDArray[np.float32] | None = None
    """The features of the same frames with left and right exchanged, where they are wanted."""

    @property
    def seen(self) -> NDArray[np.float32]:
        """The features."""
        return self.features


def as_served(frames: Iterable[NDArray[np.uint8]], height: int, width: int) -> NDArray[np.uint8]:
    """BGR frames of transport size as they reach the network, [T, height, width, 3], RGB."""
    return np.stack([decode_image(encode_jpeg(frame), height, width) for frame in frames])


def at_transport_size(bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture as large as it travels."""
    size = transport_size(bgr.shape[1], bgr.shape[0])
    if size == (bgr.shape[1], bgr.shape[0]):
        return bgr
    return np.asarray(cv2.resize(bgr, size, interpolation=cv2.INTER_AREA), np.uint8)


def targets_of(
    truth: Sequence[Interval], times_seconds: NDArray[np.float32], labels: Sequence[str]
) -> NDArray[np.float32]:
    """[T, L]: 1 where a label holds; labels that are not asked for are left out."""
    targets = np.zeros((len(times_seconds), len(labels)), np.float32)
    for interval in truth:
        if interval.label not in labels:
            continue
        inside = (times_seconds >= interval.start_seconds) & (times_seconds < interval.end_seconds)
        targets[inside, labels.index(interval.label)] = 1
    return targets


def weights_of(
    truth: Sequence[Interval], times_seconds: NDArray[np.float32], labels: Sequence[str]
) -> NDArray[np.float32]:
    """[T, L]: 0 around a label's own starts and ends."""
    weights = np.ones((len(times_seconds), len(labels)), np.float32)
    for interval in truth:
        if interval.label not in labels:
            continue
        for border in (interval.start_seconds, interval.end_seconds):
            weights[np.abs(times_seconds - border) < UNSURE_SECONDS, labels.index(interval.label)] = 0
    return weights
