"""Giving a rollout's streams another model, as an operator would, and leaving alone what somebody else has changed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from services.api.kept.registration import Registrar
from services.api.kept.rollouts.book import RolloutBook
from services.api.kept.rollouts.record import MAX_REASON, RolloutRecord, RolloutStream
from services.api.protocol.errors import ApiError
from services.api.schemas.streams import StreamChange
from shared.errors import AfterimageError, SourceRefused, StreamUnknown
from shared.records import StreamRecord
from shared.streams import StreamSpec
from shared.words.redaction import redact

CONFLICT: Final = "conflict"


class _LeftAlone(AfterimageError):
    """Somebody else has changed the stream."""


@dataclass(slots=True)
class Moved:
    """What came of it: whether there was nothing left to do, and which could not be changed at all, with the reason."""

    is_done: bool
    failed: dict[str, str] = field(default_factory=dict)


def is_of(stream: RolloutStream, found: StreamRecord | None, model: str) -> bool:
    """Whether a stream is there, can be read, and is to have this model."""
    if found is None or found.problem or found.spec.generation != stream.generation:
        return False
    return found.spec.model == model


class Mover:
    """Changes a batch of streams at a time; done again it changes what is left. Raises StoreUnavailable.

    It stops as soon as any rollout is changed, as this one may be: so who was held up does not go on with what somebody
    else has ended, but for a stream that it was at.
    """

    def __init__(self, registrar: Registrar, book: RolloutBook, batch: int, is_stopping: Callable[[], bool]) -> None:
        self._registrar = registrar
        self._book = book
        self._batch = batch
        self._is_stopping = is_stopping

    def move(self, record: RolloutRecord, found: Mapping[str, StreamRecord], changes: str, *, back: bool) -> Moved:
        """Gives the streams that have their former model the new one, or `back`; `changes` is the book's counter when
        the record was read.
        """
        wanted = [
            (stream_id, *((record.model, stream.former) if back else (stream.former, record.model)))
            for stream_id, stream in record.streams.items()
            if not stream.failed and is_of(stream, found.get(stream_id), record.model if back else stream.former)
        ]
        moved = Moved(is_done=not wanted)
        for stream_id, present, model in wanted[: self._batch]:
            if self._is_stopping() or self._book.changes() != changes:
                return Moved(is_done=False)
            try:
                self._change(stream_id, record.streams[stream_id].generation, present, model)
            except (ApiError, SourceRefused) as err:
                if not (isinstance(err, ApiError) and err.detail.code == CONFLICT):  # else the next time
                    moved.failed[stream_id] = redact(str(err))[:MAX_REASON]
        return moved

    def _change(self, stream_id: str, generation: int, present: str, model: str) -> None:
        def check(seen: StreamSpec) -> None:
            if (seen.generation, seen.model) != (generation, present):
                raise _LeftAlone

        try:
            self._registrar.change(stream_id, StreamChange(model=model), check)
        except (_LeftAlone, StreamUnknown):
            return
