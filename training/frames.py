"""A data set's frames, decoded once and kept on disk, where the system's page cache holds what fits."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from services.inference.network.network import Network
from shared.manifest import InputSpec
from training.datasets.dataset import Dataset, LabelledVideo
from training.footage import read_video
from training.sequences import SensedClip, Sequence8Bit, weights_of
from training.stock import sensed


def decoded(
    dataset: Dataset, fps: float, spec: InputSpec, folder: Path, *, show_progress: bool = True
) -> list[Sequence8Bit]:
    """Every video as ingest samples it, in the data set's order; a frame takes 37 KB in `folder` at 96x128.

    Frames around the start or end of a label do not count for it, but those at a video's own start and end do.
    Raises SourceFailed naming the file that does not read.
    """
    videos = track(
        dataset.videos, "reading videos", console=Console(stderr=True), disable=not show_progress, transient=True
    )
    return list(_decoded(videos, dataset.labels, fps, spec, folder))


def _decoded(
    videos: Iterable[LabelledVideo], labels: tuple[str, ...], fps: float, spec: InputSpec, folder: Path
) -> Iterator[Sequence8Bit]:
    for index, video in enumerate(videos):
        sequence = read_video(video, labels, fps, spec.height, spec.width)
        file = folder / f"{index}.npy"
        np.save(file, sequence.images)
        inner = [each for each in video.intervals if each.start_seconds > 0 or _ends_inside(each.end_seconds, sequence)]
        yield Sequence8Bit(
            np.load(file, mmap_mode="c"),
            sequence.times_seconds,
            sequence.targets,
            sequence.weights * weights_of(inner, sequence.times_seconds, labels),
            video.intervals,
        )


def sensed_once(
    network: Network, sequences: Sequence[Sequence8Bit | SensedClip], folder: Path, *, mirrored: bool
) -> list[SensedClip]:
    """What a network's fixed parts keep of each sequence's frames, and of the mirrored ones, on disk in `folder`."""
    clips = []
    for index, pictures in enumerate(each for each in sequences if isinstance(each, Sequence8Bit)):
        clip = sensed(network, pictures)
        features = _on_disk(clip.features, folder / f"{index}.sensed.npy")
        turned = None
        if mirrored:
            turned = _on_disk(sensed(network, pictures.turned()).features, folder / f"{index}.mirrored.npy")
        clips.append(replace(clip, features=features, mirrored=turned))
    return clips


def _on_disk(features: NDArray[np.float32], file: Path) -> NDArray[np.float32]:
    np.save(file, features)
    return np.asarray(np.load(file, mmap_mode="c"))


def _ends_inside(end_seconds: float, sequence: Sequence8Bit) -> bool:
    return end_seconds < float(sequence.times_seconds[-1])
