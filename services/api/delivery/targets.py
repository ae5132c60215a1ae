"""Where events are delivered to, as stored in Redis."""

import base64
import secrets
from collections.abc import Collection
from typing import Any, Final, Literal

import redis
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.api.followers.entries import FeedEntry
from shared.errors import AfterimageError
from shared.life.delivery_rules import Severity
from shared.manifest import Label
from shared.store.client import translated
from shared.store.keys import PARTITIONS, TARGETS, TARGETS_CHANGES
from shared.store.scripts import Script, lua
from shared.streams import STREAM_ID_PATTERN, Group, StreamId

MAX_TARGETS: Final = 64
SECRET_BYTES: Final = 32
SIGNING_KEY: Final = r"^whsec_[A-Za-z0-9+/]{32,88}={0,2}$"

TargetKind = Literal["webhook", "mqtt", "apprise"]


class TargetUnknown(AfterimageError):
    """No target has this id."""


class TargetRefused(AfterimageError):
    """A target's id is used already, or there are too many."""


class Target(BaseModel):
    """A receiver of events. `url` and `secret` never leave, but for the secret when the target is made."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    id: str = Field(pattern=STREAM_ID_PATTERN)
    kind: TargetKind
    url: str = Field(min_length=1, max_length=2048, repr=False)
    secret: str = Field(repr=False)
    streams: tuple[StreamId, ...] = Field(default=(), max_length=256)
    labels: tuple[Label, ...] = Field(default=(), max_length=256)
    groups: tuple[Group, ...] = Field(default=(), max_length=16)
    severity: Severity | None = None
    enabled: bool = True
    created_at_ms: int

    def wants(self, entry: FeedEntry, severity: Severity, groups: Collection[str]) -> bool:
        """Whether an entry of a stream in these groups is to be delivered here; what came before the target is not, nor
        does anybody like to be told of every end."""
        return (
            self.enabled
            and (self.kind != "apprise" or entry.kind == "opened")
            and entry.entry_id.ms >= self.created_at_ms
            and (not self.streams or entry.stream_id in self.streams)
            and (not self.labels or entry.label in self.labels)
            and (self.severity is None or severity == self.severity)
            and (not self.groups or not {*self.groups}.isdisjoint(groups))
        )


def new_secret() -> str:
    """A secret for signatures, as Standard Webhooks writes them."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


class TargetBook:
    """Targets by id. Every method raises StoreUnavailable."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._time = Script(client, lua("time_of"))
        self._seen: Any = ()
        self._targets: dict[str, Target] = {}

    def now_ms(self) -> int:
        """Redis's time: by it entries of the feed are numbered."""
        with translated():
            seconds, microseconds = self._time([TARGETS], [])
        return int(seconds) * 1000 + int(microseconds) // 1000

    def all(self) -> dict[str, Target]:
        """All that can be read, by id."""
        with translated():
            stored: Any = self._client.hgetall(TARGETS)
        found: dict[str, Target] = {}
        for name, text in sorted(stored.items()):
            try:
                found[name.decode()] = Target.model_validate_json(text)
            except ValidationError:
                continue  # another version's
        return found

    def current(self) -> dict[str, Target]:
        """The same, read anew only where something changed."""
        with translated():
            changes = self._client.get(TARGETS_CHANGES)
        if changes != self._seen:
            self._targets, self._seen = self.all(), changes
        return self._targets

    def get(self, target_id: str) -> Target:
        """One of them; raises TargetUnknown."""
        found = self.all().get(target_id)
        if found is None:
            raise TargetUnknown(f"no target has the id {target_id!r}")
        return found

    def add(self, target: Target) -> None:
        """A new one; raises TargetRefused."""
        with translated():
            if self._client.hlen(TARGETS) >= MAX_TARGETS:
                raise TargetRefused(f"there are {MAX_TARGETS} targets already, and no more are allowed")
            if not self._client.hsetnx(TARGETS, target.id, target.model_dump_json()):
                raise TargetRefused(f"target id {target.id!r} is used already")
            self._client.incr(TARGETS_CHANGES)

    def replace(self, target: Target) -> None:
        """Stores what was changed of one."""
        with translated():
            self._client.hset(TARGETS, target.id, target.model_dump_json())
            self._client.incr(TARGETS_CHANGES)

    def remove(self, target_id: str) -> None:
        """Forgets one and its dead letters; what waits for it is dropped. Raises TargetUnknown."""
        with translated():
            known = self._client.hdel(TARGETS, target_id)
            self._client.incr(TARGETS_CHANGES)
            for keys in PARTITIONS:
                self._client.delete(keys.dead_letters(target_id))
        if not known:
            raise TargetUnknown(f"no target has the id {target_id!r}")
