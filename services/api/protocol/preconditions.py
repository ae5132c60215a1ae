"""ETag, If-Match and If-None-Match: who changes a stream may say which version of it was seen (RFC 9110, 13)."""

import re
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from fastapi import Depends, Header

from services.api.protocol.errors import ApiError
from shared.streams import StreamSpec

ETAG: Final = '(?:W/)?"[!#-~]*"'


def etag_of(spec: StreamSpec) -> str:
    """The entity tag of what is asked of a stream; where the stream stands is no part of it."""
    return f'"{spec.generation:x}-{spec.revision}"'


@dataclass(frozen=True, slots=True)
class Preconditions:
    """What must be true of a stream for a request to be served: one of the ETags, or that there is none of that id."""

    if_match: str | None = None
    if_none: bool = False

    def check(self, spec: StreamSpec | None) -> None:
        """Raises ApiError (412) where it is not true of the stream; None: there is none of that id."""
        if self.if_match is not None and not _names(self.if_match, spec):
            there = f"its ETag is {etag_of(spec)}" if spec else "there is no such stream"
            raise _failed("If-Match", f"the stream is not as it was seen: {there}")
        if self.if_none and spec is not None:
            raise _failed("If-None-Match", "there is such a stream already")


def _names(header: str, spec: StreamSpec | None) -> bool:
    """Weak ones, `W/"…"`, name nothing here."""
    return spec is not None and (header.strip() == "*" or etag_of(spec) in re.findall(ETAG, header))


def _failed(field: str, problem: str) -> ApiError:
    return ApiError(412, "precondition_failed", f"{field}: {problem}", field=field)


def _seen(
    if_match: Annotated[str | None, Header(description="only where the stream's `ETag` is one of these")] = None,
) -> Preconditions:
    return Preconditions(if_match)


def _seen_or_new(
    seen: Annotated[Preconditions, Depends(_seen)],
    if_none_match: Annotated[
        Literal["*"] | None, Header(description="only where there is no stream of this id")
    ] = None,
) -> Preconditions:
    return Preconditions(seen.if_match, if_none_match is not None)


SeenOf = Annotated[Preconditions, Depends(_seen)]
SeenOrNewOf = Annotated[Preconditions, Depends(_seen_or_new)]
