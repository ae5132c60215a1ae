"""Hardware that decodes, where it is asked for and there."""

from typing import Final

import av
from av.codec import Codec
from av.codec.hwaccel import HWAccel, hwdevices_available

from services.ingest.sources.options import Hwaccel

SOFTWARE: Final = "software"
IN_TURN: Final = ("cuda", "vaapi")
"""What `auto` tries."""


def accelerator(wanted: Hwaccel) -> HWAccel | None:
    """What decodes in hardware, for `av.open`; None where software must, because nothing else was asked for or works.

    A codec that the hardware does not know is decoded in software even so: `Video.decoder` says what came of it. Its
    pictures stay on the device until one is sampled.
    """
    names = {"none": (), "auto": IN_TURN}.get(wanted, (wanted,))
    for name in names:
        if _works(name):
            return HWAccel(name, is_hw_owned=True)
    return None


def _works(name: str) -> bool:
    """Whether this build knows the device and the machine has one: `av.open` would fail without, not fall back."""
    if name not in hwdevices_available():
        return False
    try:
        HWAccel(name).create(Codec("h264", "r"))
    except (av.FFmpegError, NotImplementedError, OSError):
        return False
    return True
