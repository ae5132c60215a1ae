"""The keys that are stored: made, listed, revoked. Asked of Redis each time, so what one process does counts in all."""

from collections.abc import Mapping
from typing import Any, Final

import redis
from pydantic import ValidationError

from services.api.protocol.errors import ApiError, refused
from services.api.security.keys import AccessRole, ApiKey, KeyRecord
from shared.clock import now_ms
from shared.store.client import translated
from shared.store.keys import ACCESS_KEYS, ACCESS_USED, REVIEWERS, reviewed_key
from shared.store.scripts import Script, lua

MAX_KEYS: Final = 1000
REVOKE: Final = lua("key_revoke")


class Keyring:
    """Keys by id, and the first admin key, which settings name. Every method raises StoreUnavailable."""

    def __init__(self, client: redis.Redis, first: KeyRecord | None) -> None:
        self._client = client
        self._first = first

    def is_empty(self) -> bool:
        """Whether there is no key, and never was one: then this machine needs none."""
        with translated():
            return self._first is None and not self._client.hlen(ACCESS_KEYS)

    def records(self) -> dict[str, KeyRecord]:
        """All that can be read, oldest first, the revoked ones included."""
        with translated():
            stored: Any = self._client.hgetall(ACCESS_KEYS)
        found = [record for record in map(read_record, stored.values()) if record]
        if self._first and self._first.id.encode() not in stored:
            found.append(self._first)
        return {record.id: record for record in sorted(found, key=lambda each: (each.created_at_ms or 0, each.id))}

    def used_at_ms(self) -> Mapping[str, int]:
        """When each was used last, to the minute, of those that ever were."""
        with translated():
            stored: Any = self._client.hgetall(ACCESS_USED)
        return {key_id.decode(): int(at_ms) for key_id, at_ms in stored.items()}

    def create(
        self, name: str, role: AccessRole, groups: tuple[str, ...] = (), expires_at_ms: int | None = None
    ) -> tuple[ApiKey, KeyRecord]:
        """A new key, which nobody can be shown again; raises ApiError where it is not to be had.

        Of those that were revoked, the oldest make room.
        """
        if role == "admin" and groups:
            raise refused("groups", len(groups), "an admin is for all streams; leave groups out")
        records = self.records()
        if role != "admin" and not records:
            raise refused("role", role, "the first key must be an admin's, or nobody could make another")
        if len(records) >= MAX_KEYS:
            self._make_room(list(records.values()))
        key = ApiKey.new()
        record = KeyRecord(
            id=key.id,
            name=name,
            role=role,
            groups=groups,
            digest=key.digest,
            created_at_ms=now_ms(),
            expires_at_ms=expires_at_ms,
        )
        self._put(record)
        return key, record

    def record(self, key_id: str) -> KeyRecord:
        """One of them; raises ApiError (404)."""
        record = self.records().get(key_id)
        if record is None:
            raise ApiError(404, "key_unknown", f"no key has the id {key_id!r}")
        return record

    def revoke(self, key_id: str) -> KeyRecord:
        """What the key was; from now on it opens nothing, in no process. Raises ApiError where it is unknown, or the
        last that can make others.
        """
        record = self.record(key_id)
        if record.revoked_at_ms is not None:
            return record
        revoked = record.model_copy(update={"revoked_at_ms": now_ms()})
        if record.role != "admin":
            self._put(revoked)
        elif not self._revoke_admin(revoked):
            raise ApiError(409, "last_admin", "it is the last admin key: make another first, or nobody could")
        with translated():
            self._client.delete(reviewed_key(key_id))
            self._client.zrem(REVIEWERS, key_id)
        return record

    def _revoke_admin(self, revoked: KeyRecord) -> bool:
        """Whether it may be: of two that revoke each other at the same time, one stays."""
        named = self._first.id if self._first else ""
        arguments = [revoked.id, revoked.model_dump_json(), now_ms(), named]
        with translated():
            return bool(Script(self._client, REVOKE)([ACCESS_KEYS], arguments))

    def _make_room(self, records: list[KeyRecord]) -> None:
        useless = [each for each in records if each.why_not(now_ms()) and each.created_at_ms is not None]
        if not useless:
            raise ApiError(409, "keys_full", f"there are {MAX_KEYS} keys; revoke one that is not needed")
        with translated():
            self._client.hdel(ACCESS_KEYS, useless[0].id)
            self._client.hdel(ACCESS_USED, useless[0].id)

    def _put(self, record: KeyRecord) -> None:
        with translated():
            self._client.hset(ACCESS_KEYS, record.id, record.model_dump_json())


def read_record(stored: bytes) -> KeyRecord | None:
    """What is stored of a key; None where it makes no sense, and so opens nothing."""
    try:
        return KeyRecord.model_validate_json(stored)
    except ValidationError:
        return None
