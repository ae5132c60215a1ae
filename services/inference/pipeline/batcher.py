"""Which waiting frames make the next batch: pure policy, no clock, no Redis, no torch."""

from collections import deque
from collections.abc import Collection, Hashable, Iterable, Iterator
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Item = TypeVar("Item")


class Batcher(Generic[Key, Item]):
    """Frames wait in one line per stream; a batch takes from the heads of all lines in turn.

    A batch starts with the first frame that waits and closes when `max_size` frames wait or `deadline_seconds` have
    passed since then; while the model is busy more frames come to wait, so the size follows the load. The lines
    together hold about `max_size` frames: `room` says how many more to read. `max_size` may be changed at any time.
    """

    def __init__(self, max_size: int, deadline_seconds: float) -> None:
        self.max_size = max_size
        self._deadline_seconds = deadline_seconds
        self._lines: dict[Key, deque[Item]] = {}
        self._num_waiting = 0
        self._started_at: float | None = None

    def __len__(self) -> int:
        return self._num_waiting

    @property
    def room(self) -> int:
        """How many more frames should be read."""
        return max(0, self.max_size - self._num_waiting)

    def is_waiting(self, key: Key) -> bool:
        """Whether frames of that stream wait here."""
        return key in self._lines

    def put(self, key: Key, items: Collection[Item], now: float) -> None:
        """Adds a stream's next frames, one or more; `now` in monotonic seconds."""
        self._lines.setdefault(key, deque()).extend(items)
        self._num_waiting += len(items)
        if self._started_at is None:
            self._started_at = now

    def is_due(self, now: float) -> bool:
        """Whether the batch is to close now."""
        if self._started_at is None:
            return False
        return self._num_waiting >= self.max_size or now - self._started_at >= self._deadline_seconds

    def take(self, now: float) -> list[Item]:
        """Closes the batch: at most `max_size` frames, every stream's in order, no stream favoured."""
        batch = list(self._in_turn())
        self._num_waiting -= len(batch)
        self._started_at = now if self._num_waiting else None
        return batch

    def discard(self, keys: Iterable[Key]) -> None:
        """Forgets the frames of streams that are gone."""
        for key in keys:
            self._num_waiting -= len(self._lines.pop(key, ()))
        if not self._num_waiting:
            self._started_at = None

    def _in_turn(self) -> Iterator[Item]:
        for _ in range(min(self.max_size, self._num_waiting)):
            key = next(iter(self._lines))
            line = self._lines.pop(key)
            yield line.popleft()
            if line:
                self._lines[key] = line
