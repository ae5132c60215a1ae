"""How an RTSP camera may behave, and what it is asked."""

import ssl
from dataclasses import dataclass, field

CLOCK = 90_000


@dataclass
class Manners:
    """How a camera behaves; unchanged, like any other."""

    auth: tuple[str, ...] = ()
    """challenges in order: basic, or an algorithm of digest, perhaps with -sess"""
    in_one_header: bool = False
    user: str = "guard"
    password: str = "sesame"
    hangs_up_when_refusing: bool = False
    new_nonce_after: int | None = None
    """how many requests a nonce is good for"""
    tunnel: bool = False
    tls: ssl.SSLContext | None = None
    tracks_before: str = ""
    control: str = "track1"
    fmtp: bool = True
    answers: dict[str, tuple[str, str]] = field(default_factory=dict)
    """status and headers by method, instead of the usual ones"""
    redirects_after: tuple[int, str] | None = None
    """a REDIRECT after so many pictures, and where to"""
    stops_after: int | None = None
    """how many pictures it sends before it says nothing more"""
    asks_after: int | None = None
    """own requests after so many pictures"""
    line_end: str = "\r\n"
    cseq: str = ""
    """what it answers instead of the request's number"""
    hesitates: bool = False
    """it says 100 before each answer"""
    timeout: str = "60"
    is_eager: bool = False
    """packets come before PLAY is answered"""
    swaps: bool = False
    """by UDP, every two packets come in the wrong order"""
    repeats: bool = False
    """every packet comes twice"""
    holds: tuple[int, float] = (-1, 0.0)
    """after so many pictures the network holds everything back for so many seconds, and brings it at once"""
    first_number: int = 65_530
    first_ticks: int = 2**32 - CLOCK
    rate: float = 200.0
    """pictures a second..."""
    ticks: int = CLOCK // 10
    """...each of which is so much by its timestamp"""


@dataclass(frozen=True)
class Asked:
    """A request, header names in lower case."""

    method: str
    url: str
    headers: dict[str, str]
