"""Where events are delivered to, as stored in Redis."""

import base64
import secrets
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final, Literal

import redis
from pydantic import ConfigDict, Field, ValidationError

from services.api.followers.entries import FeedEntry
from shared.errors import AfterimageError
from shared.life.delivery_rules import Severity
from shared.manifest import Label
from shared.sources import SEALED
from shared.store.client import replies_of, translated
from shared.store.keys import TARGETS, TARGETS_CHANGES, target_failing_key, target_locked_key
from shared.store.layout.known import layout_of
from shared.store.scripts import Script, lua
from shared.streams import STREAM_ID_PATTERN, Group, StreamId
from shared.words.redaction import redact
from shared.words.sealed_text import SealedText
from shared.words.sealing import Vault
from shared.words.versions import VersionedRecord

MAX_TARGETS: Final = 64
SECRET_BYTES: Final = 32
COURSE: Final = frozenset({"opened", "closed"})
"""What becomes of an event by itself; all else is people's doing."""
MAX_ATTEMPTS: Final = 8
TELL_SECONDS, TOLD_SECONDS = 5.0, 30
"""So often a worker says what it cannot open or send, and so long that counts."""
LOCKED_TARGET: Final = (
    "url: encrypted with a key that AFTERIMAGE_SECRET_KEY does not hold here; give that key, or url and secret again"
)
LOCKED_FOR_DELIVERY: Final = (
    "url: encrypted with a key that AFTERIMAGE_SECRET_KEY of delivery does not hold; give it the api's, and restart it"
)
FAILING: Final = "the last attempt failed, and is repeated"
SIGNING_KEY: Final = r"^whsec_[A-Za-z0-9+/]{32,88}={0,2}$"

TargetKind = Literal["webhook", "mqtt", "apprise"]


class TargetUnknown(AfterimageError):
    """No target has this id."""


class TargetRefused(AfterimageError):
    """A target's id is used already, or there are too many."""


class TargetLocked(AfterimageError):
    """What is stored of a target is encrypted with a key that is not here."""


class Target(VersionedRecord):
    """A receiver of events. `url` and `secret` never leave, but for the secret when the target is made."""

    model_config = ConfigDict(hide_input_in_errors=True)

    id: str = Field(pattern=STREAM_ID_PATTERN)
    kind: TargetKind
    url: SealedText = Field(min_length=1, max_length=2048, repr=False)
    secret: SealedText = Field(repr=False)
    streams: tuple[StreamId, ...] = Field(default=(), max_length=256)
    labels: tuple[Label, ...] = Field(default=(), max_length=256)
    groups: tuple[Group, ...] = Field(default=(), max_length=16)
    severity: Severity | None = None
    updates: bool = False
    enabled: bool = True
    gone: str | None = Field(
        default=None, max_length=500, description="why it was switched off, if its receiver said so"
    )
    created_at_ms: int

    @property
    def is_locked(self) -> bool:
        """Whether its URL or secret cannot be opened here."""
        return SEALED in (self.url, self.secret)

    def wants(self, entry: FeedEntry, severity: Severity, groups: Collection[str]) -> bool:
        """Whether an entry of a stream in these groups is to be delivered here.

        What came before the target is not. People are told of beginnings alone, and who has not asked for `updates` of
        nothing but beginnings and ends; a broker, whose sensor is on, also of what is deleted, as that never ends.
        """
        return (
            self.enabled
            and (self.kind != "apprise" or entry.kind == "opened")
            and (self.updates or entry.kind in COURSE or (self.kind == "mqtt" and entry.kind == "deleted"))
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
    """Targets by id. Every method raises StoreUnavailable.

    Without a vault, targets are stored as they are, and those that were sealed are locked.
    """

    def __init__(self, client: redis.Redis, vault: Vault | None = None) -> None:
        self._client = client
        self._vault = vault
        self._time = Script(client, lua("time_of"))
        self._replace = Script(client, lua("replace"))
        self._seen: Any = ()
        self._targets: dict[str, Target] = {}
        self._tell_at = 0.0
        self._told_failing = set[str]()

    def now_ms(self) -> int:
        """Redis's time: by it entries of the feed are numbered."""
        with translated():
            seconds, microseconds = self._time([TARGETS], [])
        return int(seconds) * 1000 + int(microseconds) // 1000

    def all(self) -> dict[str, Target]:
        """All that can be read, by id."""
        with translated():
            stored: Any = self._client.hgetall(TARGETS)
        parsed = {name.decode(): self._parsed(text) for name, text in sorted(stored.items())}
        return {name: target for name, target in parsed.items() if target is not None}

    def current(self) -> dict[str, Target]:
        """The same, read anew only where something changed."""
        with translated():
            changes = self._client.get(TARGETS_CHANGES)
        if changes != self._seen:
            self._targets, self._seen = self.all(), changes
        return self._targets

    def get(self, target_id: str) -> Target:
        """One of them; raises TargetUnknown."""
        return self._stored(target_id)[1]

    def add(self, target: Target) -> None:
        """A new one; raises TargetRefused."""
        with translated():
            if self._client.hlen(TARGETS) >= MAX_TARGETS:
                raise TargetRefused(f"there are {MAX_TARGETS} targets already, and no more are allowed")
            if not self._client.hsetnx(TARGETS, target.id, self._text_of(target)):
                raise TargetRefused(f"target id {target.id!r} is used already")
            self._client.incr(TARGETS_CHANGES)

    def change(self, target_id: str, change: Callable[[Target], Target]) -> tuple[Target, Target]:
        """Stores what becomes of one by a change of what it is at this moment; before and after.

        Raises TargetUnknown, TargetRefused while others change it, and TargetLocked where it would stay locked.
        """
        for _ in range(MAX_ATTEMPTS):
            stored, before = self._stored(target_id)
            after = change(before)
            if after.is_locked:
                raise TargetLocked(f"target {target_id!r} cannot be changed: {LOCKED_TARGET}")
            with translated():
                if self._replace([TARGETS, TARGETS_CHANGES], [target_id, stored, self._text_of(after)]):
                    return before, after
        raise TargetRefused(f"target {target_id!r} is being changed by others at the same time; try again")

    def switch_off(self, seen: Target, why: str) -> tuple[Target, Target]:
        """Switches one off whose receiver wants nothing any more, unless it leads elsewhere by now; as `change`."""
        off = {"enabled": False, "gone": why}

        def change(target: Target) -> Target:
            is_same = target.enabled and target.url == seen.url
            return target.model_copy(update=off) if is_same else target

        return self.change(seen.id, change)

    def remove(self, target_id: str) -> None:
        """Forgets one and its dead letters; what waits for it is dropped. Raises TargetUnknown."""
        layout = layout_of(self._client)
        with translated():
            known = self._client.hdel(TARGETS, target_id)
            self._client.incr(TARGETS_CHANGES)
            for keys in layout.all:
                self._client.delete(keys.dead_letters(target_id))
        if not known:
            raise TargetUnknown(f"no target has the id {target_id!r}")

    def seal_anew(self, target_id: str) -> bool:
        """Stores one under the first key; False where it is encrypted with a key not here. Raises TargetUnknown."""
        try:
            self.change(target_id, lambda target: target)
        except TargetLocked:
            return False
        return True

    def tell_troubles(self, failing: Mapping[str, str]) -> None:
        """Says, now and then, which of the current targets cannot be opened here, and why others take nothing."""
        is_new = failing.keys() != self._told_failing
        if not is_new and time.monotonic() < self._tell_at:
            return
        self._tell_at = time.monotonic() + TELL_SECONDS
        locked = [target.id for target in self._targets.values() if target.is_locked]
        over, self._told_failing = self._told_failing - failing.keys(), {*failing}
        with translated():
            for target_id in over:
                self._client.delete(target_failing_key(target_id))  # a worker whose attempts fail says it again
            for target_id in locked:
                self._client.set(target_locked_key(target_id), "1", ex=TOLD_SECONDS)
            for target_id, why in failing.items():
                self._client.set(target_failing_key(target_id), why, ex=TOLD_SECONDS)

    def told_troubles(self, target_ids: Iterable[str]) -> dict[str, str]:
        """Why delivery workers get nothing to those of the targets where that is so."""
        wanted = list(target_ids)
        pipeline = self._client.pipeline(transaction=False)
        for target_id in wanted:
            pipeline.exists(target_locked_key(target_id))
            pipeline.get(target_failing_key(target_id))
        replies = iter(replies_of(pipeline) if wanted else [])
        told = {}
        for target_id, is_locked, why in zip(wanted, replies, replies, strict=True):
            if is_locked == 1:
                told[target_id] = LOCKED_FOR_DELIVERY
            elif isinstance(why, bytes):
                told[target_id] = f"{FAILING}: {redact(why.decode(errors='replace'))}"
        return told

    def _stored(self, target_id: str) -> tuple[Any, Target]:
        with translated():
            stored: Any = self._client.hget(TARGETS, target_id)
        target = self._parsed(stored) if stored else None
        if target is None:
            raise TargetUnknown(f"no target has the id {target_id!r}")
        return stored, target

    def _parsed(self, text: bytes) -> Target | None:
        try:
            return Target.model_validate_json(text, context=self._vault)
        except ValidationError:
            return None  # another version's

    def _text_of(self, target: Target) -> str:
        return target.model_dump_json(context=self._vault)
