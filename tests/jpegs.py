"""JPEG pictures of a test's own, and the manners in which cameras put them one after another over HTTP."""

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np

TYPE: Final = b"Content-Type: image/jpeg\r\n"
SOUND: Final = b"--frame\r\nContent-Type: audio/basic\r\nContent-Length: %d\r\n\r\n"
SENSORS: Final = b"".join(b"X-Sensor-%d: %s\r\n" % (number, b"0" * 40) for number in range(40))

Manner = Callable[[bytes, int], bytes]
"""What is sent at once for a picture and its number."""


def jpeg(value: int, *, noise: float = 0.0, flags: tuple[int, ...] = (), size: tuple[int, int] = (48, 64)) -> bytes:
    """A picture of one grey, or with noise on it."""
    spread = np.random.default_rng(value).normal(0, noise, (*size, 3)) if noise else 0
    picture = np.clip(np.full((*size, 3), value) + spread, 0, 255).astype(np.uint8)
    return cv2.imencode(".jpg", picture, flags)[1].tobytes()


def with_thumbnail(picture: bytes, thumbnail: bytes) -> bytes:
    """With another picture within it, as cameras put it into EXIF data."""
    content = b"Exif\0\0" + thumbnail
    return picture[:2] + b"\xff\xe1" + (len(content) + 2).to_bytes(2, "big") + content + picture[2:]


def length_of(picture: bytes, more: int = 0) -> bytes:
    """The header that states a length, right or wrong."""
    return b"Content-Length: %d\r\n" % (len(picture) + more)


def part(picture: bytes, line: bytes = b"--frame", headers: bytes | None = None) -> bytes:
    """A part as most cameras send it."""
    headers = TYPE + length_of(picture) if headers is None else headers
    return line + b"\r\n" + headers + b"\r\n" + picture + b"\r\n"


def sound(content: bytes, stated: int) -> bytes:
    """A part with sound."""
    return SOUND % stated + content + b"\r\n"


NOISE: Final = np.random.default_rng(0).bytes(700)
LOUD: Final = NOISE[:300] + b"\xff\xd8\xff\xe0" + NOISE[300:]
"""Sound in which there is what a picture begins with."""

MANNERS: Final[dict[str, Manner]] = {
    "plain": lambda jpg, _: part(jpg),
    "lines end with LF": lambda jpg, _: (
        (b"--frame\r\n" + TYPE + length_of(jpg) + b"\r\n").replace(b"\r", b"") + jpg + b"\n"
    ),
    "no length": lambda jpg, _: part(jpg, headers=TYPE),
    "no first boundary": lambda jpg, n: (b"\r\n--frame\r\n" if n else b"") + TYPE + length_of(jpg) + b"\r\n" + jpg,
    "no first headers": lambda jpg, n: (b"\r\n--frame\r\n" + TYPE + length_of(jpg) + b"\r\n" if n else b"") + jpg,
    "no boundary at all": lambda jpg, _: TYPE + length_of(jpg) + b"\r\n" + jpg + b"\r\n",
    "no headers at all": lambda jpg, _: b"--frame\r\n\r\n" + jpg + b"\r\n",
    "pictures alone": lambda jpg, _: jpg,
    "padded": lambda jpg, _: jpg + bytes(-len(jpg) % 512),
    "boundary without hyphens": lambda jpg, _: part(jpg, b"frame"),
    "boundary with many hyphens": lambda jpg, _: part(jpg, b"------frame"),
    "boundary with a colon": lambda jpg, _: part(jpg, b"--a:b"),
    "another boundary each time": lambda jpg, n: part(jpg, b"--frame%d" % n),
    "boundary of one letter": lambda jpg, _: part(jpg, b"--f"),
    "last boundary between": lambda jpg, _: part(jpg, b"--frame--"),
    "boundary behind": lambda jpg, n: (b"" if n else b"--frame\r\n") + part(jpg, b"")[2:] + b"--frame\r\n",
    "blank lines": lambda jpg, _: b"\r\n\r\n" + part(jpg) + b"\r\n",
    "other type": lambda jpg, _: part(jpg, headers=b"content-type:IMAGE/JPG\r\n" + length_of(jpg)),
    "wrong type": lambda jpg, _: part(jpg, headers=b"Content-Type: text/plain\r\n" + length_of(jpg)),
    "no type": lambda jpg, _: part(jpg, headers=length_of(jpg)),
    "too long": lambda jpg, _: part(jpg, headers=TYPE + length_of(jpg, 2)),
    "far too long": lambda jpg, _: part(jpg, headers=TYPE + length_of(jpg, 100_000)),
    "too short": lambda jpg, _: part(jpg, headers=TYPE + length_of(jpg, -2)),
    "far too short": lambda jpg, _: part(jpg, headers=TYPE + b"Content-Length: 7\r\n"),
    "length of zero": lambda jpg, _: part(jpg, headers=TYPE + b"Content-Length: 0\r\n"),
    "length of no sense": lambda jpg, _: part(jpg, headers=TYPE + b"Content-Length: -1 kB\r\n"),
    "lengths that change": lambda jpg, n: part(jpg, headers=TYPE + length_of(jpg, (0, 2, -2, 999)[n % 4])),
    "many headers": lambda jpg, _: part(jpg, headers=b"Server: C\xe4m\r\n" + SENSORS + TYPE + length_of(jpg)),
    "empty parts": lambda jpg, _: part(b"") + part(jpg),
    "empty parts without their line": lambda jpg, _: b"--frame\r\n" + TYPE + b"Content-Length: 0\r\n\r\n" + part(jpg),
    "sound before": lambda jpg, _: sound(LOUD, len(LOUD)) + part(jpg),
    "sound behind": lambda jpg, _: part(jpg) + sound(LOUD, len(LOUD)),
    "sound too long": lambda jpg, _: sound(LOUD, 100_000) + part(jpg),
    "sound too short": lambda jpg, _: sound(LOUD, 5) + part(jpg),
    "sound without first boundary": lambda jpg, n: sound(LOUD, 704)[0 if n else 9 :] + part(jpg),
    "text between": lambda jpg, _: part(b'{"moved": true}', headers=b"Content-Type: application/json\r\n") + part(jpg),
    "garbage between": lambda jpg, _: part(jpg) + NOISE.replace(b"\xff", b"\0"),
}


def pictures(number: int) -> list[bytes]:
    """Different ones, of different length."""
    return [jpeg(20 + 10 * index, noise=20.0) for index in range(number)]
