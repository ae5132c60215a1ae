"""Turns pydantic's errors into one sentence that names the field, the value and what is allowed."""

from pydantic import ValidationError

from shared.words.plain_words import is_plain
from shared.words.redaction import MASK

MAX_SHOWN = 120
MAX_REPEATED = 40


def first_problem(error: ValidationError) -> str:
    """The first problem as `field: what is wrong (got value)`; `(and n more)` where there are others."""
    problem = error.errors(include_url=False, include_context=False)[0]
    field = ".".join(repeated_name(part) for part in problem["loc"]) or "value"
    value = None if problem["type"] == "missing" else repeated(problem["input"])
    got = f" (got {value})" if value else ""
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{field}: {problem['msg']}{got}{more}"


def repeated(value: object) -> str | None:
    """A value as an error may repeat it, quoted: numbers and short plain words; None for what may be a secret.

    People paste logins into the wrong field, and what is shown of them stays in logs.
    """
    text = repr(value)
    is_closed = isinstance(value, int | float) or (isinstance(value, str) and is_plain(value))
    return text if is_closed and len(text) <= MAX_REPEATED else None


def repeated_name(name: object) -> str:
    """The same for the name of a field that somebody else chose."""
    return str(name) if repeated(name) else MASK


def shown(value: object) -> str:
    """A value as an error may show it: quoted and cut to a line."""
    text = repr(value)
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "…"
