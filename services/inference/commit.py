"""The commit: scores, events, memory and cursor of a partition's streams, all or nothing, by its owner only.

Each stream's progress is compared with what this worker last knew (compare-and-set), so a commit may be sent again
after a lost connection: what was applied already is recognised, what another owner has moved on is refused.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import redis

from shared.events import Event
from shared.keys import PARTITIONS, keys_of
from shared.leases import OWNS, Lease
from shared.scripts import Script
from shared.store import translated
from shared.streams import Progress

MAX_FEED_ENTRIES = 10_000

COMMIT = """
-- Commits a partition's streams if the caller owns it; a stream that is not where the caller thinks is left alone.
-- KEYS: 1 lease, 2 fence, 3 progress, 4 state, 5 feed, then per stream: frames, scores, events, event data
-- ARGV: 1 lease, 2 most feed entries, then per stream: id, progress expected, new progress, state,
--       oldest frame id kept, oldest score id kept, start of the oldest event kept,
--       number of labels, labels.., number of scored frames, (frame id, a score per label)..,
--       number of transitions, (kind, event id, start, event as JSON)..
-- Returns nothing to a stale owner, else one number a stream: 1 committed now, 2 committed before, 0 refused.
if not owns(KEYS[1], KEYS[2], ARGV[1]) then return false end
local outcomes, at = {}, 3
local function take() at = at + 1; return ARGV[at - 1] end
local key = 6
while at <= #ARGV do
  local id, expected, wanted, state = take(), take(), take(), take()
  local oldest_frame, oldest_score, oldest_event = take(), take(), take()
  local labels = {}
  for i = 1, tonumber(take()) do labels[i] = take() end
  local num_scored = tonumber(take())
  local first_scored = at
  at = at + num_scored * (1 + #labels)
  local num_transitions = tonumber(take())
  local first_transition = at
  at = at + num_transitions * 4
  local current = redis.call('HGET', KEYS[3], id)
  if current == expected then
    redis.call('XTRIM', KEYS[key], 'MINID', oldest_frame) -- before what takes memory
    local entry = {}
    for i = 1, #labels do entry[2 * i - 1] = labels[i] end
    local from = first_scored
    for _ = 1, num_scored do
      for i = 1, #labels do entry[2 * i] = ARGV[from + i] end
      redis.call('XADD', KEYS[key + 1], ARGV[from], unpack(entry))
      from = from + 1 + #labels
    end
    for i = first_transition, at - 1, 4 do
      redis.call('ZADD', KEYS[key + 2], ARGV[i + 2], ARGV[i + 1])
      redis.call('HSET', KEYS[key + 3], ARGV[i + 1], ARGV[i + 3])
      redis.call('XADD', KEYS[5], 'MAXLEN', '~', ARGV[2], '*', 'kind', ARGV[i], 'event', ARGV[i + 3])
    end
    if num_transitions > 0 then
      local old = redis.call('ZRANGEBYSCORE', KEYS[key + 2], '-inf', '(' .. oldest_event, 'LIMIT', 0, 100)
      if #old > 0 then
        redis.call('ZREM', KEYS[key + 2], unpack(old))
        redis.call('HDEL', KEYS[key + 3], unpack(old))
      end
    end
    redis.call('HSET', KEYS[4], id, state)
    redis.call('HSET', KEYS[3], id, wanted)
    redis.call('XTRIM', KEYS[key + 1], 'MINID', '~', oldest_score)
    outcomes[#outcomes + 1] = 1
  else
    outcomes[#outcomes + 1] = current == wanted and 2 or 0
  end
  key = key + 4
end
return outcomes
"""


@dataclass(frozen=True, slots=True)
class Retention:
    """How long things are kept, in seconds of the stream's own time."""

    frames_seconds: float = 10
    scores_seconds: float = 3600
    events_seconds: float = 30 * 86_400


@dataclass(frozen=True, slots=True)
class StreamCommit:
    """What one stream adds: `scores` are (frame id, a text per label), `transitions` (kind, event)."""

    stream_id: str
    lease: Lease
    expected: Progress
    wanted: Progress
    state: bytes
    labels: Sequence[str]
    scores: Sequence[tuple[str, Sequence[str]]]
    transitions: Sequence[tuple[str, Event]] = field(default=())

    def keys(self) -> list[str]:
        """The stream's own keys, in the script's order."""
        keys = keys_of(self.stream_id)
        owned = (keys.frames, keys.scores, keys.events, keys.event_data)
        return [key(self.stream_id) for key in owned]

    def arguments(self, retention: Retention) -> list[Any]:
        """The stream's part of the script's arguments."""
        at_ms = int(self.wanted.cursor.partition("-")[0])
        arguments: list[Any] = [self.stream_id, str(self.expected), str(self.wanted), self.state]
        kept = (retention.frames_seconds, retention.scores_seconds, retention.events_seconds)
        arguments += [max(0, at_ms - int(seconds * 1000)) for seconds in kept]
        arguments += [len(self.labels), *self.labels, len(self.scores)]
        for entry_id, texts in self.scores:
            arguments += (entry_id, *texts)
        arguments.append(len(self.transitions))
        for kind, event in self.transitions:
            arguments += (kind, event.id, event.started_at_ms, event.model_dump_json())
        return arguments


class CommitOutcome(Enum):
    """What became of a stream's commit."""

    COMMITTED = "committed"
    REFUSED = "refused"
    """Redis knows better: the stream must be loaded anew."""
    FENCED = "fenced"
    """The lease stands no more."""


class Committer:
    """Sends commits, each under the lease it was made under."""

    def __init__(self, client: redis.Redis, retention: Retention) -> None:
        self._script = Script(client, OWNS + COMMIT)
        self._retention = retention

    def commit(self, commits: Sequence[StreamCommit]) -> dict[str, CommitOutcome]:
        """Commits the streams, one script per lease in one pipelined round trip; what became of each stream.

        Raises StoreUnavailable where the outcome is unknown: the same commits may then be sent again.
        """
        by_lease: dict[Lease, list[StreamCommit]] = defaultdict(list)
        for commit in commits:
            by_lease[commit.lease].append(commit)
        with translated():
            replies = self._script.many([self._call(lease, group) for lease, group in by_lease.items()])
        outcomes: dict[str, CommitOutcome] = {}
        for group, reply in zip(by_lease.values(), replies, strict=True):
            codes = [None] * len(group) if reply is None else reply
            outcomes |= {commit.stream_id: _outcome(code) for commit, code in zip(group, codes, strict=True)}
        return outcomes

    def _call(self, lease: Lease, group: Sequence[StreamCommit]) -> tuple[list[str], list[Any]]:
        keys = PARTITIONS[lease.partition]
        all_keys = [*keys.ownership("inference"), keys.progress, keys.state, keys.feed]
        arguments: list[Any] = [str(lease), MAX_FEED_ENTRIES]
        for commit in group:
            all_keys += commit.keys()
            arguments += commit.arguments(self._retention)
        return all_keys, arguments


def _outcome(code: int | None) -> CommitOutcome:
    if code is None:
        return CommitOutcome.FENCED
    return CommitOutcome.COMMITTED if code else CommitOutcome.REFUSED
