"""ETag, If-Match and If-None-Match: who changes a stream may say which version of it was seen (RFC 9110, 13)."""

import re
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Header

from services.api.protocol.errors import ApiError
from shared.streams import StreamSpec

ETAGS: Final = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
MAX_TEXT: Final = 1000
ANY: Final = "*"


def etag_of(spec: StreamSpec) -> str:
    """The entity tag of what is asked of a stream; where the stream stands is no part of it."""
    return f'"{spec.generation:x}-{spec.revision}"'


@dataclass(frozen=True, slots=True)
class Preconditions:
    """What must be true of a stream for a request to be served."""

    if_match: str | None
    if_none_match: str | None

    def check(self, spec: StreamSpec | None) -> None:
        """Raises ApiError (412) where it is not true of the stream; None: there is none of that id."""
        if self.if_match is not None and not _names(self.if_match, spec, weakly=False):
            there = f"its ETag is {etag_of(spec)}" if spec else "there is no such stream"
            raise _failed("If-Match", f"the stream is not as it was seen: {there}")
        if self.if_none_match is not None and _names(self.if_none_match, spec, weakly=True):
            raise _failed("If-None-Match", "there is such a stream already")


def _names(header: str, spec: StreamSpec | None, *, weakly: bool) -> bool:
    if spec is None or header.strip() == ANY:
        return spec is not None
    tags = [tag.removeprefix("W/") if weakly else tag for tag in ETAGS.findall(header)]
    return etag_of(spec) in tags


def _failed(field: str, problem: str) -> ApiError:
    return ApiError(412, "precondition_failed", f"{field}: {problem}", field=field)


def _preconditions(
    if_match: Annotated[
        str | None, Header(max_length=MAX_TEXT, description="only where the stream's `ETag` is this, or one of these")
    ] = None,
    if_none_match: Annotated[
        str | None, Header(max_length=MAX_TEXT, description="`*`: only where there is no such stream")
    ] = None,
) -> Preconditions:
    return Preconditions(if_match, if_none_match)


PreconditionsOf = Annotated[Preconditions, Depends(_preconditions)]
