"""Events in footage that nobody labelled: where nothing of the kind happens, each of them is false."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from training.evaluation import SECONDS_PER_HOUR


@dataclass(frozen=True, slots=True)
class FootageEvents:
    """The events that a model reports in one video, by label."""

    file: str
    seconds: float
    events: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class FootageReport:
    """The events that a model reports in several videos."""

    model: str
    labels: tuple[str, ...]
    videos: tuple[FootageEvents, ...]

    @property
    def seconds(self) -> float:
        """How long all videos last."""
        return sum(video.seconds for video in self.videos)

    def per_hour(self, label: str) -> float:
        """Events of a label, or of `all`, per hour of footage."""
        labels = self.labels if label == "all" else (label,)
        total = sum(video.events.get(name, 0) for video in self.videos for name in labels)
        return total * SECONDS_PER_HOUR / self.seconds if self.seconds else 0.0

    def as_json(self) -> dict[str, Any]:
        """Counts by file, and events per hour by label and in all."""
        return {
            "seconds": round(self.seconds, 3),
            "per_hour": {label: round(self.per_hour(label), 3) for label in (*self.labels, "all")},
            "videos": [
                {"file": video.file, "seconds": round(video.seconds, 3), "events": dict(video.events)}
                for video in self.videos
            ],
        }
