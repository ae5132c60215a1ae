"""The api's own settings."""

from pathlib import Path

from pydantic import Field

from shared.service.settings import ServiceSettings


class EventFilesSettings(ServiceSettings):
    """What whoever writes events' pictures and clips must agree on with who shows them."""

    events_dir: Path = Field(default=Path("events"), description="the folder of events' pictures and clips")


class ApiSettings(EventFilesSettings):
    """Where the api listens, besides what every service has."""

    api_host: str = Field(default="127.0.0.1", description="where it listens")
    api_port: int = Field(default=8000, ge=0, le=65535, description="0: any free port")


class RecorderSettings(EventFilesSettings):
    """The recorder's settings, each from `AFTERIMAGE_<NAME>`."""

    pre_seconds: float = Field(default=5, ge=0, le=30, description="of a clip before the event's opening")
    post_seconds: float = Field(default=10, ge=0, le=60, description="of a clip after the event's opening")
    keep_media_seconds: float = Field(
        default=30 * 86_400, ge=60, le=3_650 * 86_400, description="pictures and clips, from when they were cut"
    )
    keep_media_mb: int = Field(
        default=10_000, ge=1, le=100_000_000, description="of pictures and clips, in MB: then the oldest go"
    )
