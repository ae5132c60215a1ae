"""What can be set for ingest."""

from pydantic import Field

from services.ingest.sources.decoding.transport import JPEG_QUALITY, SHORT_SIDE
from services.ingest.sources.options import STALL_SECONDS, Hwaccel
from shared.service.settings import SealedSettings
from shared.store.address import addresses_of


class IngestSettings(SealedSettings):
    """Ingest's settings, each from `AFTERIMAGE_<NAME>`."""

    transport_short_side: int = Field(default=SHORT_SIDE, ge=32, le=768, description="pixels; never enlarged")
    jpeg_quality: int = Field(default=JPEG_QUALITY, ge=1, le=100, description="of the frames in the queue")
    stall_seconds: float = Field(default=STALL_SECONDS, ge=1, le=300, description="without a picture: connect again")
    hwaccel: Hwaccel = Field(default="none", description="hardware that decodes; software where it cannot")
    trace_every: int = Field(
        default=1000, ge=1, le=1_000_000_000, description="one frame in so many is traced, where `OTEL_…` asks for it"
    )
    measures: bool = Field(default=True, description="frames at full size, for models that are given figures")

    @property
    def forbidden(self) -> tuple[str, ...]:
        """This system's own Redis as the settings name it, as `host:port`; `OwnRedis` knows where that leads."""
        return tuple(f"{host}:{port}" for host, port in addresses_of(self.redis_url.get_secret_value()))
