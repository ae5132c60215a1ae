"""What a data set holds, counted."""

from collections import Counter, defaultdict
from typing import Any

from training.datasets.dataset import Dataset


def summary(dataset: Dataset) -> dict[str, Any]:
    """Videos and seconds in all, intervals by label, videos by subset and by group; `-` stands for none."""
    lengths: defaultdict[str, list[float]] = defaultdict(list)
    for video in dataset.videos:
        for interval in video.intervals:
            lengths[interval.label].append(interval.end_seconds - interval.start_seconds)
    return {
        "videos": len(dataset.videos),
        "seconds": round(sum(video.seconds or 0.0 for video in dataset.videos), 3),
        "labels": {label: _counted(lengths[label]) for label in dataset.labels},
        "subsets": dict(sorted(Counter(video.subset or "-" for video in dataset.videos).items())),
        "groups": dict(sorted(Counter(video.group or "-" for video in dataset.videos).items())),
    }


def _counted(seconds: list[float]) -> dict[str, float]:
    total = sum(seconds)
    mean = total / len(seconds) if seconds else 0.0
    return {"count": len(seconds), "seconds": round(total, 3), "mean_seconds": round(mean, 3)}
