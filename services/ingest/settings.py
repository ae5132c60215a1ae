"""What can be set for ingest."""

from pydantic import Field

from services.ingest.transport import JPEG_QUALITY, SHORT_SIDE
from shared.settings import ServiceSettings


class IngestSettings(ServiceSettings):
    """Ingest's settings, each from `AFTERIMAGE_<NAME>`."""

    transport_short_side: int = Field(default=SHORT_SIDE, ge=32, le=768, description="pixels; never enlarged")
    jpeg_quality: int = Field(default=JPEG_QUALITY, ge=1, le=100)
