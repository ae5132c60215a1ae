"""The api's own settings."""

import re

from pydantic import Field, field_validator

from services.api.media.places.opening import checked_place
from services.api.security.keys import FINGERPRINT, KeyRecord
from shared.network.addresses import AddressPolicy
from shared.service.settings import SealedSettings, ServiceSettings
from shared.store.address import addresses_of

ROOT_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)+")
ORIGIN = re.compile(r"https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")


def words(text: str) -> list[str]:
    """What stands between a setting's commas."""
    return [word.strip() for word in text.split(",") if word.strip()]


class EventFilesSettings(ServiceSettings):
    """What whoever writes events' pictures and clips must agree on with who shows them."""

    events_dir: str = Field(
        default="events", description="the folder of events' pictures and clips, or s3://BUCKET/PREFIX"
    )

    @field_validator("events_dir")
    @classmethod
    def _is_place(cls, value: str) -> str:
        return checked_place(value)


class DeliverySettings(SealedSettings, EventFilesSettings):
    """Where events may be delivered to, and the key of what is known of receivers."""

    deliver_private: bool = Field(
        default=False, description="whether webhooks may lead to private networks and this machine"
    )

    @property
    def receivers(self) -> AddressPolicy:
        """Where they may lead; this system's own Redis is no such place."""
        own = tuple(f"{host}:{port}" for host, port in addresses_of(self.redis_url.get_secret_value()))
        return AddressPolicy(own, private=self.deliver_private)


class ApiSettings(DeliverySettings):
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
    max_streams: int = Field(default=10_000, ge=1, le=1_000_000, description="how many streams may be registered")
    api_root_path: str = Field(default="", description="the prefix under which a proxy shows it, such as /afterimage")
    api_allowed_hosts: str = Field(
        default="", description="names it is called by, besides loopback and its address; with commas"
    )
    api_cors_origins: str = Field(default="", description="others' pages that may use it: https://host, with commas")
    api_trusted_proxies: str = Field(default="", description="addresses whose X-Forwarded-For counts; with commas")
    api_session_seconds: int = Field(default=43_200, ge=60, le=2_592_000, description="a browser's login ends after")
    admin_key_hash: str = Field(default="", description="ID:HASH of the first admin key, as `make env` writes it")

    @field_validator("api_root_path")
    @classmethod
    def _is_path(cls, value: str) -> str:
        if value and not ROOT_PATH.fullmatch(value):
            raise ValueError("allowed is a path such as /afterimage, with no slash at its end")
        return value

    @field_validator("api_cors_origins")
    @classmethod
    def _are_origins(cls, value: str) -> str:
        if not all(ORIGIN.fullmatch(each) for each in words(value)):
            raise ValueError("allowed are http(s)://host[:port] alone, with commas between them; no path, no *")
        return value

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
