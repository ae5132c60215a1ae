"""Cursors: where a page ended, as opaque text that a client hands back."""

import base64
import binascii

from services.api.protocol.errors import ApiError, refused


def cursor_of(*parts: str | int) -> str:
    """The cursor for a position; the parts hold no spaces."""
    return base64.urlsafe_b64encode(" ".join(str(part) for part in parts).encode()).decode().rstrip("=")


def parts_of(cursor: str, num_parts: int) -> list[str]:
    """The parts that `cursor_of` was given; raises ApiError (422) on anything else."""
    try:
        parts = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode().split(" ")
    except (ValueError, binascii.Error) as err:
        raise bad_cursor(cursor) from err
    if len(parts) != num_parts:
        raise bad_cursor(cursor)
    return parts


def bad_cursor(cursor: str) -> ApiError:
    """The error for a cursor that no page has given out."""
    return refused("cursor", cursor, "not a cursor; give back `next` of the page before, unchanged")
