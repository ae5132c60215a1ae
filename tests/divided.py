"""A store with streams and their history, and all that it holds whatever it is divided into, for tests of dividing it.

Run as a program it divides a store as the command does, tells how many keys it has moved, and may be killed.
"""

import sys
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Final

import redis
from leasing import seize

from services.api.delivery.outbox import Letter, Outbox
from services.api.delivery.targets import Target, TargetBook
from services.api.followers.cursors import Cursors
from services.api.media.records import MediaRecord, MediaRecords, TotalBytes
from shared.entries import EntryId, Frame
from shared.events import Event, event_id
from shared.life.event_desk import EventDesk
from shared.life.marks import EventMarks, Feedback, Mark
from shared.store.client import connect
from shared.store.commit import CommitOutcome, Committer, Retention, StreamCommit
from shared.store.frame_queue import FrameWriter, Outcome
from shared.store.keys import ROLES, Role
from shared.store.layout.known import layout_of
from shared.store.leases import Lease
from shared.store.registry import Registry
from shared.store.repartition.merging import stream_of_entry
from shared.store.repartition.steps import Repartition
from shared.store.repartition.watch import own_name
from shared.store.repartition.ways import StoredKey, stream_of_field
from shared.streams import InferenceStatus, Progress, StreamSpec, StreamState, StreamStatus

BASE_MS: Final = 1_700_000_000_000
NUM_FRAMES: Final = 6
LABELS: Final = ("moved", "frozen")
FOLLOWERS: Final[tuple[Role, ...]] = ("delivery", "recorder")

Contents = dict[tuple[Any, ...], Any]


class History:
    """Fills a store with streams that have one of everything."""

    def __init__(self, client: redis.Redis, num_streams: int) -> None:
        self._client = client
        self._registry, self._committer = Registry(client), Committer(client, Retention())
        self._leases = {role: seize(client, role) for role in ROLES}
        self.ids = [f"cam-{number}" for number in range(num_streams)]

    def fill(self) -> None:
        """All of it; nobody owns anything afterwards."""
        for number in range(2):
            target = {"id": f"hook-{number}", "kind": "webhook", "url": "http://x.invalid/", "secret": "s"}
            TargetBook(self._client).add(Target.model_validate({**target, "created_at_ms": 1}))
        for number, stream_id in enumerate(self.ids):
            self._register(number, stream_id)
        self._commit(1, ended=False)
        self._commit(2, ended=True)
        self._say_of_events()
        self._follow()
        self._record()
        pipeline = self._client.pipeline(transaction=False)
        for role in ROLES:
            for keys in layout_of(self._client).all:
                pipeline.delete(keys.lease(role))
        pipeline.execute()

    def _lease(self, role: Role, stream_id: str) -> Lease:
        return self._leases[role][layout_of(self._client).of(stream_id)]

    def _register(self, number: int, stream_id: str) -> None:
        fields = {"id": stream_id, "name": f"No. {number}", "source": "a.mp4", "pace": "fast", "base_ms": BASE_MS}
        spec = StreamSpec.model_validate(
            {**fields, "groups": [f"g{number % 3}"], "generation": 1, "created_at_ms": BASE_MS + number}
        )
        self._registry.add(spec)
        lease = self._lease("ingest", stream_id)
        frames = [_frame(each, f"{stream_id}/{each}".encode()) for each in range(NUM_FRAMES)]
        assert FrameWriter(self._client, stream_id, 1, "fast", lease).publish(frames) == (Outcome.OK, NUM_FRAMES)
        status = StreamStatus(state=StreamState.LIVE, generation=1, base_ms=BASE_MS, epoch=number + 1)
        assert self._registry.set_status(stream_id, status, lease)
        inference = InferenceStatus(model="m@12345678", reason=f"because of {number}")
        assert not self._registry.set_inference([(spec, inference, self._lease("inference", stream_id))])
        keys = layout_of(self._client).keys_of(stream_id)
        self._client.pexpire(keys.frames(stream_id), 3_600_000 + number)

    def _commit(self, number: int, *, ended: bool) -> None:
        """A frame of each stream: first each opens an event, then every other one closes it."""
        commits = []
        for index, stream_id in enumerate(self.ids):
            expected = Progress(1) if number == 1 else _progress(number - 1)
            kind = "closed" if ended else "opened"
            told = [(kind, _event(stream_id, ended=ended))] if not ended or index % 2 else []
            scores = [(_frame(number, b"").entry_id, (0.5, index / 1000))]
            memory, state = f"memory of {stream_id} at {number}".encode(), f"tracks of {stream_id}".encode()
            lease = self._lease("inference", stream_id)
            commits.append(
                StreamCommit(stream_id, lease, expected, _progress(number), state, LABELS, scores, told, memory=memory)
            )
        outcomes = self._committer.commit(commits)
        assert set(outcomes.values()) == {CommitOutcome.COMMITTED}, outcomes

    def _say_of_events(self) -> None:
        desk = EventDesk(self._client)
        for number, stream_id in enumerate(self.ids):
            event, mark = _event(stream_id, ended=False).id, Mark(at_ms=5, by=stream_id)
            if number % 3 == 0:
                desk.mark(event, _with(kept=mark))
            if number % 4 == 0:
                said = Feedback(at_ms=6, verdict="wrong", note=f"so says {stream_id}")
                desk.mark(event, _with(feedback=said))

    def _follow(self) -> None:
        """Delivery has passed a part of each feed, a letter waits for each target and another is dead."""
        outbox = Outbox(self._client)
        for partition, lease in self._leases["delivery"].items():
            feed: Any = self._client.xrange(layout_of(self._client).keys(partition).feed)
            for number, (entry_id, fields) in enumerate(feed[: len(feed) * 2 // 3]):
                event = Event.model_validate_json(fields[b"event"])
                place, message = EntryId.parse(entry_id), f"{partition}.{entry_id.decode()}"
                letters = [
                    Letter(
                        partition, place, f"hook-{each}", event.stream_id, "opened", fields[b"event"].decode(), message
                    )
                    for each in range(2)
                ]
                known = {f"{event.stream_id} moved": number, f"hook-1 void {event.stream_id} moved": number}
                assert outbox.put(lease, place, letters, known)
            for letter in outbox.read({partition: EntryId(0, 0)}):
                if letter.target_id == "hook-1":
                    assert outbox.take(lease, letter, "it is gone")

    def _record(self) -> None:
        """The recorder has passed all of every other partition's feed, and has media of some streams."""
        records, used = MediaRecords(self._client), defaultdict[int, int](int)
        for number, stream_id in enumerate(self.ids):
            lease = self._lease("recorder", stream_id)
            found = MediaRecord(state="kept", num_bytes=100 + number, recorded_at_ms=7)
            used[lease.partition] += found.num_bytes
            records.settle(lease, {_event(stream_id, ended=False).id: found}, {stream_id: _frame(1, b"").entry_id})
        TotalBytes(self._client).tell(used, 1_000_000)
        pipeline = self._client.pipeline(transaction=False)
        for keys in layout_of(self._client).all:
            pipeline.pexpire(keys.held, 3_600_000)  # tests on a busy machine take their time
        pipeline.execute()
        leases = self._leases["recorder"]
        feeds = {partition: layout_of(self._client).keys(partition).feed for partition in leases if partition % 2}
        ends: dict[int, Any] = {each: self._client.xrevrange(feed, count=1) for each, feed in feeds.items()}
        moved = {leases[each]: EntryId.parse(found[0][0]) for each, found in ends.items() if found}
        assert not Cursors(self._client, "recorder").move(moved)


def _with(**said: Mark) -> Callable[[EventMarks], EventMarks]:
    return lambda marks: marks.model_copy(update=said)


def _frame(number: int, jpeg: bytes) -> Frame:
    return Frame(BASE_MS + number * 125, 1, 1, number / 8, jpeg)


def _progress(number: int) -> Progress:
    entry_id = _frame(number, b"").entry_id
    return Progress(1, entry_id, number, number, entry_id)


def _event(stream_id: str, *, ended: bool) -> Event:
    started_at_ms = _frame(1, b"").captured_at_ms
    return Event(
        id=event_id(stream_id, "moved", started_at_ms),
        stream_id=stream_id,
        label="moved",
        state="closed" if ended else "open",
        started_at_ms=started_at_ms,
        ended_at_ms=started_at_ms + 125 if ended else None,
        media_started_seconds=0.1,
        peak_score=0.9,
        mean_score=0.8,
        model="m@12345678",
        epoch=1,
        close_reason="score" if ended else None,
    )


def contents(client: redis.Redis) -> Contents:
    """All that is of a stream, by what it is and whose, wherever it lies; entries in their order, without their ids
    where others' were between them."""
    found: Contents = {}
    for name in sorted(client.scan_iter(match="{p*", count=1000)):
        key = StoredKey.parse(name)
        assert key, name
        match key.way:
            case "whole":
                found[key.word, key.rest] = _whole(client, name)
            case "fields":
                stored: Any = client.hgetall(name)
                found |= {(key.word, stream_of_field(key.word)(each), each): value for each, value in stored.items()}
            case "feed" | "entries":
                entries: Any = client.xrange(name)
                for _, fields in entries:
                    whose = stream_of_entry(key.word, fields)
                    found.setdefault((key.word, key.rest, whose), []).append(fields)
    return found


def unread(client: redis.Redis) -> dict[tuple[Role, str], list[bytes]]:
    """What followers have not passed yet, by role and stream, in its order."""
    found: dict[tuple[Role, str], list[bytes]] = {}
    for keys in layout_of(client).all:
        for role in FOLLOWERS:
            cursor: Any = client.get(keys.cursor(role))
            entries: Any = client.xrange(keys.feed, f"({cursor.decode()}" if cursor else "-")
            for _, fields in entries:
                stream_id = Event.model_validate_json(fields[b"event"]).stream_id
                found.setdefault((role, stream_id), []).append(fields[b"event"])
    return found


def _whole(client: redis.Redis, name: bytes) -> Any:
    ask: dict[bytes, Any] = {
        b"stream": client.xrange,
        b"hash": client.hgetall,
        b"zset": lambda key: client.zrange(key, 0, -1, withscores=True),
    }
    kind: Any = client.type(name)
    left_ms: Any = client.pttl(name)
    lasts = round(left_ms / 600_000) if left_ms >= 0 else left_ms  # however long a test takes on a busy machine
    return ask[kind](name), lasts


def main() -> None:
    """`python divided.py URL COUNT`: a line for every key that is moved."""
    url, count = sys.argv[1], int(sys.argv[2])
    name = own_name()
    with connect(url, name=name) as client:
        Repartition(client, name, lambda done, total: print(done, total, flush=True), settle_seconds=0).run(count)
    print("done", flush=True)


if __name__ == "__main__":
    main()
