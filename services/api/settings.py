"""The api's own settings."""

from pydantic import Field, field_validator

from services.api.security.keys import FINGERPRINT, KeyRecord
from shared.service.settings import ServiceSettings


class ApiSettings(ServiceSettings):
    """Where the api listens, besides what every service has."""

    api_host: str = Field(default="127.0.0.1", description="where it listens")
    api_port: int = Field(default=8000, ge=0, le=65535, description="0: any free port")
    admin_key_hash: str = Field(default="", description="ID:HASH of the first admin key, as `make env` writes it")

    @field_validator("admin_key_hash")
    @classmethod
    def _is_fingerprint(cls, value: str) -> str:
        if value and not FINGERPRINT.fullmatch(value):
            raise ValueError("allowed is ID:HASH of a key, 16 and 64 hexadecimal digits, as `make env` writes it")
        return value

    @property
    def first_key(self) -> KeyRecord | None:
        """What is known of the first admin key, where there is one."""
        return KeyRecord.of_settings(self.admin_key_hash) if self.admin_key_hash else None
