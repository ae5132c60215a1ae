"""JSON whose objects know the line of every key, so that a problem can be pointed at."""

import json
import re
from bisect import bisect_right
from pathlib import Path
from typing import Any, Final

from shared.errors import DatasetUnusable

SPACE: Final = re.compile(r"[ \t\n\r]*")


class Located(dict[str, Any]):
    """A JSON object; where a key stands twice, the first value counts and `repeated` holds the others' lines."""

    __slots__ = ("line", "lines", "repeated")

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line
        """1-based line of its opening brace"""
        self.lines: dict[str, int] = {}
        """1-based line of each key"""
        self.repeated: list[tuple[str, int]] = []

    def put(self, key: str, line: int, value: object) -> None:
        """Takes the next member."""
        if key in self.lines:
            self.repeated.append((key, line))
            return
        self[key] = value
        self.lines[key] = line


def parse_json(text: str, file: Path) -> object:
    """The value that a JSON text holds, its objects as Located; raises DatasetUnusable with line and reason."""
    try:
        return _Reader(text).whole()
    except json.JSONDecodeError as err:
        raise DatasetUnusable(f"{file}:{err.lineno}: not valid JSON: {err.msg}") from err
    except RecursionError as err:
        raise DatasetUnusable(f"{file}: not valid JSON: nested too deeply") from err
    except ValueError as err:  # a number of thousands of digits
        raise DatasetUnusable(f"{file}: not valid JSON: {err}") from err


class _Reader:
    """Objects and lists are read here, for their positions; texts, numbers and words by Python's own decoder."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._decode = json.JSONDecoder().raw_decode
        self._line_starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def whole(self) -> object:
        """The text's one value."""
        value, position = self._value(self._after_space(0))
        if position != len(self._text):
            raise json.JSONDecodeError("Extra data", self._text, position)
        return value

    def _value(self, position: int) -> tuple[object, int]:
        """The value at a position and the position of what follows it and the space behind."""
        start = self._text[position : position + 1]
        if start == "{":
            return self._object(position)
        if start == "[":
            return self._list(position)
        value, position = self._decode(self._text, position)
        return value, self._after_space(position)

    def _object(self, position: int) -> tuple[Located, int]:
        found = Located(self._line(position))
        position = self._after_space(position + 1)
        if self._text.startswith("}", position):
            return found, self._after_space(position + 1)
        while True:
            line = self._line(position)
            if not self._text.startswith('"', position):
                raise json.JSONDecodeError("Expecting property name enclosed in double quotes", self._text, position)
            key, position = self._decode(self._text, position)
            value, position = self._value(self._after(":", self._after_space(position)))
            found.put(key, line, value)
            if self._text.startswith("}", position):
                return found, self._after_space(position + 1)
            position = self._after(",", position)

    def _list(self, position: int) -> tuple[list[object], int]:
        found: list[object] = []
        position = self._after_space(position + 1)
        if self._text.startswith("]", position):
            return found, self._after_space(position + 1)
        while True:
            value, position = self._value(position)
            found.append(value)
            if self._text.startswith("]", position):
                return found, self._after_space(position + 1)
            position = self._after(",", position)

    def _after(self, mark: str, position: int) -> int:
        """The position of what follows the mark and its space."""
        if not self._text.startswith(mark, position):
            raise json.JSONDecodeError(f"Expecting {mark!r} delimiter", self._text, position)
        return self._after_space(position + 1)

    def _after_space(self, position: int) -> int:
        match = SPACE.match(self._text, position)
        return match.end() if match else position

    def _line(self, position: int) -> int:
        return bisect_right(self._line_starts, position)
