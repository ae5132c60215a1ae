"""Which sources are allowed, decided from their text: the api refuses early, ingest again before it opens one."""

import re
from dataclasses import dataclass
from ipaddress import IPv6Address
from pathlib import Path
from typing import Final, Literal
from urllib.parse import quote

from shared.errors import SourceRefused
from shared.redaction import redact
from shared.validation import shown

SourceKind = Literal["file", "rtsp", "http", "device"]

URL_KINDS: Final[dict[str, SourceKind]] = {"rtsp": "rtsp", "rtsps": "rtsp", "http": "http", "https": "http"}
VIDEO_SUFFIXES = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ts", ".webm"})
MAX_CHARS: Final = 2048
MAX_LOGIN_CHARS: Final = 127
"""FFmpeg cuts a longer one off without a word."""
MAX_DEVICE: Final = 63
ALLOWED: Final = (
    "allowed are rtsp://, rtsps://, http:// and https:// URLs, "
    f"device:0 to device:{MAX_DEVICE}, and files under the media root"
)

_URL: Final = re.compile(r"\s*(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<rest>.*?)\s*", re.DOTALL)
_DEVICE: Final = re.compile(r"\s*device:(?P<number>.*?)\s*", re.DOTALL | re.IGNORECASE)
_AFTER_HOST: Final = r"(?::(?P<port>[0-9]{0,5}))?(?P<tail>[/?#].*)?"
_REST: Final = re.compile(
    r"(?:(?P<login>.*?)@)??(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]{1,253})" + _AFTER_HOST, re.DOTALL
)
"""What follows the scheme. The login ends at the first @ that a host and the end of the authority follow, so a password
may hold @ : / ? # as they are; what reads as a URL without login is one (host:554/live@2x)."""
_NUMERIC_REST: Final = re.compile(r"(?P<login>.*?)@(?P<host>\[[0-9A-Fa-f:.]+\]|(?:[0-9]+\.){3}[0-9]+)" + _AFTER_HOST)
"""The same with a numeric address: it is more of a host than a bare word before it (u:p@ss/word@10.0.0.5)."""
_LONE_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_UNFIT: Final = re.compile(r"[\s\"\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Source:
    """An allowed source: `location` is an absolute path for a file or device, otherwise a URL.

    A URL's user name and password are percent-encoded, whatever they hold.
    """

    location: str
    kind: SourceKind = "file"

    @property
    def is_file(self) -> bool:
        """Whether it is a recording, with a beginning and an end, and not live."""
        return self.kind == "file"


def parse_source(text: str, media_root: Path) -> Source:
    """The source that a text names; raises SourceRefused with what is allowed, never with credentials.

    A path may be relative to the media root; symbolic links are resolved before the check. Whether a file exists is
    `check_file`'s question, and whether an address may be reached is asked when it is opened.
    """
    if len(text) > MAX_CHARS:
        raise SourceRefused(f"source of {len(text)} characters; allowed are {MAX_CHARS}")
    if "\0" in text or not text.strip():
        raise SourceRefused(f"source {shown(redact(text))}: empty or not text; {ALLOWED}")
    url = _URL.fullmatch(text)
    if url and url["scheme"].lower() != "file":
        return _url_source(url["scheme"].lower(), url["rest"])
    if device := _DEVICE.fullmatch(text):
        return _device_source(device["number"])
    return _file_source(url["rest"] if url else text, media_root)


def check_file(source: Source) -> None:
    """Raises SourceRefused where a file source is missing, not a regular file or not readable."""
    path = Path(source.location)
    if not source.is_file:
        return
    try:
        if path.is_dir():
            raise SourceRefused(f"source {path}: is a directory; give one video file")
        if not path.exists():
            raise SourceRefused(f"source {path}: no such file")
        if not path.is_file():
            raise SourceRefused(f"source {path}: not a regular file")
        with path.open("rb"):
            return
    except OSError as err:
        raise SourceRefused(f"source {path}: {err.strerror}") from err


def _file_source(text: str, media_root: Path) -> Source:
    root = media_root.resolve()
    try:
        path = (root / text).resolve()
    except (OSError, RuntimeError, ValueError) as err:  # a circle of links, or what no path can be
        raise SourceRefused(f"source {shown(redact(text))}: not a path; {ALLOWED}") from err
    if not path.is_relative_to(root):
        raise SourceRefused(f"source {shown(redact(text))}: outside the media root {root}; {ALLOWED}")
    return Source(str(path))


def _device_source(number: str) -> Source:
    if not re.fullmatch(r"[0-9]{1,2}", number) or int(number) > MAX_DEVICE:
        raise SourceRefused(f"source {shown(f'device:{number}')}: not a device's number; {ALLOWED}")
    return Source(f"/dev/video{int(number)}", "device")


def _url_source(scheme: str, rest: str) -> Source:
    name = f"source {shown(redact(f'{scheme}://{rest}'))}"
    if _UNFIT.search(rest):
        hidden = f"source {scheme}://…"  # where such a password ends, nobody can say
        raise SourceRefused(f"{hidden}: holds a space, a quotation mark or a control character; write a space as %20")
    if scheme not in URL_KINDS:
        raise SourceRefused(f"{name}: scheme {shown(scheme)} is not known; {ALLOWED}")
    parts = _REST.fullmatch(rest)
    if parts and not set(parts["host"]) & set(".["):
        parts = _NUMERIC_REST.fullmatch(rest) or parts
    if not parts:
        problem = "names no host" if not rest or rest[0] in "/?#" else "not a valid URL"
        raise SourceRefused(f"{name}: {problem}; {ALLOWED}")
    port = int(parts["port"] or 1)
    if not (_is_host(parts["host"]) and 1 <= port <= 65_535):
        raise SourceRefused(f"{name}: not a valid URL; allowed are a host name or address and a port from 1 to 65535")
    login = _encoded(parts["login"] or "")
    if len(login) > MAX_LOGIN_CHARS:
        raise SourceRefused(
            f"{name}: its user name and password take {len(login)} characters percent-encoded; "
            f"allowed are {MAX_LOGIN_CHARS}"
        )
    address = parts["host"] + (f":{port}" if parts["port"] else "")
    tail = quote(parts["tail"] or "", safe="%/?#[]@!$&'()*+,;=:|{}^`<>~\\")
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
