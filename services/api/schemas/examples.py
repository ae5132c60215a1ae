"""The examples that the OpenAPI document shows."""

from typing import Any

EVENT: dict[str, Any] = {
    "id": "front-door.moved.1753430000125",
    "stream_id": "front-door",
    "label": "moved",
    "state": "closed",
    "started_at_ms": 1753430000125,
    "ended_at_ms": 1753430004375,
    "media_started_seconds": 312.125,
    "peak_score": 0.97,
    "mean_score": 0.84,
    "model": "camera-events@872a3d55",
    "epoch": 1,
    "close_reason": "score",
    "frames_missed": 0,
    "severity": "alert",
    "thresholds": {"enter": 0.6, "exit": 0.4, "min_seconds": 0.5, "merge_seconds": 1.0},
    "memory_reset": None,
    "media": {
        "state": "kept",
        "reason": None,
        "pictures": {"before": 1753429995125, "opening": 1753430000125, "peak": 1753430002250},
        "clip": {
            "from_ms": 1753429995125,
            "to_ms": 1753430010000,
            "num_frames": 120,
            "width": 342,
            "height": 192,
            "frames_missing": 0,
        },
        "recorded_at_ms": 1753430011480,
        "num_bytes": 287344,
        "peak_score": 0.97,
    },
    "acknowledged": {"at_ms": 1753430011000, "by": "Kim"},
    "feedback": {"at_ms": 1753430015000, "by": "Kim", "verdict": "right", "note": "the ladder again"},
    "kept": None,
}

LISTED: dict[str, Any] = {**EVENT, "reviewed": True}

WHY: dict[str, Any] = {
    **LISTED,
    "model_sha256": "872a3d55" + 56 * "0",
    "scores": [{"at_ms": 1753430000000, "score": 0.12}, {"at_ms": 1753430000125, "score": 0.71}],
}

CURSOR = "MTc1MzQzMDAwMDEyNSBmcm9udC1kb29yLm1vdmVkLjE3NTM0MzAwMDAxMjU"

STREAM_CREATE: dict[str, Any] = {
    "id": "front-door",
    "name": "Front door",
    "groups": ["north"],
    "source": "rtsp://camera.example/stream1",
    "fps": 8,
    "model": "camera-events",
    "pace": "live",
    "rtsp_transport": "tcp",
    "skip": "auto",
    "thresholds": {"moved": {"enter": 0.6, "exit": 0.4}, "covered": 0.7},
}

STREAM_PUT: dict[str, Any] = {
    "name": "Front door",
    "source": "rtsp://camera.example/stream1",
    "groups": ["north"],
    "tags": ["outdoor", "floor:0"],
}

STREAM_CHANGE: dict[str, Any] = {"name": "Front door, east", "thresholds": {"moved": 0.8}, "maintenance": True}

STREAM: dict[str, Any] = {
    "id": "yard-monday",
    "name": "Yard, Monday",
    "groups": ["north"],
    "source": "recordings/yard-monday.mp4",
    "fps": 8.0,
    "fps_given": False,
    "model": "camera-events",
    "running_model": "camera-events@872a3d55",
    "pace": "fast",
    "loop": False,
    "thresholds": {"moved": {"enter": 0.6, "exit": 0.4, "min_seconds": 1.0, "merge_seconds": 2.0}},
    "reset_after_seconds": 10.0,
    "rtsp_transport": "tcp",
    "skip": "auto",
    "stall_seconds": None,
    "tags": ["outdoor"],
    "paused": False,
    "transport_short_side": None,
    "offline_seconds": 30.0,
    "maintenance": False,
    "schedule": {
        "time_zone": "Europe/Berlin",
        "hours": [{"days": ["mon", "tue", "wed", "thu", "fri"], "begin": "18:00", "end": "07:00"}],
    },
    "delivery": {"moved": {"severity": "notice", "cooldown_seconds": 300.0, "min_seconds": 2.0}},
    "base_ms": 1753429688000,
    "created_at_ms": 1753429688000,
    "state": "ended",
    "reason": "end of file",
    "next_attempt_at_ms": None,
    "finished": True,
    "epoch": 1,
    "frames_published": 4800,
    "frames_processed": 4800,
    "frames_dropped": 0,
    "lag_frames": 0,
    "last_frame_at_ms": 1753430287875,
    "codec": "h264",
    "width": 1920,
    "height": 1080,
    "source_fps": 25.0,
    "duration_seconds": 600.0,
}

PROBE: dict[str, Any] = {"source": "rtsp://user:password@camera.example/stream1", "rtsp_transport": "tcp"}

PROBED: dict[str, Any] = {
    "source": "rtsp://***@camera.example/stream1",
    "ok": True,
    "reason": None,
    "took_seconds": 0.84,
    "codec": "h264",
    "width": 1920,
    "height": 1080,
    "fps": 25.0,
    "duration_seconds": None,
    "snapshot": "/9j/4AAQSkZJRgABAQ==",
}

NOT_PROBED: dict[str, Any] = {
    "source": "rtsp://***@camera.example/stream1",
    "ok": False,
    "reason": "authentication refused: check user name and password",
    "took_seconds": 0.12,
    "codec": None,
    "width": None,
    "height": None,
    "fps": None,
    "duration_seconds": None,
    "snapshot": None,
}

SCORES: dict[str, Any] = {
    "items": [
        {"at_ms": 1753430000000, "scores": {"covered": 0.01, "moved": 0.12}},
        {"at_ms": 1753430000125, "scores": {"covered": 0.01, "moved": 0.71}},
    ],
    "next_since_ms": 1753430000126,
}

TARGET: dict[str, Any] = {
    "id": "home",
    "kind": "webhook",
    "url": "https://hooks.example.com/***",
    "streams": [],
    "labels": ["moved"],
    "groups": [],
    "severity": None,
    "updates": False,
    "enabled": True,
    "created_at_ms": 1753430000000,
    "reason": None,
}

SIGNING_KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="

NEW_TARGET: dict[str, Any] = {
    "id": "home",
    "url": "https://hooks.example.com/in?token=4711",
    "labels": ["moved"],
}

MADE_TARGET: dict[str, Any] = {**TARGET, "secret": SIGNING_KEY}

DEAD_LETTER: dict[str, Any] = {
    "id": "3.1753516400190-0",
    "stream_id": "front-door",
    "kind": "opened",
    "event": '{"id":"front-door.moved.1753430000125","label":"moved","state":"open"}',
    "reason": "it answered 503 (for a day)",
}

LIVE = (
    "retry: 2000\nid: 3:1753430000190-0\n: following\n\n"
    'event: opened\ndata: {"id":"front-door.moved.1753430000125","label":"moved","state":"open"}\n'
    "id: 3:1753430000204-0\n\n"
)

KEY_CREATE: dict[str, Any] = {"name": "dashboard", "role": "viewer", "groups": ["north"]}

KEY: dict[str, Any] = {
    "id": "2f9c41d07ab35e68",
    "name": "dashboard",
    "role": "viewer",
    "groups": ["north"],
    "created_at_ms": 1753429688000,
    "expires_at_ms": None,
    "revoked_at_ms": None,
    "last_used_at_ms": None,
}

KEY_CREATED: dict[str, Any] = {**KEY, "key": "afi_2f9c41d07ab35e68_<64 digits>_<8 digits>"}

SESSION_CREATE: dict[str, Any] = {"key": KEY_CREATED["key"]}

SESSION: dict[str, Any] = {
    "key_id": "2f9c41d07ab35e68",
    "name": "dashboard",
    "role": "viewer",
    "groups": ["north"],
    "csrf_token": "p3W0…",
    "expires_at_ms": 1753472888000,
}
