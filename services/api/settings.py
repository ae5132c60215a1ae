"""The api's own settings."""

from pathlib import Path

from pydantic import Field

from shared.service.settings import ServiceSettings


class EventFilesSettings(ServiceSettings):
    """What whoever writes events' pictures and clips must agree on with who shows them."""

    events_dir: Path = Field(
        default_factory=lambda: Path.cwd() / "events", description="the folder of events' pictures and clips"
    )


class ApiSettings(EventFilesSettings):
    """Where the api listens, besides what every service has."""

    api_host: str = Field(default="127.0.0.1", description="where it listens")
    api_port: int = Field(default=8000, ge=0, le=65535, description="0: any free port")
