"""What is staged before a camera: a kind of fault in one manner, on one backdrop, between two times."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

FIRST_KINDS: Final = ("covered", "defocused", "moved", "frozen", "lights_out", "glitch")
"""What is staged of these is the same whichever others a model knows: models are compared on the same clips."""
KINDS: Final = (*FIRST_KINDS, "glare", "noise", "tint", "shake")
CLIP_SECONDS: Final = 22.0


@dataclass(frozen=True, slots=True)
class Stage:
    """A backdrop's picture, and from when to when the incident lasts, in seconds of the clip."""

    width: int
    height: int
    fps: float
    start: float
    end: float

    @property
    def unit(self) -> float:
        """Pixels of a 240th of the height, for sizes that suit every picture."""
        return self.height / 240

    @property
    def held(self) -> str:
        """Filters that show a first picture for ever."""
        return f"loop=loop=-1:size=1:start=0,setpts=N/{self.fps}/TB"

    def risen(self, seconds: float, *, after: float = 0.0) -> str:
        """FFmpeg's expression of t that goes from 0 to 1 from the incident's start on and stays there."""
        return f"clip((t-{self.start + after:.3f})/{seconds:.3f},0,1)"

    def present(self, rise: float, fall: float) -> str:
        """FFmpeg's expression of t: 0, from the start on up to 1, from the end on down again."""
        return f"(clip((t-{self.start:.3f})/{rise:.3f},0,1)-clip((t-{self.end:.3f})/{fall:.3f},0,1))"

    @property
    def while_it_lasts(self) -> str:
        """A filter's option that confines it to the incident."""
        return f"enable='between(t,{self.start:.3f},{self.end:.3f})'"


Filters = Callable[[Stage, Random], str]
"""A filter graph from [base] to [out], at the stage's size and rate."""


@dataclass(frozen=True, slots=True)
class Manner:
    """One way in which a fault comes about."""

    kind: str
    name: str
    filters: Filters
    codec: str | None = None
    """that the recording has; any where None"""
    lasts: float | None = None
    """seconds for which the fault is true; as long as the stage says where None"""


@dataclass(frozen=True, slots=True)
class Harm:
    """One way in which a stream is damaged, packet by packet, in FFmpeg's expressions."""

    name: str
    codec: str
    amount: str = "0"
    """one byte in so many is changed"""
    drop: str = "0"
    """not 0 where the packet is lost"""
    baked: bool = True
    """decoded and encoded again, as by a recorder; else the damaged stream is what is read"""

    @property
    def loses(self) -> bool:
        """Whether packets are lost."""
        return self.drop != "0"


@dataclass(frozen=True, slots=True)
class Take:
    """A clip to be made."""

    name: str
    kind: str
    manner: str
    backdrop: Path
    backdrop_seconds: float
    stage: Stage
    seed: int
    spares: tuple["Take", ...] = field(default=(), repr=False)
    """the same elsewhere, in turn, where nothing can be seen of it here"""


@dataclass(frozen=True, slots=True)
class Truth:
    """A clip that was made, and what is true of it."""

    file: str
    kind: str
    manner: str
    start_seconds: float
    end_seconds: float
    backdrop: str
    also: tuple[str, ...] = ()
    """kinds that are true meanwhile, too: where packets are lost, the picture stands at times"""
