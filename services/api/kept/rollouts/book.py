"""Rollouts in Redis, by their groups: every change is made of what is there at that moment, or not at all."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import redis
from pydantic import ValidationError

from services.api.kept.rollouts.record import RolloutRecord, RolloutState
from shared.store.client import translated
from shared.store.keys import ROLLOUTS, ROLLOUTS_CHANGES, ROLLOUTS_TURN
from shared.store.scripts import Script, lua

PUT: Final = lua("rollout_put")
NOTHING: Final = b""


class StoredRollout(NamedTuple):
    """A rollout with the text that it is stored as; None: this version cannot read it."""

    text: bytes
    record: RolloutRecord | None


class RolloutBook:
    """The newest rollout of each group. Methods raise StoreUnavailable. Threads share it."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._put = Script(client, PUT)
        self._known: Mapping[bytes, StoredRollout] = {}

    def all(self) -> dict[str, StoredRollout]:
        """All that there are, by group; what has not changed is not parsed again."""
        with translated():
            texts: Any = self._client.hgetall(ROLLOUTS)
        known = self._known
        found = {name.decode(): known.get(text) or _parsed(text) for name, text in sorted(texts.items())}
        self._known = {stored.text: stored for stored in found.values()}
        return found

    def get(self, group: str) -> StoredRollout | None:
        """A group's."""
        with translated():
            text: Any = self._client.hget(ROLLOUTS, group)
        return _parsed(text) if text else None

    def by_state(self) -> Counter[RolloutState]:
        """How many are in which state."""
        return Counter(stored.record.state for stored in self.all().values() if stored.record)

    def changes(self) -> str:
        """The counter of changes."""
        with translated():
            found: Any = self._client.get(ROLLOUTS_CHANGES)
        return (found or b"0").decode()

    def put(self, group: str, seen: bytes, wanted: RolloutRecord | None, changes: str = "") -> bool:
        """Stores what is wanted (None: removes it) where `seen` is still there; whether it is so, now or before.

        With `changes`, only where the counter still says that.
        """
        text = wanted.model_dump_json() if wanted else NOTHING
        with translated():
            return bool(self._put([ROLLOUTS, ROLLOUTS_CHANGES], [group, seen, text, changes]))

    def takes_turn(self, who: str, turn_ms: int) -> bool:
        """Whether this is the one that looks after them for so long; it is a matter of cost, not of correctness."""
        with translated():
            if self._client.set(ROLLOUTS_TURN, who, nx=True, px=turn_ms):
                return True
            mine: Any = self._client.get(ROLLOUTS_TURN)
            return bool(mine == who.encode() and self._client.pexpire(ROLLOUTS_TURN, turn_ms))


def _parsed(text: bytes) -> StoredRollout:
    try:
        return StoredRollout(text, RolloutRecord.model_validate_json(text))
    except ValidationError:
        return StoredRollout(text, None)  # another version's
