"""What the api takes and gives when a source is tried."""

from base64 import b64encode

from pydantic import BaseModel, ConfigDict, Field

from services.api.schemas import examples
from services.api.schemas.streams import SOURCE, SourceText
from shared.probes import ProbeReport
from shared.streams import RtspTransport
from shared.words.redaction import shown_source


class ProbeCreate(BaseModel):
    """A source to try."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, json_schema_extra={"examples": [examples.PROBE]}
    )

    source: SourceText = Field(description=SOURCE)
    rtsp_transport: RtspTransport | None = Field(default=None, description="how RTSP media travels; default: tcp")


class ProbeView(BaseModel):
    """What came of trying a source, which is shown without secrets."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.PROBED, examples.NOT_PROBED]})

    source: str
    ok: bool = Field(description="whether it gives pictures")
    reason: str | None = Field(default=None, description="why not, in plain words")
    took_seconds: float = Field(description="until its first picture, or until it failed")
    codec: str | None = Field(default=None, description="as FFmpeg names it")
    width: int | None = Field(default=None, description="in pixels")
    height: int | None = Field(default=None, description="in pixels")
    fps: float | None = Field(default=None, description="frames per second, where the source states it")
    duration_seconds: float | None = Field(default=None, description="of a file; null for live sources")
    snapshot: str | None = Field(default=None, description="its first picture, small: JPEG in base64")

    @classmethod
    def of(cls, source: str, report: ProbeReport) -> "ProbeView":
        """The report as the api shows it."""
        return cls(
            **report.model_dump(exclude={"jpeg"}),
            source=shown_source(source),
            ok=report.reason is None,
            snapshot=b64encode(report.jpeg).decode() if report.jpeg else None,
        )
