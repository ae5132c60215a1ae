"""The api's own settings."""

from pydantic import Field

from shared.service.settings import SealedSettings


class ApiSettings(SealedSettings):
    """Where the api listens, besides what every service has."""

    api_host: str = Field(default="127.0.0.1", description="where it listens")
    api_connections: int = Field(
        default=4096, ge=16, le=65536, description="at a time; as far as the limit on open files allows"
    )
    api_connections_per_client: int = Field(default=2048, ge=1, le=65536, description="of these from one address")
    api_listeners: int = Field(default=1024, ge=1, le=65536, description="of the live feed at a time")
    api_listeners_per_client: int = Field(default=512, ge=1, le=65536, description="of these from one address")
    api_viewers: int = Field(default=256, ge=1, le=65536, description="of live pictures at a time")
    api_viewers_per_client: int = Field(default=128, ge=1, le=65536, description="of these from one address")
    api_port: int = Field(default=8000, ge=0, le=65535, description="0: any free port")
