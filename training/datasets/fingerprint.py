"""Names a data set and its videos by their content, for the model card and to know them again."""

import hashlib
import json
from pathlib import Path
from typing import Final

from shared.errors import DatasetUnusable
from training.datasets.dataset import Dataset, LabelledVideo

READ_BYTES: Final = 1 << 20
"""read at each end of a video: whole films would take minutes, and nobody edits only a film's middle"""


def fingerprint(dataset: Dataset) -> str:
    """SHA-256, in hex, of the labels, of all that is known of every video, and of the ends of its file.

    Neither the order of the videos nor where they lie changes it. Raises DatasetUnusable where one cannot be read.
    """
    total = hashlib.sha256(json.dumps(dataset.labels).encode())
    for video in sorted(dataset.videos, key=lambda video: video.name):
        total.update(b"\n" + _line(video).encode())
    return total.hexdigest()


def video_fingerprint(path: Path) -> str:
    """Half of a SHA-256, in hex, of a file's size and ends: the same whatever it is called and whoever annotates it.

    Another encoding of the same pictures has another. Raises DatasetUnusable where the file cannot be read.
    """
    size, content = _content(path)
    return hashlib.sha256(f"{size} {content}".encode()).hexdigest()[:32]


def _line(video: LabelledVideo) -> str:
    intervals = sorted((each.start_seconds, each.end_seconds, each.label) for each in video.intervals)
    line = [video.name, video.group, video.subset, intervals, *_content(video.path)]
    if video.judged is not None:
        line.append(sorted((each.start_seconds, each.end_seconds, each.label) for each in video.judged))
    return json.dumps(line)


def _content(path: Path) -> tuple[int, str]:
    """The file's size and the hash of its first and last bytes."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            content = hashlib.sha256(file.read(READ_BYTES))
            file.seek(max(READ_BYTES, size - READ_BYTES))
            content.update(file.read(READ_BYTES))
    except OSError as err:
        raise DatasetUnusable(f"video {path}: {err.strerror}") from err
    return size, content.hexdigest()
