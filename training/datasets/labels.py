"""Labels as people write them, and as a model's manifest allows them."""

import re
from collections.abc import Iterable
from typing import Final

from shared.manifest import LABEL
from shared.words.validation import shown

MAX_LABELS: Final = 256
"""as many as a manifest allows"""
ALLOWED: Final = "allowed are 1 to 40 letters a-z, digits and _, a letter first"


def normalised(label: str) -> str | None:
    """The label in lower case with `_` for spaces and hyphens; None where even that is not allowed."""
    name = re.sub(r"[\s-]+", "_", label.strip().lower())
    return name if LABEL.fullmatch(name) else None


class LabelNames:
    """Turns labels as written into those that count, and tells once of each what is wrong with it.

    `known` are the allowed labels, normalised; None allows all.
    """

    def __init__(self, known: Iterable[str] | None) -> None:
        self._known = None if known is None else frozenset(known)
        self._names: dict[str, str | None] = {}
        self._written: dict[str, str] = {}

    def name(self, label: str) -> tuple[str | None, str | None]:
        """What the label is called (None: it does not count), and what is wrong with it if this is its first time."""
        if label in self._names:
            return self._names[label], None
        name, wrong = self._judged(label)
        self._names[label] = name
        return name, wrong

    def _judged(self, label: str) -> tuple[str | None, str | None]:
        name = normalised(label)
        if name is None:
            return None, f"label {shown(label)} cannot be a label: {ALLOWED}; its intervals are left out"
        if self._known is not None and name not in self._known:
            known = ", ".join(sorted(self._known)[:20]) + (", …" if len(self._known) > 20 else "")
            return None, f"label {shown(label)} is unknown, its intervals are left out; known are {known}"
        first = self._written.setdefault(name, label)
        if first != label:
            return name, f"labels {shown(first)} and {shown(label)} are both read as {name!r}"
        return name, None
