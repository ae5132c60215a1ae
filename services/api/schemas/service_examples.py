"""The examples that the OpenAPI document shows of the system: models, workers, Redis."""

from typing import Any

MODEL: dict[str, Any] = {
    "name": "camera-events",
    "usable": True,
    "reference": "camera-events@872a3d55",
    "description": "What can happen to a camera",
    "labels": ["covered", "moved"],
    "fps": 8.0,
    "input": {"height": 96, "width": 128, "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]},
    "thresholds": {
        "covered": {"enter": 0.5, "exit": 0.3, "min_seconds": 0.5, "merge_seconds": 1.0},
        "moved": {"enter": 0.5, "exit": 0.3, "min_seconds": 0.5, "merge_seconds": 1.0},
    },
}

CARD: dict[str, Any] = {
    "name": "camera-events",
    "reference": "camera-events@872a3d55",
    "sha256": "872a3d55" + 56 * "0",
    "card": "# camera-events\n\nNames what happens to a fixed camera.\n",
    "is_cut": False,
    "memory": [
        {
            "label": "moved",
            "ap_with_memory": 0.772,
            "ap_one_frame": 0.015,
            "ap_shuffled": 0.068,
            "f1_with_memory": 0.75,
            "f1_one_frame": 0.0,
            "needs": "memory and order",
            "words": "needs memory and order: one frame finds 0.01, memory 0.77, in the wrong order 0.07",
        }
    ],
}

WORKER: dict[str, Any] = {
    "id": "edge-box-4711",
    "role": "inference",
    "silent_seconds": 0.412,
    "partitions": [0, 3, 4, 9, 17, 21, 28],
    "num_streams": 23,
}

SYSTEM: dict[str, Any] = {
    "version": "0.1.0",
    "redis": [
        {
            "node": "redis",
            "version": "8.10.2",
            "used_bytes": 183_500_800,
            "limit_bytes": 1_073_741_824,
            "policy": "noeviction",
            "persists": "log",
            "is_writing_well": True,
        }
    ],
    "num_streams": 24,
    "max_streams": 10_000,
    "streams": {"live": 22, "waiting": 2},
    "media": {"used_bytes": 1_287_344_000, "limit_bytes": 10_000_000_000},
}

ROTATED: dict[str, Any] = {"num_streams": 12, "unreadable": [], "num_targets": 2, "unreadable_targets": []}
