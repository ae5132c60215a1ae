"""The network's hyper-parameters; known without torch."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

BUILTIN = "builtin"
LITE = "lite0"
TIMM = "timm:"
BACKBONE = rf"^({BUILTIN}|{LITE}|{TIMM}[A-Za-z0-9][A-Za-z0-9_.]{{0,99}})$"
"""Names from timm's own list only: by `hf-hub:` and `local-dir:` timm would build what lies elsewhere."""


class NetworkConfig(BaseModel):
    """The network's hyper-parameters, as a manifest's `network` field holds them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    backbone: str = Field(
        default=BUILTIN,
        pattern=BACKBONE,
        description="sees a frame: builtin, lite0 (as published), or timm:<model name>",
    )
    widths: tuple[int, int, int, int] = Field(default=(16, 32, 48, 64), description="channels of the builtin's stages")
    appearance: int = Field(default=64, ge=0, le=1024, description="features of how a frame looks; 0: no CNN sees it")
    change: int = Field(default=64, ge=0, le=1024, description="features of how it differs from what was; 0: of none")
    change_widths: tuple[int, int, int] = Field(default=(16, 32, 32), description="channels of the stages that compare")
    thumb_pool: Literal[2, 4] = Field(default=4, description="the memory's picture is so much smaller than the input")
    flow: bool = Field(default=False, description="whether the comparison is given optical flow")
    evened: bool = Field(default=False, description="whether every picture is first given the usual light and contrast")
    colour: bool = Field(default=False, description="whether the memory holds colours, too, and not grey levels alone")
    likeness: bool = Field(default=False, description="whether it is given where the picture still shows what it did")
    fovea: bool = Field(default=False, description="whether a window that follows what moves is looked at closely")
    histograms: bool = Field(default=False, description="whether tiles are counted by how they changed")
    shifts: bool = Field(default=False, description="whether tiles are also compared with what was at other places")
    figures: bool = Field(default=False, description="whether it is given what ingest measured at the source's size")
    damage: bool = Field(default=False, description="whether it is given which frames the decoder found damaged")
    dense: int = Field(default=64, ge=1, le=1024, description="features made of histograms, figures and marks")
    normed: bool = Field(default=False, description="whether batch norms follow the convolutions and precede the LSTM")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="share of features left out at random in training")
    hidden: int = Field(default=96, ge=1, le=1024, description="LSTM cells")
    slow_seconds: float = Field(default=30.0, gt=0, le=3600, description="time constant of the slow background")
    fast_seconds: float = Field(default=2.0, gt=0, le=3600, description="time constant of the fast background")
