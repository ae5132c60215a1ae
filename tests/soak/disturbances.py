"""What happens to cameras and readers, drawn from a seed."""

import os
import random
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from cameras import CameraServer

PAUSE_SECONDS = 15.0, 60.0
AWAY_SECONDS = 1.0, 20.0
KINDS = ("stop", "freeze", "reader killed", "reader frozen")


@dataclass(slots=True)
class Trouble:
    """What a server goes through next, and when, in seconds since the start."""

    kind: str
    begins: float
    ends: float
    is_on: bool = False


class Disturber:
    """Stops and freezes servers, each at moments of its own, and kills and freezes readers; driven by `step`."""

    def __init__(self, servers: list[CameraServer], readers: Callable[[], list[int]], seed: int) -> None:
        self.counts: Counter[str] = Counter()
        self.quiet_since = dict.fromkeys(range(len(servers)), 0.0)
        """by server: when its last trouble ended, in seconds; infinite while one is on"""
        self._servers = servers
        self._readers = readers
        self._random = random.Random(seed)
        self._next = [self._drawn(0.0) for _ in servers]

    def step(self, now: float) -> None:
        """Does what is due `now` seconds after the start."""
        for number, (server, trouble) in enumerate(zip(self._servers, self._next, strict=True)):
            if not trouble.is_on and now >= trouble.begins:
                self._begin(server, trouble)
                trouble.is_on, self.quiet_since[number] = True, float("inf")
            if trouble.is_on and now >= trouble.ends:
                self._end(server, trouble)
                self.quiet_since[number], self._next[number] = now, self._drawn(now)

    def calm(self, now: float) -> None:
        """Ends what is under way."""
        for number, (server, trouble) in enumerate(zip(self._servers, self._next, strict=True)):
            if trouble.is_on:
                self._end(server, trouble)
                self.quiet_since[number], trouble.begins, trouble.is_on = now, float("inf"), False

    def _drawn(self, now: float) -> Trouble:
        begins = now + self._random.uniform(*PAUSE_SECONDS)
        [kind] = self._random.choices(KINDS, weights=(4, 4, 1, 1))
        return Trouble(kind, begins, begins + self._random.uniform(*AWAY_SECONDS))

    def _begin(self, server: CameraServer, trouble: Trouble) -> None:
        self.counts[trouble.kind] += 1
        if trouble.kind == "stop":
            server.stop()
        elif trouble.kind == "freeze":
            server.freeze()
        elif found := self._readers():
            number = signal.SIGABRT if trouble.kind == "reader killed" else signal.SIGSTOP
            with suppress(ProcessLookupError):
                os.kill(self._random.choice(sorted(found)), number)

    @staticmethod
    def _end(server: CameraServer, trouble: Trouble) -> None:
        if trouble.kind == "stop":
            server.start()
        elif trouble.kind == "freeze":
            server.thaw()
