"""What keeps a network from learning a small data set by heart, under the names that users choose."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal

from shared.errors import SettingsInvalid

Recipe = Literal["plain", "strong", "once"]

BOUNDS: Mapping[str, float] = {
    "pictures": 3.0,
    "hue_degrees": 180.0,
    "saturation": 2.0,
    "worse": 1.0,
    "mixed": 1.0,
    "smoothing": 0.5,
}
"""The largest value of each field; the least is 0, where it does nothing."""


@dataclass(frozen=True, slots=True)
class Regularisation:
    """How much is done of each; what is done to a clip is drawn once and is the same for all its frames.

    Raises SettingsInvalid for a value out of bounds.
    """

    pictures: float = 1.0
    """How far place, zoom, angle, light, contrast, gamma and tint go, of the usual; 0: pictures stay as they are."""
    hue_degrees: float = 0.0
    """Largest turn of all colours"""
    saturation: float = 0.0
    """Largest change of the logarithm of the colours' strength"""
    worse: float = 0.0
    """Share of the clips that look as if filmed in fewer pixels and compressed harder"""
    mixed: float = 0.0
    """Share of the clips that are mixed with another, pictures and targets alike (Zhang et al., 2018)"""
    smoothing: float = 0.0
    """How far targets are moved towards the middle (Szegedy et al., 2016)"""

    def __post_init__(self) -> None:
        for field in fields(self):
            value, most = getattr(self, field.name), BOUNDS[field.name]
            if not 0 <= value <= most:
                raise SettingsInvalid(f"{field.name} is {value}; allowed are 0 to {most:g}")


PLAIN = Regularisation()
ONCE = Regularisation(pictures=0.0)
RECIPES: Mapping[Recipe, Regularisation] = {
    "plain": PLAIN,
    "strong": Regularisation(pictures=1.5, hue_degrees=20.0, saturation=0.4, worse=0.3, mixed=0.5, smoothing=0.05),
    "once": ONCE,
}
"""`once` leaves pictures alone, so that what no weight makes of them is made once for all epochs."""
