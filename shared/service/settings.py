"""The settings that every service has, read from `AFTERIMAGE_*` variables once, at the start."""

from pathlib import Path
from typing import Literal, TypeVar

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.errors import SettingsInvalid
from shared.service.logs import LogFormat
from shared.service.stream_series import ALL, checked_series
from shared.store.layout.partitioning import MAX_COUNT
from shared.store.leases import LEASE_SECONDS, MAX_LEASE_SECONDS
from shared.words.validation import first_problem

PROJECT_ROOT = Path(__file__).resolve().parents[2]


class ServiceSettings(BaseSettings):
    """Settings that all services share."""

    model_config = SettingsConfigDict(env_prefix="AFTERIMAGE_", frozen=True, extra="ignore", hide_input_in_errors=True)

    redis_url: SecretStr = Field(
        default=SecretStr("redis://127.0.0.1:6379/0"),
        description="redis://, rediss://, unix://, redis+cluster:// or redis+sentinel://; see *Where Redis is*",
    )
    partitions: int = Field(
        default=0,
        ge=0,
        le=MAX_COUNT,
        description="into how many a fresh store is divided; 0: as it is, a fresh one into 32; see *Partitions*",
    )
    models_dir: Path = Field(default=PROJECT_ROOT / "models", description="the folder of model folders")
    media_root: Path = Field(default_factory=Path.cwd, description="file sources must lie under this folder")
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="and what is worse")
    log_format: LogFormat = Field(default="text", description="lines for people, or one JSON object a line")
    lease_seconds: float = Field(
        default=LEASE_SECONDS, ge=1, le=MAX_LEASE_SECONDS, description="silent so long: dead, and replaced"
    )
    metrics_host: str = Field(default="127.0.0.1", description="where Prometheus may ask")
    metrics_port: int = Field(default=0, ge=0, le=65535, description="0: no metrics server, and no `/healthz`")
    metrics_streams: str = Field(
        default=ALL,
        max_length=4096,
        description="which streams have series of their own: all, none, or groups with commas",
    )

    @field_validator("metrics_streams")
    @classmethod
    def _are_series(cls, value: str) -> str:
        return checked_series(value)


class SealedSettings(ServiceSettings):
    """Those of a service that has to do with sources, or with targets of delivery."""

    secret_key: SecretStr = Field(
        default=SecretStr(""),
        description="encrypts sources and targets in Redis; several joined by commas: the first encrypts, each "
        "decrypts; none: stored as they are",
    )


SettingsT = TypeVar("SettingsT", bound=ServiceSettings)


def read_settings(kind: type[SettingsT]) -> SettingsT:
    """The service's settings from the environment; raises SettingsInvalid naming the variable and what is allowed."""
    try:
        return kind()
    except ValidationError as err:
        setting, _, problem = first_problem(err).partition(":")
        raise SettingsInvalid(f"AFTERIMAGE_{setting.upper()}:{problem}") from err
