"""Looks after all rollouts, on a thread of the api: whichever replica has the turn, and where it dies, the next."""

import logging
import secrets
import threading
from collections.abc import Mapping
from typing import Final

import redis

from services.api.kept.registration import Registrar
from services.api.kept.rollouts.book import RolloutBook, StoredRollout
from services.api.kept.rollouts.judging import told
from services.api.kept.rollouts.moving import Mover
from services.api.kept.rollouts.record import RolloutRecord
from services.api.kept.rollouts.steps import RolloutPace, Steps
from shared.clock import now_ms
from shared.errors import StoreUnavailable

KEPT_MS: Final = 90 * 86_400_000
"""So long one can see what became of a rollout."""
TURNS: Final = 3
"""Looks that a replica may leave out before another takes over."""
JOIN_SECONDS: Final = 10.0

log = logging.getLogger(__name__)


class RolloutKeeper:
    """A thread from `start` to `stop`. While Redis is away it waits; no defect ends it."""

    def __init__(self, client: redis.Redis, registrar: Registrar, book: RolloutBook, pace: RolloutPace) -> None:
        self._book = book
        self._pace = pace
        self._steps = Steps(client, Mover(registrar, book, pace.batch, lambda: self._is_stopping), pace)
        self._name = secrets.token_hex(8)
        self._is_stopping = False
        self._woken = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rollouts", daemon=True)

    def start(self) -> None:
        """Begins to look."""
        self._thread.start()

    def stop(self) -> None:
        """Ends in order, within the time that a request to Redis may take."""
        self._is_stopping = True
        self._woken.set()
        self._thread.join(JOIN_SECONDS)

    def wake(self) -> None:
        """Has it look now."""
        self._woken.set()

    def _run(self) -> None:
        while not self._is_stopping:
            pause_seconds = self._pace.look_seconds
            try:
                pause_seconds = self._look()
            except StoreUnavailable:
                pass  # the live feed says so
            except Exception:
                log.exception("the keeper of rollouts goes on after a defect")
            self._woken.wait(pause_seconds)
            self._woken.clear()

    def _look(self) -> float:
        """Takes each one step on; how long to wait then."""
        changes = self._book.changes()  # before what is read
        found = self._book.all()
        self._forget(found)
        under_way = [group for group, each in found.items() if each.record and not each.record.is_over]
        turn_ms = round(TURNS * self._pace.look_seconds * 1000)
        if not under_way or not self._book.takes_turn(self._name, turn_ms):
            return self._pace.look_seconds
        pause_seconds = self._pace.look_seconds
        for group in under_way:
            if self._is_stopping:
                break
            try:
                pause_seconds = min(pause_seconds, self._advance(group, changes))
            except StoreUnavailable:
                raise
            except Exception:  # another one's is none of the others' business
                log.exception("rollout of group %s: left as it is after a defect", group)
            changes = self._book.changes()
        return pause_seconds

    def _advance(self, group: str, changes: str) -> float:
        """Takes one a step on; how long to wait then."""
        stored = self._book.get(group)
        record = stored.record if stored else None
        if stored is None or record is None or record.is_over:
            return self._pace.look_seconds
        after = self._steps.take(record, changes, now_ms())
        if after != record and self._book.put(group, stored.text, after) and after.state != record.state:
            _tell(after)
        return self._pace.until_next(after.state)

    def _forget(self, found: Mapping[str, StoredRollout]) -> None:
        until_ms = now_ms() - KEPT_MS
        for group, stored in found.items():
            if stored.record and (stored.record.ended_at_ms or until_ms) < until_ms:
                self._book.put(group, stored.text, None)


def _tell(record: RolloutRecord) -> None:
    """Writes down that one has come into another state."""
    level = logging.WARNING if record.state in {"returning", "returned"} else logging.INFO
    log.log(level, "rollout of %s on group %s: %s", record.model, record.group, told(record))
