"""What reading a source has cost and given."""

import math
import struct
from dataclasses import astuple, dataclass, fields
from typing import Final, Self

NUM_COUNTS: Final = 5
_LAYOUT: Final = struct.Struct(f"<{NUM_COUNTS}Q5d")


@dataclass(slots=True)
class Tally:
    """Counts since they were last taken: decoded = skipped + dropped + handed on."""

    decoded: int = 0
    """pictures that left the decoder"""
    skipped: int = 0
    """pictures off the sampling grid, or published before"""
    dropped: int = 0
    """pictures that were wanted, but nobody took them in time"""
    refused: int = 0
    """packets that the decoder refused"""
    damaged: int = 0
    """pictures among those decoded that were damaged or concealed: a property, no fate"""
    read_seconds: float = 0.0
    decode_seconds: float = 0.0
    convert_seconds: float = 0.0
    measure_seconds: float = 0.0
    encode_seconds: float = 0.0

    def take(self) -> bytes:
        """The counts, packed; they begin anew."""
        packed = _LAYOUT.pack(*astuple(self))
        for empty in fields(Tally):
            setattr(self, empty.name, empty.default)
        return packed

    @classmethod
    def unpack(cls, packed: bytes) -> Self:
        """What `take` packed; raises ValueError on anything else, and on counts that cannot be."""
        try:
            tally = cls(*_LAYOUT.unpack(packed))
        except struct.error as err:
            raise ValueError(f"a tally of {len(packed)} bytes; it has {TALLY_BYTES}") from err
        if tally.skipped + tally.dropped > tally.decoded:
            raise ValueError(f"{tally.skipped} skipped and {tally.dropped} dropped of {tally.decoded} decoded")
        if tally.damaged > tally.decoded:
            raise ValueError(f"{tally.damaged} damaged of {tally.decoded} decoded")
        if not all(0 <= seconds < math.inf for seconds in astuple(tally)[NUM_COUNTS:]):
            raise ValueError("seconds that are negative or no number")
        return tally


TALLY_BYTES: Final = _LAYOUT.size
