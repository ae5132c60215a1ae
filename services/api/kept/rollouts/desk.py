"""What people ask of rollouts: begin one, end one, see how it stands."""

from typing import Final

from services.api.kept.known import KnownStreams
from services.api.kept.registration import Registrar
from services.api.kept.rollouts.book import NOTHING, RolloutBook, StoredRollout
from services.api.kept.rollouts.keeper import RolloutKeeper
from services.api.kept.rollouts.record import MAX_STREAMS, RolloutLimits, RolloutRecord, RolloutStream
from services.api.protocol.errors import ApiError
from services.api.schemas.streams import StreamChange
from shared.clock import now_ms
from shared.records import StreamRecord
from shared.store.registry import Registry

MAX_ATTEMPTS: Final = 16
BY_HAND: Final = "ended by hand"


class RolloutDesk:
    """Rollouts by group. Methods raise ApiError and StoreUnavailable."""

    def __init__(
        self, registry: Registry, known: KnownStreams, registrar: Registrar, book: RolloutBook, keeper: RolloutKeeper
    ) -> None:
        self._registry = registry
        self._known = known
        self._registrar = registrar
        self._book = book
        self.keeper = keeper

    def get(self, group: str) -> RolloutRecord:
        """The newest of a group."""
        return _of(group, self._book.get(group))[1]

    def start(self, group: str, wish: RolloutLimits) -> RolloutRecord:
        """Begins one. All that its streams' settings could make refused is refused now, and nothing changed."""
        for _ in range(MAX_ATTEMPTS):
            changes = self._book.changes()
            stored = self._book.all()
            seen = stored.get(group)
            if seen and not _of(group, seen)[1].is_over:
                problem = f"group {group!r}: a rollout is under way; end it first, or wait for its end"
                raise ApiError(409, "rollout_under_way", problem)
            record = self._new(group, wish)
            _check_apart(record, stored)
            if self._book.put(group, seen.text if seen else NOTHING, record, changes):
                self.keeper.wake()
                return record
        raise _busy(group)

    def end(self, group: str, *, keep: bool) -> tuple[RolloutRecord, RolloutRecord]:
        """Ends one that is under way: its streams go back, or stay where they are; before and after."""
        for _ in range(MAX_ATTEMPTS):
            stored, before = _of(group, self._book.get(group))
            if before.is_over:
                raise ApiError(404, "rollout_unknown", f"group {group!r}: its rollout is over already")
            if keep and before.state != "trying":
                problem = f"group {group!r}: not all of its streams are on the model, as they are in the state `trying`"
                raise ApiError(409, "not_on_trial", f"{problem}; it is {before.state}")
            if before.state == "returning":
                return before, before
            after = before.entering("kept" if keep else "returning", now_ms(), BY_HAND)
            if self._book.put(group, stored.text, after):
                self.keeper.wake()
                return before, after
        raise _busy(group)

    def _new(self, group: str, wish: RolloutLimits) -> RolloutRecord:
        ids = self._known.in_groups([group])
        records = self._registry.records(ids)
        if not records:
            raise ApiError(404, "group_unknown", f"no stream is in the group {group!r}")
        concerned = [each for each in records if each.spec.model != wish.model]
        if not concerned:
            problem = f"group {group!r}: all of its streams have the model {wish.model!r} already"
            raise ApiError(409, "nothing_to_try", problem, field="model")
        if len(concerned) > MAX_STREAMS:
            problem = f"group {group!r} has {len(concerned)} streams for it; allowed are {MAX_STREAMS} in one rollout"
            raise ApiError(409, "too_many_streams", problem)
        for each in concerned:
            self._check(each, wish.model)
        at_ms = now_ms()
        limits = wish.model_dump(include=set(RolloutLimits.model_fields))
        streams = {each.spec.id: _stream_of(each) for each in concerned}
        return RolloutRecord(
            **limits, group=group, started_at_ms=at_ms, since_ms=at_ms, streams=streams, num_streams=len(streams)
        )

    def _check(self, seen: StreamRecord, model: str) -> None:
        try:
            self._registrar.check(seen, StreamChange(model=model))
        except ApiError as err:
            told, prefix = err.detail, f"stream {seen.spec.id!r}"
            message = told.message if prefix in told.message else f"{prefix}: {told.message}"
            raise ApiError(err.status, told.code, message, field=told.field, value=told.value) from err


def _of(group: str, stored: StoredRollout | None) -> tuple[StoredRollout, RolloutRecord]:
    if stored is None:
        raise ApiError(404, "rollout_unknown", f"group {group!r}: no model was tried on it in the last 90 days")
    if stored.record is None:
        problem = f"group {group!r}: its rollout cannot be read by this version, as it is of a later one or damaged"
        raise ApiError(409, "unreadable", problem)
    return stored, stored.record


def _check_apart(record: RolloutRecord, stored: dict[str, StoredRollout]) -> None:
    """Refuses one that is about a stream of another that is under way."""
    for group, each in stored.items():
        if each.record and (both := each.record.streams.keys() & record.streams.keys()):
            problem = f"stream {min(both)!r} is in the rollout of group {group!r}, which is under way"
            raise ApiError(409, "rollout_under_way", f"{problem}; end that first, or wait for its end")


def _stream_of(seen: StreamRecord) -> RolloutStream:
    spec, said = seen.spec, seen.inference.reason
    return RolloutStream(generation=spec.generation, former=spec.model, created_at_ms=spec.created_at_ms, said=said)


def _busy(group: str) -> ApiError:
    return ApiError(409, "conflict", f"group {group!r}: rollouts are being changed at the same time; try again")
