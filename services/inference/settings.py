"""Settings of the inference service."""

import os

from pydantic import Field

from shared.service.settings import ServiceSettings

LIVE_SHARE = 16
"""Batches are so much smaller while there are live streams."""


class InferenceSettings(ServiceSettings):
    """What `AFTERIMAGE_*` variables say to a worker."""

    device: str = Field(
        default="auto", pattern=r"^(auto|cpu|cuda(:\d{1,2})?)$", description="auto: the first GPU, else the CPU"
    )
    batch_size: int = Field(
        default=0,
        ge=0,
        le=1024,
        description="most frames in a batch, a 16th of it with live streams; 0: 512 on CPU, 1024 on CUDA",
    )
    batch_deadline_seconds: float = Field(default=0.01, ge=0, le=1, description="a batch waits so long for more")
    torch_threads: int = Field(default=0, ge=0, le=256, description="threads of one operator; 0: half the cores")
    decode_threads: int = Field(
        default=0, ge=0, le=64, description="threads that decode JPEGs; 0: all but one core, most 8"
    )
    checkpoint_frames: int = Field(default=16, ge=1, le=256, description="a memory is stored after so many frames")
    checkpoint_seconds: float = Field(default=2.0, ge=0, le=60, description="or so many seconds, whichever comes first")
    keep_frames_seconds: float = Field(default=10, ge=1, le=600, description="frames, once looked at")
    keep_scores_seconds: float = Field(default=3600, ge=60, le=604_800, description="a score per label and frame")
    keep_events_seconds: float = Field(
        default=30 * 86_400, ge=3600, le=3_650 * 86_400, description="events, from their end"
    )

    def num_torch_threads(self) -> int:
        """Threads of one operator; the other half of the cores decodes, reads, commits and runs Redis."""
        return self.torch_threads or max(1, (os.cpu_count() or 1) // 2)

    def num_decode_threads(self) -> int:
        """Threads that decode JPEGs; one core is left to the thread that runs the model, which all others wait for."""
        return self.decode_threads or min(max(1, (os.cpu_count() or 1) - 1), 8)

    def batch_for(self, device_type: str) -> int:
        """The most frames in a batch on that kind of device."""
        return self.batch_size or (512 if device_type == "cpu" else 1024)
