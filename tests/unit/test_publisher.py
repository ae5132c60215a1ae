import threading
import time
from collections.abc import Sequence

import pytest

from services.ingest.captures.account import Account
from services.ingest.captures.publisher import MAX_HELD_FRAMES, FastPublisher, FullStore, LivePublisher, QueueEnd
from services.ingest.metrics import IngestMetrics
from shared.entries import Frame
from shared.errors import Fenced, StoreFull, StoreUnavailable, StreamUnknown
from shared.store.frame_queue import FrameWriter, Outcome
from shared.waiting import Backoff, Stopped


class ScriptedWriter(FrameWriter):
    """Takes up to `room` entries a call, or raises what it is told to."""

    def __init__(self, *, room: Sequence[int] = (), failures: int = 0, outcome: Outcome | None = None) -> None:
        self.taken: list[Frame] = []
        self.calls: list[int] = []
        self.failures = failures
        self._room = list(room)
        self._outcome = outcome

    def publish(self, entries: Sequence[Frame]) -> tuple[Outcome, int]:
        self.calls.append(len(entries))
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("Redis: away")
        if self._outcome:
            return self._outcome, 0
        accepted = min(len(entries), self._room.pop(0) if self._room else len(entries))
        self.taken += entries[:accepted]
        return (Outcome.OK if accepted == len(entries) else Outcome.FULL), accepted


def frames(count: int) -> list[Frame]:
    return [Frame(1000 + index, 1000 + index, 1, index / 8, b"jpeg") for index in range(count)]


def queue_end(writer: FrameWriter, metrics: IngestMetrics | None = None) -> QueueEnd:
    return QueueEnd(Account("door"), writer, metrics or IngestMetrics(), FullStore())


def value(metrics: IngestMetrics, name: str, **labels: str) -> float:
    return metrics.registry.get_sample_value(name, {"stream_id": "door", **labels}) or 0.0


def test_fast_frames_all_arrive_in_order_however_full_the_queue() -> None:
    metrics = IngestMetrics()
    writer = ScriptedWriter(room=[3, 0, 0, 1, 2, 0, 1])
    fast = FastPublisher(queue_end(writer, metrics), threading.Event())
    sent = frames(20)
    for frame in sent:
        fast.publish(frame)
    fast.finish(sent[-1].captured_at_ms)
    assert writer.taken == [*sent, Frame.end(1019)]
    assert value(metrics, "afterimage_frames_published_total") == 20


def test_a_full_queue_is_probed_with_single_frames() -> None:
    writer = ScriptedWriter(room=[0, 0, 0])
    fast = FastPublisher(queue_end(writer), threading.Event())
    for frame in frames(8):
        fast.publish(frame)
    assert writer.calls == [8, 1, 1, 1, 7]


def test_waiting_for_room_ends_when_asked_to_stop() -> None:
    stop = threading.Event()
    stop.set()
    fast = FastPublisher(queue_end(ScriptedWriter(room=[0] * 1000)), stop)
    *first, last = frames(8)
    for frame in first:
        fast.publish(frame)
    with pytest.raises(Stopped):
        fast.publish(last)


def test_fast_frames_wait_for_redis() -> None:
    writer = ScriptedWriter(failures=1)
    fast = FastPublisher(queue_end(writer), threading.Event())
    sent = frames(8)
    for frame in sent:
        fast.publish(frame)
    assert writer.taken == sent


def test_live_frames_are_held_while_redis_is_away_and_the_oldest_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Backoff, "next_seconds", lambda _: 0.0)
    metrics = IngestMetrics()
    sent = frames(MAX_HELD_FRAMES + 10)
    writer = ScriptedWriter(failures=len(sent) - 1)
    live = LivePublisher(queue_end(writer, metrics), threading.Event())
    for frame in sent:
        live.publish(frame)
    assert writer.taken == sent[-MAX_HELD_FRAMES:]
    assert value(metrics, "afterimage_frames_dropped_total", reason="store_unavailable") == 10
    assert value(metrics, "afterimage_frames_published_total") == MAX_HELD_FRAMES


def test_live_frames_do_not_hammer_a_redis_that_is_away() -> None:
    writer = ScriptedWriter(failures=100)
    live = LivePublisher(queue_end(writer), threading.Event())
    for frame in frames(50):
        live.publish(frame)
    assert len(writer.calls) <= 2


@pytest.mark.parametrize(("outcome", "error"), [(Outcome.GONE, StreamUnknown), (Outcome.FENCED, Fenced)])
def test_refusals_are_errors(outcome: Outcome, error: type[Exception]) -> None:
    live = LivePublisher(queue_end(ScriptedWriter(outcome=outcome)), threading.Event())
    with pytest.raises(error):
        live.publish(frames(1)[0])


class FullWriter(ScriptedWriter):
    """Belongs to a Redis that has no room."""

    def publish(self, entries: Sequence[Frame]) -> tuple[Outcome, int]:
        self.calls.append(len(entries))
        raise StoreFull("Redis: it is full")


def test_a_full_redis_is_said_once_for_all_streams_and_its_end_once(caplog: pytest.LogCaptureFixture) -> None:
    full = FullStore()
    for now in (0.0, 1.0, 2.0):
        full.refused(now)
    full.took(11.9)  # a commit made room for a frame
    full.refused(12.0)
    full.took(21.9)
    assert [record.message for record in caplog.records] == [
        "Redis is full: it refuses frames; those of cameras are lost, files wait"
    ]
    for now in (22.0, 23.0):
        full.took(now)
    assert [record.message for record in caplog.records[1:]] == ["Redis takes frames again"]
    full.refused(24.0)
    assert len(caplog.records) == 3


def test_what_is_dropped_while_redis_hangs_is_its_doing(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0, 0.0, 4.0, 5.0, 5.0, 5.1])  # by turns: whether to try, before and after it answered
    monkeypatch.setattr(time, "monotonic", lambda: next(times))
    monkeypatch.setattr(QueueEnd, "put", lambda _self, entries: len(entries))
    live = LivePublisher(queue_end(ScriptedWriter()), threading.Event())
    heard = []
    for frame in frames(2):
        live.publish(frame)
        heard.append(live.store_is_away)
    assert heard == [True, False]


def test_all_losses_are_in_the_account(caplog: pytest.LogCaptureFixture) -> None:
    account = Account("door", num_lost=5)
    queue = QueueEnd(account, FullWriter(), IngestMetrics(), FullStore())
    live = LivePublisher(queue, threading.Event())
    for frame in frames(MAX_HELD_FRAMES + 2):
        live.publish(frame)
    queue.drop("stopped", frames(3))
    assert account.num_lost == 5 + 2 + 3
    assert "Redis is full" in caplog.text
