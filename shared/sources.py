"""Which sources are allowed, decided from their text: the api refuses early, ingest again before it opens one."""

import errno
import os
import re
import stat
from dataclasses import dataclass
from ipaddress import IPv6Address
from pathlib import Path
from typing import Final, Literal
from urllib.parse import quote, unquote

from shared.errors import SourceMissing, SourceRefused
from shared.words.redaction import MASK, plain_form
from shared.words.urls import KNOWN_SCHEME, URL, split_rest

SourceKind = Literal["file", "rtsp", "http", "device"]

URL_KINDS: Final[dict[str, SourceKind]] = {"rtsp": "rtsp", "rtsps": "rtsp", "http": "http", "https": "http"}
_SUFFIXES: Final = (
    "264 265 3g2 3gp asf avi dav divx dv f4v flv gxf h264 h265 hevc ivf m1v m2t m2ts m2v m4v mjpeg mjpg mk3d mkv mov "
    "mp4 mpe mpeg mpg mts mxf nsv nut obu ogv rm rmvb ts vc1 vob webm wmv wtv y4m"
)
VIDEO_SUFFIXES: Final = frozenset(f".{suffix}" for suffix in _SUFFIXES.split())
"""Names that films go by, where a folder is looked through; a file that is named itself may have any (gif, apng)."""
MAX_CHARS: Final = 2048
MAX_LOGIN_CHARS: Final = 127
"""FFmpeg cuts a longer one off without a word."""
MAX_DEVICE: Final = 63
ALLOWED: Final = (
    "allowed are rtsp://, rtsps://, http:// and https:// URLs, "
    f"device:0 to device:{MAX_DEVICE}, and files under the media root"
)
MASKED: Final = f"source: holds {MASK}, which stands for what is not shown; give the whole source"

SEALED: Final = "sealed://"
"""Stands for what is encrypted with a key that is not here; nobody can register it."""
LOCKED: Final = (
    "source: encrypted with a key that AFTERIMAGE_SECRET_KEY does not hold here; give that key, or the source again"
)

_FILE_URI: Final = re.compile(r"\s*file:(?://(?P<host>[^/?#]*))?(?P<path>/.*?)?\s*", re.DOTALL | re.IGNORECASE)
_RELATIVE_URI: Final = re.compile(r"\s*file:(?!/)", re.IGNORECASE)
_DEVICE: Final = re.compile(r"\s*device:(?P<number>.*?)\s*", re.DOTALL | re.IGNORECASE)
_LONE_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_MISTYPED: Final = re.compile(
    r"""\W*[a-z][a-z0-9+.-]*\s*[:;]\s*[/\\]  # rtsp:/, rtsp;//, http:\\
    |.*://  # url=rtsp://
    |.*:.*@  # user:password@host
    |(?!.*\.(?=[a-z0-9]*[a-z])[a-z0-9]{2,4}$)[^/\\]*@[a-z0-9._-]+(?::[0-9]+)?(?:/|$)  # user@host, but no a@b.mp4
    |(?:(?:[0-9]{1,3}\.){3}[0-9]{1,3}|localhost):[0-9]+(?:/|$)  # an address without its scheme
    |(?:rtsps?|https?|rtmps?|srt|udp|ftp|sftp|mms|rtp|wss?)\s*:""",
    re.DOTALL | re.IGNORECASE | re.VERBOSE,
)
"""Texts that would pass for a file's name, but were meant as URLs."""
_FILE_SCHEME: Final = re.compile(r"\s*file:(?=/)(?://(?=/|localhost/))?", re.IGNORECASE)
_UNFIT: Final = re.compile(r"[\s\"\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Source:
    """An allowed source: `location` is an absolute path for a file or device, otherwise a URL.

    A URL's user name and password are percent-encoded, whatever they hold.
    """

    location: str
    kind: SourceKind = "file"
    root: str | None = None
    """the folder that a file lies beneath, also when it is opened; None: whoever made this vouches for the path"""

    @property
    def is_file(self) -> bool:
        """Whether it is a recording, with a beginning and an end, and not live."""
        return self.kind == "file"


def parse_source(text: str, media_root: Path) -> Source:
    """The source that a text names; raises SourceRefused with what is wrong and what is allowed.

    The error never repeats the text, as nobody can say where the login in a mistyped URL ends. A path may be relative
    to the media root; symbolic links are resolved before the check. Whether a file exists is `check_file`'s question,
    and whether an address may be reached is asked when it is opened.
    """
    if text == SEALED:
        raise SourceRefused(LOCKED)
    if len(text) > MAX_CHARS:
        raise SourceRefused(f"source: {len(text)} characters; allowed are {MAX_CHARS}")
    if "\0" in text or not text.strip():
        raise SourceRefused(f"source: empty or not text; {ALLOWED}")
    url = URL.fullmatch(text)
    if url and url["scheme"].lower() != "file":
        if MASK in text:
            raise SourceRefused(MASKED)
        return _url_source(url["scheme"].lower(), url["rest"])
    if device := _DEVICE.fullmatch(text):
        return _device_source(device["number"])
    if _MISTYPED.match(plain_form(_FILE_SCHEME.sub("", text))):
        raise SourceRefused(f"source: reads like a URL, but is none; {ALLOWED}")
    return _file_source(text, media_root)


def path_named(text: str) -> str:
    """The path that a text names: a file URI's as RFC 8089 says, any other text itself.

    Raises SourceRefused for a URI of another host's file, or of none.
    """
    if _RELATIVE_URI.match(text):
        raise SourceRefused("source: a file URI holds an absolute path; give a relative one without file:")
    uri = _FILE_URI.fullmatch(text)
    if not uri or not (uri["path"] or "//" in text):
        return text
    if (uri["host"] or "").lower() not in ("", "localhost"):
        raise SourceRefused("source: another host's file; allowed are file:///path and file://localhost/path")
    path = uri["path"] or ""
    if not path or "?" in path or "#" in path:
        raise SourceRefused("source: a file URI is file:// and an absolute path; write ? as %3F and # as %23")
    try:
        return unquote(path, errors="strict")
    except UnicodeDecodeError as err:
        raise SourceRefused("source: what is percent-encoded is not UTF-8") from err


def check_file(source: Source) -> None:
    """Raises SourceRefused where a file source is missing, not a regular file or not readable; opens nothing."""
    path = Path(source.location)
    if not source.is_file:
        return
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as err:
        raise SourceMissing("source: no such file") from err
    except OSError as err:
        raise SourceRefused(f"source: {err.strerror}") from err
    if stat.S_ISDIR(mode):
        raise SourceRefused("source: is a directory; give one video file")
    if not stat.S_ISREG(mode):
        raise SourceRefused("source: not a regular file")
    if not os.access(path, os.R_OK):
        raise SourceRefused(f"source: {os.strerror(errno.EACCES)}")


def _file_source(text: str, media_root: Path) -> Source:
    root = media_root.resolve()
    try:
        path = (root / path_named(text)).resolve()
    except (OSError, RuntimeError, ValueError) as err:  # a circle of links, or what no path can be
        raise SourceRefused(f"source: not a path; {ALLOWED}") from err
    if not path.is_relative_to(root):
        raise SourceRefused(f"source: outside the media root {root}; {ALLOWED}")
    return Source(str(path), root=str(root))


def _device_source(number: str) -> Source:
    if not re.fullmatch(r"[0-9]{1,2}", number) or int(number) > MAX_DEVICE:
        raise SourceRefused(f"source: not a device's number; {ALLOWED}")
    return Source(f"/dev/video{int(number)}", "device")


def _url_source(scheme: str, rest: str) -> Source:
    if _UNFIT.search(rest):
        raise SourceRefused("source: holds a space, a quotation mark or a control character; write a space as %20")
    if scheme not in URL_KINDS:
        which = f" {scheme!r}" if KNOWN_SCHEME.fullmatch(scheme) else ""
        raise SourceRefused(f"source: scheme{which} is not known; {ALLOWED}")
    if not rest or rest[0] in "/?#":
        raise SourceRefused(f"source: names no host; {ALLOWED}")
    parts = split_rest(rest)
    if not parts:
        raise SourceRefused(f"source: not a valid URL; {ALLOWED}")
    port = int(parts.port or 1)
    if not (_is_host(parts.host) and 1 <= port <= 65_535):
        raise SourceRefused("source: not a valid URL; allowed are a host name or address and a port from 1 to 65535")
    login = _encoded(parts.login)
    if len(login) > MAX_LOGIN_CHARS:
        raise SourceRefused(
            f"source: its user name and password take {len(login)} characters percent-encoded; "
            f"allowed are {MAX_LOGIN_CHARS}"
        )
    address = parts.host + (f":{port}" if parts.port else "")
    tail = quote(parts.tail, safe="%/?#[]@!$&'()*+,;=:|{}^`<>~\\")
    return Source(f"{scheme}://{login}{'@' if login else ''}{address}{tail}", URL_KINDS[scheme])


def _is_host(host: str) -> bool:
    if not host.startswith("["):
        return True
    try:
        IPv6Address(host[1:-1])
    except ValueError:
        return False
    return True


def _encoded(login: str) -> str:
    """User name and password for a URL; what is percent-encoded already stays as it is."""
    return quote(_LONE_PERCENT.sub("%25", login), safe="%:!$&'()*+,;=~", errors="replace")
