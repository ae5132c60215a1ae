"""Registering and changing streams: what is checked before a spec is stored."""

import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import redis

from services.api.kept.catalog import ModelListing
from services.api.kept.frames import last_published_ms
from services.api.protocol.errors import ApiError, refused
from services.api.schemas.streams import StreamChange, StreamCreate, StreamPut
from services.api.settings import ApiSettings
from shared.clock import now_ms
from shared.errors import SourceMissing, SourceRefused, StreamExists, StreamUnknown
from shared.manifest import OFFLINE
from shared.records import StreamRecord
from shared.sources import LOCKED, MASKED, SEALED, check_file, parse_source
from shared.store.registry import Registry
from shared.streams import DEFAULT_FPS, DEFAULT_MODEL, MIN_FPS, InferenceStatus, Progress, StreamSpec, StreamStatus
from shared.words.redaction import MASK, shown_source

MAX_ATTEMPTS = 8
MAX_SLUG = 56
OWN_PATHS = frozenset({"probe"})
"""What follows /v1/streams/ and is no stream."""


@dataclass(frozen=True, slots=True)
class Placed:
    """What came of a PUT or a change: the stream as it was (None: it is new) and is, and which fields are others."""

    before: StreamSpec | None
    record: StreamRecord
    changed: tuple[str, ...]


class Registrar:
    """Turns requests into stored specs. Methods raise ApiError, SourceRefused and StoreUnavailable."""

    def __init__(self, client: redis.Redis, registry: Registry, catalog: ModelListing, settings: ApiSettings) -> None:
        self._client = client
        self._registry = registry
        self._catalog = catalog
        self._settings = settings

    def add(self, wanted: StreamCreate) -> str:
        """Registers a stream and returns its id; raises StreamExists where the id that was asked for is used."""
        slug = _slug(wanted.name)
        self._check_room()
        for attempt in range(MAX_ATTEMPTS):
            spec = self._new(wanted.id or (slug if attempt == 0 else f"{slug}-{secrets.token_hex(3)}"), wanted)
            try:
                self._registry.add(spec)
            except StreamExists:
                if wanted.id is not None:
                    raise
            else:
                return spec.id
        raise StreamExists(f"no free id found for the name {wanted.name!r}; give an id")

    def place(
        self, stream_id: str, wanted: StreamPut, check: Callable[[StreamSpec | None], object], *, dry_run: bool = False
    ) -> Placed:
        """Registers a stream under this id, or replaces what is asked of it; the same again changes nothing.

        What was counted and kept of it stays, and so does `base_ms` unless it is given or the source is another.
        `check` is given what is there, None for nothing, and raises where that must not be replaced. `dry_run` checks
        everything and stores nothing.
        """
        for _ in range(MAX_ATTEMPTS):
            seen = self._find(stream_id)
            before = seen.spec if seen else None
            check(before)
            if seen:
                spec = _made(seen, lambda seen: self._changed(seen, _replacing(seen.spec, wanted)))
                changed = _differing(seen.spec, spec)
            else:
                self._check_room()
                spec, changed = self._new(stream_id, wanted), tuple(sorted(wanted.model_fields_set))
            if dry_run:
                return Placed(before, replace(seen, spec=spec) if seen else _unborn(spec), changed)
            if self._store(seen, spec):
                return Placed(before, self._registry.get(stream_id), changed)
        raise _in_conflict(stream_id)

    def change(self, stream_id: str, wanted: StreamChange, check: Callable[[StreamSpec], object]) -> Placed:
        """Changes a stream as it is at this moment, whoever else changes it; raises StreamUnknown.

        A source that comes back as it is shown stays what it is; any other with the mask in it is refused. `check` is
        given what is replaced, and raises where that must stay.
        """
        changes = {name: getattr(wanted, name) for name in wanted.model_fields_set}
        return self._replaced(stream_id, lambda seen: self._changed(seen, changes), check)

    def check(self, seen: StreamRecord, wanted: StreamChange) -> None:
        """Refuses what `change` would refuse of the stream as it was seen; changes nothing."""
        changes = {name: getattr(wanted, name) for name in wanted.model_fields_set}
        _made(seen, lambda seen: self._changed(seen, changes))

    def forget(self, stream_id: str) -> StreamRecord:
        """Asks inference to empty a stream's memory; raises StreamUnknown."""
        asked = self._replaced(stream_id, lambda seen: seen.spec.model_copy(update={"forgets": seen.spec.forgets + 1}))
        return asked.record

    def _replaced(
        self,
        stream_id: str,
        make: Callable[[StreamRecord], StreamSpec],
        check: Callable[[StreamSpec], object] | None = None,
    ) -> Placed:
        for _ in range(MAX_ATTEMPTS):
            seen = self._registry.get(stream_id)
            if check:
                check(seen.spec)
            spec = _made(seen, make)
            if self._store(seen, spec):
                return Placed(seen.spec, self._registry.get(stream_id), _differing(seen.spec, spec))
        raise _in_conflict(stream_id)

    def _find(self, stream_id: str) -> StreamRecord | None:
        try:
            return self._registry.get(stream_id)
        except StreamUnknown:
            return None

    def _store(self, seen: StreamRecord | None, spec: StreamSpec) -> bool:
        """Whether the stream is so now; False where somebody else was quicker."""
        if seen:
            return spec == seen.spec or self._registry.replace(seen.spec, spec)
        try:
            self._registry.add(spec)
        except StreamExists:
            return False
        return True

    def _check_room(self) -> None:
        limit = self._settings.max_streams
        if sum(self._registry.counts()) >= limit:
            problem = f"{limit} streams are registered, as many as AFTERIMAGE_MAX_STREAMS allows; remove some first"
            raise ApiError(409, "too_many_streams", problem)

    def _new(self, stream_id: str, wanted: StreamPut) -> StreamSpec:
        """The spec of a stream that there is not yet; raises SourceRefused, ApiError."""
        if stream_id in OWN_PATHS:
            raise refused("id", stream_id, "is the api's own word; choose another")
        fields = {name: value for name in wanted.model_fields_set if (value := getattr(wanted, name)) is not None}
        fps = self._model_fps(fields.get("model", DEFAULT_MODEL), DEFAULT_FPS)
        made = {"base_ms": now_ms(), "generation": time.time_ns(), "created_at_ms": now_ms()}
        spec = StreamSpec(**{**made, "fps": fps, "fps_given": "fps" in fields, **fields, "id": stream_id})
        check_source(spec.source, self._settings.media_root, may_come=True)
        self._check_model(spec)
        return spec

    def _changed(self, seen: StreamRecord, changes: dict[str, Any]) -> StreamSpec:
        changes = dict(changes)
        if changes.get("source") == shown_source(seen.spec.source):
            del changes["source"]
        given_base_ms = changes.pop("base_ms", None)
        fields = {name: _default(name) if value is None else value for name, value in changes.items()}
        new_source = fields.get("source", seen.spec.source) != seen.spec.source
        if given_base_ms is not None or new_source:
            fields["base_ms"] = self._next_base_ms(seen, given_base_ms)
        if "model" in changes:
            fields["model_asks"] = seen.spec.model_asks + 1
        if "fps" in changes:
            fields["fps_given"] = changes["fps"] is not None
        spec = StreamSpec(**{**dict(seen.spec), **fields})
        if not spec.fps_given and changes.keys() & {"model", "fps"}:
            spec = spec.model_copy(update={"fps": self._model_fps(spec.model, spec.fps)})
        if new_source:
            check_source(spec.source, self._settings.media_root, may_come=True)
        if changes.keys() & {"model", "thresholds", "delivery"}:
            self._check_model(spec)
        return spec

    def _model_fps(self, name: str, otherwise: float) -> float:
        """The rate that a model was trained at, where that is known here."""
        manifests = (model.manifest for model in self._catalog.models() if model.name == name)
        manifest = next(manifests, None)
        return max(MIN_FPS, manifest.fps) if manifest else otherwise

    def _next_base_ms(self, seen: StreamRecord, given: int | None) -> int:
        """Where the next frames' times begin: after every frame published, as their times are their identity."""
        if given == seen.spec.base_ms:
            return given
        last_ms = last_published_ms(self._client, seen)
        if given is not None and given <= last_ms:
            raise refused("base_ms", given, f"must be after the last frame published, so more than {last_ms}")
        return given or max(now_ms(), last_ms + 1)

    def _check_model(self, spec: StreamSpec) -> None:
        if not self._catalog.is_here:
            return
        models = {model.name: model for model in self._catalog.models()}
        model = models.get(spec.model)
        if model is None or model.manifest is None or model.reason is not None:
            usable = ", ".join(name for name, each in models.items() if each.reason is None) or "none"
            problem = "no such model" if model is None else f"not usable: {model.reason}"
            raise refused("model", spec.model, f"{problem}; usable are: {usable}")
        for field, known in (("thresholds", model.manifest.labels), ("delivery", (*model.manifest.labels, OFFLINE))):
            if strangers := sorted(set(getattr(spec, field)) - set(known)):
                problem = f"{spec.model} has no label {strangers[0]!r}; it has: {', '.join(known)}"
                raise refused(field, strangers[0], problem)


def check_source(text: str, media_root: Path, *, may_come: bool = False) -> None:
    """Refuses early what ingest would refuse, as far as this machine can tell; raises SourceRefused.

    A file that is not there is none of it where it `may_come` yet: ingest waits for it. One whose name holds the mask
    must be there: else that is a source as it was shown.
    """
    source = parse_source(text, media_root)
    if not (media_root.is_dir() or MASK in text):
        return
    try:
        check_file(source)
    except SourceMissing as err:
        if MASK in text:
            raise SourceRefused(MASKED) from err
        if not may_come:
            raise


def _made(seen: StreamRecord, make: Callable[[StreamRecord], StreamSpec]) -> StreamSpec:
    """The stream's next spec, where the present one can be read, and its source was decrypted or is another."""
    if seen.problem:
        raise ApiError(409, "unreadable", f"stream {seen.spec.id!r} cannot be changed: {seen.problem}")
    spec = make(seen)
    if spec.source == SEALED:
        raise ApiError(409, "unreadable", f"stream {spec.id!r} cannot be changed: {LOCKED}", field="source")
    return spec


def _replacing(seen: StreamSpec, wanted: StreamPut) -> dict[str, Any]:
    """The changes by which a stream becomes what is wanted; to name the model that is set is none."""
    changes = {name: getattr(wanted, name) for name in StreamPut.model_fields}
    if (wanted.model or DEFAULT_MODEL) == seen.model:
        del changes["model"]
        if wanted.fps is None and not seen.fps_given:
            del changes["fps"]
    return changes


def _differing(seen: StreamSpec, spec: StreamSpec) -> tuple[str, ...]:
    return tuple(sorted(name for name in StreamPut.model_fields if getattr(seen, name) != getattr(spec, name)))


def _unborn(spec: StreamSpec) -> StreamRecord:
    return StreamRecord(spec, StreamStatus(), Progress(spec.generation), 0, InferenceStatus())


def _in_conflict(stream_id: str) -> ApiError:
    return ApiError(409, "conflict", f"stream {stream_id!r} is being changed by others at the same time; try again")


def _default(name: str) -> object:
    return StreamSpec.model_fields[name].get_default(call_default_factory=True)


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:MAX_SLUG].rstrip("-") or "stream"
