"""Who may do what: each request's rule, told by its method and path alone, before anything of it is read.

What is named nowhere here is read by viewers, written by operators, and refused to keys that are for some groups of
streams only: a route that gives such a key its own part must be named in `FOR_GROUPS`.
"""

import re
from dataclasses import dataclass
from typing import Final

from starlette.types import Scope

from services.api.security.keys import AccessRole

PUBLIC: Final = frozenset({"/", "/healthz", "/readyz", "/openapi.json", "/docs"})
FILES: Final = ("/docs/", "/page/")
"""Below them lie the files that the documentation and the web page are shown with."""
SESSION: Final = "/v1/session"
ADMINS: Final = re.compile(r"/v1/(?:keys|secrets|targets)(?:/.*)?", re.DOTALL)
OPERATORS: Final = "/v1/system"
OF_STREAM: Final = re.compile(r"/v1/streams/(?P<id>(?!probe$)[A-Za-z0-9_-]+)(?:/.*)?", re.DOTALL)
OF_EVENT: Final = re.compile(r"/v1/events/(?P<id>[A-Za-z0-9_-]+)\.[^/]*(?:/.*)?", re.DOTALL)
OF_MODEL: Final = re.compile(r"/v1/models/[a-z0-9_-]+/card")
REVIEWED: Final = re.compile(r"/v1/events/(?:[^/]+/)?reviewed", re.DOTALL)
"""The caller's own matter, which changes nothing for others: a viewer writes it, too."""
FOR_GROUPS: Final = frozenset(
    {
        ("GET", "/v1/streams"),
        ("POST", "/v1/streams"),
        ("POST", "/v1/streams/probe"),
        ("GET", "/v1/groups"),
        ("GET", "/v1/events"),
        ("GET", "/v1/events/counts"),
        ("GET", "/v1/events/export"),
        ("POST", "/v1/events/reviewed"),
        ("GET", "/v1/events/live"),
        ("GET", "/v1/live"),
        ("GET", "/v1/models"),
        ("GET", "/v1/workers"),
        ("GET", "/v1/version"),
        ("GET", SESSION),
        ("DELETE", SESSION),
    }
)
SAFE: Final = frozenset({"GET", "OPTIONS"})
READ_WITH_BODY: Final = re.compile(r"/v1/streams/[A-Za-z0-9_-]+/thresholds/preview")
"""What is asked with a body and only reads: viewers may, and no audit line tells of it. A page of another site may not,
as it is work."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What a request asks of its caller."""

    role: AccessRole | None
    """the lowest that may; None: anybody, without a key"""
    stream_id: str | None = None
    """the stream it is about, which the caller must be able to see"""
    for_groups: bool = False
    """whether a key for some groups may ask, as it is given no more than its part"""


def rule_for(method: str, path: str) -> Rule:
    """The rule for a path as routes name it, without a prefix that a proxy adds."""
    method = "GET" if method == "HEAD" else method
    if path in PUBLIC or path.startswith(FILES) or (method, path) == ("POST", SESSION):
        return Rule(None)
    found = OF_STREAM.fullmatch(path) or OF_EVENT.fullmatch(path)
    stream_id = found["id"] if found else None
    for_groups = (method, path) in FOR_GROUPS or (method == "GET" and OF_MODEL.fullmatch(path) is not None)
    return Rule(_role(method, path), stream_id, stream_id is not None or for_groups)


def is_write(scope: Scope) -> bool:
    """Whether a request may change something."""
    return scope["type"] == "http" and scope["method"] not in SAFE and scope["method"] != "HEAD"


def is_told(scope: Scope) -> bool:
    """Whether a request is one for the audit log: a write, but not of what is seen by the caller alone."""
    return is_write(scope) and not _is_own(asked(scope)[1])


def asked(scope: Scope) -> tuple[str, str]:
    """A connection's method and path as routes name it; a WebSocket is read."""
    path: str = scope["path"]
    prefix: str = scope.get("root_path", "")
    if prefix and (path == prefix or path.startswith(f"{prefix}/")):
        path = path.removeprefix(prefix)
    return ("GET" if scope["type"] == "websocket" else scope["method"]), path


def _role(method: str, path: str) -> AccessRole:
    if ADMINS.fullmatch(path):
        return "admin"
    reads = method in SAFE or path == SESSION or _is_own(path)
    return "viewer" if reads and path != OPERATORS else "operator"


def _is_own(path: str) -> bool:
    """Whether nothing is changed there for others, whatever is sent."""
    return bool(READ_WITH_BODY.fullmatch(path) or REVIEWED.fullmatch(path))
