"""The place that a setting names: a folder, or a bucket of whatever speaks S3."""

import re
from pathlib import Path
from typing import Final

from services.api.media.places.folder import EventFolder
from services.api.media.places.place import MediaPlace
from shared.errors import SettingsInvalid

BUCKET: Final = re.compile(
    r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/?(?P<prefix>(?:(?<=/)(?!\.)[A-Za-z0-9._-]{1,64}/?){0,8})"
)
RECORDER_SECONDS: Final = 20.0
"""Of one request to a bucket: shorter than frames are held for a recorder that says nothing meanwhile."""
API_SECONDS: Final = 5.0
"""The same, while somebody waits to be shown a file."""
ALLOWED: Final = "allowed are a folder and s3://BUCKET/PREFIX; endpoint, region and login come from AWS_* variables"


def checked_place(where: str) -> str:
    """The same, if it names a place; raises ValueError."""
    if not where or (":/" in where and not BUCKET.fullmatch(where)):
        raise ValueError(ALLOWED)
    return where


def place_of(where: str, timeout_seconds: float) -> MediaPlace:
    """The place, where no request takes longer than that; raises SettingsInvalid. Nothing is asked of it yet."""
    try:
        found = BUCKET.fullmatch(checked_place(where))
    except ValueError as err:
        raise SettingsInvalid(f"AFTERIMAGE_EVENTS_DIR: {err}") from None
    if not found:
        return EventFolder(Path(where))
    try:
        from services.api.media.places.bucket import EventBucket  # noqa: PLC0415  (its library is an extra)
    except ModuleNotFoundError as err:
        if err.name != "obstore":
            raise
        raise SettingsInvalid(
            "AFTERIMAGE_EVENTS_DIR: for s3:// the extra `s3` is missing: pip install 'afterimage[s3]'"
        ) from None
    return EventBucket(found["bucket"], found["prefix"].rstrip("/"), timeout_seconds)
