"""Turns pydantic's errors into one sentence that names the field, the value and what is allowed."""

from pydantic import ValidationError

MAX_SHOWN = 120


def first_problem(error: ValidationError) -> str:
    """The first problem as `field: what is wrong (got value)`; `(and n more)` where there are others."""
    problem = error.errors(include_url=False, include_context=False)[0]
    field = ".".join(str(part) for part in problem["loc"]) or "value"
    got = "" if problem["type"] == "missing" else f" (got {shown(problem['input'])})"
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{field}: {problem['msg']}{got}{more}"


def shown(value: object) -> str:
    """A value as an error may show it: quoted and cut to a line."""
    text = repr(value)
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "…"
