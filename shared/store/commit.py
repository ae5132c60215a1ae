"""The commit: scores, events, memory and cursor of a partition's streams, all or nothing, by its owner only.

Each stream's progress is compared with what this worker last knew (compare-and-set), so a commit may be sent again
after a lost connection: what was applied already is recognised, by its progress or, where it passes no entry, by its
state; what another owner has moved on is refused.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Any, Final

import redis

from shared.entries import labels_field, scores_text
from shared.events import Event
from shared.store.client import translated
from shared.store.errors import Damaged
from shared.store.keys import PartitionKeys
from shared.store.layout.known import layout_of
from shared.store.layout.partitioning import MAX_COUNT, Partitioning
from shared.store.leases import OWNS, Lease
from shared.store.scripts import EVENTS, IS_AFTER, WRONG, Script, lua
from shared.streams import Progress

MAX_STREAMS_KNOWN: Final = 8192
COMMIT: Final = lua("commit")
LOAD: Final = lua("stream_load")


@dataclass(frozen=True, slots=True)
class Retention:
    """How long things are kept, in seconds of the stream's own time; of a silent stream by the clock."""

    frames_seconds: float = 10
    scores_seconds: float = 3600
    events_seconds: float = 30 * 86_400

    def milliseconds(self) -> list[int]:
        """The same, in the script's order."""
        return [round(seconds * 1000) for seconds in (self.frames_seconds, self.scores_seconds, self.events_seconds)]


@dataclass(frozen=True, slots=True)
class StreamCommit:
    """What one stream adds: `scores` are (frame id, one per label), `transitions` (kind, event).

    With a `memory`, `wanted.checkpoint` is the entry after which that was taken. Without a `state`, that is as it was.
    `traceparents` are event id → that of the span in which it opened, where it was traced.
    """

    stream_id: str
    lease: Lease
    expected: Progress
    wanted: Progress
    state: bytes
    labels: Sequence[str]
    scores: Sequence[tuple[str, Sequence[float]]]
    transitions: Sequence[tuple[str, Event]] = field(default=())
    memory: bytes = b""
    traceparents: Mapping[str, str] = field(default_factory=dict)

    def arguments(self) -> list[Any]:
        """The stream's part of the script's arguments."""
        arguments: list[Any] = [self.stream_id, str(self.expected), str(self.wanted), self.state, self.memory]
        arguments += [labels_field(self.labels), len(self.scores)]
        for entry_id, scores in self.scores:
            arguments += (entry_id, scores_text(scores))
        arguments.append(len(self.transitions))
        for kind, event in self.transitions:
            traceparent = self.traceparents.get(event.id, "") if kind == "opened" else ""
            arguments += (kind, event.id, event.started_at_ms, event.model_dump_json(), traceparent)
        return arguments


class CommitOutcome(Enum):
    """What became of a stream's commit."""

    COMMITTED = "committed"
    REFUSED = "refused"
    """Redis knows better: the stream must be loaded anew."""
    FENCED = "fenced"
    """The lease stands no more."""
    GONE = "gone"
    """The stream is not registered any more."""


StreamOutcome = CommitOutcome | Damaged
"""Of a damaged stream nothing is written: its keys do not bear the commit."""

CODES: Final = {
    None: CommitOutcome.FENCED,
    0: CommitOutcome.REFUSED,
    1: CommitOutcome.COMMITTED,
    2: CommitOutcome.COMMITTED,
    3: CommitOutcome.GONE,
}
"""What the script answers, to a stale owner nothing."""


class Committer:
    """Sends commits, each under the lease it was made under."""

    def __init__(self, client: redis.Redis, retention: Retention) -> None:
        self._client = client
        self._script = Script(client, OWNS + IS_AFTER + WRONG + EVENTS + COMMIT)
        self._retention = retention

    def commit(self, commits: Sequence[StreamCommit]) -> dict[str, StreamOutcome]:
        """Commits the streams, one script per lease in one pipelined round trip; what became of each stream.

        Raises StoreUnavailable where the outcome is unknown: the same commits may then be sent again.
        """
        by_lease: dict[Lease, list[StreamCommit]] = defaultdict(list)
        for commit in commits:
            by_lease[commit.lease].append(commit)
        layout = layout_of(self._client)
        with translated():
            replies = self._script.many([self._call(layout, lease, group) for lease, group in by_lease.items()])
        outcomes: dict[str, StreamOutcome] = {}
        for group, reply in zip(by_lease.values(), replies, strict=True):
            codes = reply if isinstance(reply, list) else [reply] * len(group)
            outcomes |= {commit.stream_id: _outcome(code) for commit, code in zip(group, codes, strict=True)}
        return outcomes

    def _call(self, layout: Partitioning, lease: Lease, group: Sequence[StreamCommit]) -> tuple[list[str], list[Any]]:
        keys = layout.keys(lease.partition)
        all_keys = [*_shared_keys(keys)]
        arguments: list[Any] = [str(lease), layout.feed_entries, *self._retention.milliseconds()]
        for commit in group:
            all_keys += _own_keys(keys, commit.stream_id)
            arguments += commit.arguments()
        return all_keys, arguments


@lru_cache(MAX_COUNT)
def _shared_keys(keys: PartitionKeys) -> list[str]:
    written = [keys.progress, keys.state, keys.memory, keys.feed, keys.open, keys.kept, keys.held]
    return [*keys.ownership("inference"), *written]


@lru_cache(MAX_STREAMS_KNOWN)
def _own_keys(keys: PartitionKeys, stream_id: str) -> list[str]:
    return keys.own(stream_id)


Left = tuple[bytes | None, bytes | None, bytes | None]
"""What the last commits left of a stream: progress, state and memory, as they were sent."""


def what_was_left(client: redis.Redis, stream_ids: Iterable[str]) -> list[Left | Damaged]:
    """What the last commits left of each stream, or why its keys do not bear another; in one pipelined round trip.

    Raises StoreUnavailable.
    """
    calls, layout = [], layout_of(client)
    for stream_id in stream_ids:
        keys = layout.keys_of(stream_id)
        shared = [keys.progress, keys.inference, keys.state, keys.memory, keys.feed, keys.open, keys.kept]
        calls.append(([*shared, *keys.own(stream_id)], [stream_id]))
    with translated():
        replies = Script(client, IS_AFTER + WRONG + LOAD).many(calls)
    return [reply if isinstance(reply, Damaged) else tuple(reply) for reply in replies]


def _outcome(code: int | bytes | Damaged | None) -> StreamOutcome:
    match code:
        case bytes():
            return Damaged(code.decode(errors="replace"))
        case Damaged():
            return code
    return CODES[code]
