"""The api's own settings."""

from pydantic import Field

from shared.service.settings import SealedSettings


class ApiSettings(SealedSettings):
    """Where the api listens, besides what every service has."""

    api_host: str = Field(default="127.0.0.1", description="where it listens")
    api_port: int = Field(default=8000, ge=0, le=65535, description="0: any free port")
