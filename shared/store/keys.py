"""Every Redis key, in one place. All keys of a partition share the hash tag `{pNN}`, so one cluster slot.

In a store with another number of partitions than 32 the tag is `{pNofCOUNT}`.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal, get_args

FIRST_COUNT: Final = 32
"""Of partitions, where nothing else is said: as all stores had that do not say."""

Role = Literal["ingest", "inference", "delivery", "recorder"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)

NEEDED: Final[tuple[Role, ...]] = ("ingest", "inference")
"""Without a worker of each nothing is seen; the others follow the feed, and catch up."""


LAYOUT: Final = "{store}:layout"
"""String: LayoutRecord (JSON): into how many partitions the store is divided, and whether that is being changed."""


def workers_key(role: Role) -> str:
    """Sorted set: worker id → time of its last heartbeat in ms."""
    return f"workers:{role}"


ACCESS_KEYS = "{access}:keys"
"""Hash: id of an API key → KeyRecord (JSON), without the key itself."""

ACCESS_USED = "{access}:used"
"""Hash: id of an API key → when it was used last, in ms, to the minute."""


def session_key(digest: str) -> str:
    """String: Session (JSON), by the hash of its cookie."""
    return f"{{access}}:session:{digest}"


def sessions_key(key_id: str) -> str:
    """Sorted set: hash of a cookie → when that session of an API key ends, in ms."""
    return f"{{access}}:sessions:{key_id}"


def reviewed_key(name: str) -> str:
    """Sorted set: ids of the events that an API key has reviewed, by its id."""
    return f"{{access}}:reviewed:{name}"


REVIEWERS = "{access}:reviewers"
"""Sorted set: ids of the API keys that have reviewed any event."""


PROBES_OPEN = "{probes}:open"
"""Sorted set: id of a probe that is waited for → until when, in ms."""

PROBES_WAITING = "{probes}:sealed"
"""Hash: id of a probe that no worker has taken yet → ProbeRequest (JSON: desk → sealed for it, in hexadecimal)."""

PROBE_DESKS = "{probes}:desks"
"""Sorted set: public key of an ingest worker that takes probes, in hexadecimal → when it last said so, in ms."""


def probe_answer_key(probe_id: str) -> str:
    """String: ProbeReport (JSON)."""
    return f"{{probes}}:answer:{probe_id}"


TARGETS = "{targets}:all"
"""Hash: target id → Target (JSON): where events are delivered to."""

TARGETS_CHANGES = "{targets}:changes"
"""Counter: how often a target was added, changed or removed."""


def target_locked_key(target_id: str) -> str:
    """String: a delivery worker cannot open what is stored of a target; gone soon after it can."""
    return f"{{targets}}:locked:{target_id}"


def target_failing_key(target_id: str) -> str:
    """String: why a target did not take what a delivery worker sent last; gone soon after it did."""
    return f"{{targets}}:failing:{target_id}"


ROLLOUTS = "{rollouts}:all"
"""Hash: group → RolloutRecord (JSON): a model on trial on its streams; what is over stays for 90 days."""

ROLLOUTS_CHANGES = "{rollouts}:changes"
"""Counter: how often any of them was changed."""

ROLLOUTS_TURN = "{rollouts}:turn"
"""String: the api that looks after them, for some seconds."""


MEDIA_BYTES = "media:bytes"
"""Hash: partition → bytes that its events' pictures and clips take."""

MEDIA_LIMIT = "media:limit"
"""String: bytes that those of all partitions may take, as the recorder has it that started last."""


@dataclass(frozen=True)
class PartitionKeys:
    """The keys of one partition among so many. Those of another number of partitions have other names throughout."""

    partition: int
    count: int = FIRST_COUNT

    @cached_property
    def tag(self) -> str:
        """What all of them begin with; `pNN` is what there was before there was a choice."""
        if self.count == FIRST_COUNT:
            return f"{{p{self.partition:02d}}}"
        return f"{{p{self.partition}of{self.count}}}"

    def _key(self, *parts: str) -> str:
        return ":".join((self.tag, *parts))

    @property
    def streams(self) -> str:
        """Hash: stream id → StreamSpec (JSON), what the user wants."""
        return self._key("streams")

    @property
    def changes(self) -> str:
        """Counter: how often a spec was added, replaced or removed: while it stands, none need be read again."""
        return self._key("changes")

    @property
    def arrivals(self) -> str:
        """Counter: how often something came into a frame queue: while it stands, none need be asked again."""
        return self._key("arrivals")

    @property
    def status(self) -> str:
        """Hash: stream id → StreamStatus (JSON), what ingest sees."""
        return self._key("status")

    @property
    def inference(self) -> str:
        """Hash: stream id → InferenceStatus (JSON), which model looks at the stream."""
        return self._key("inference")

    @property
    def published(self) -> str:
        """Hash: stream id → number of frames ever published."""
        return self._key("published")

    @property
    def progress(self) -> str:
        """Hash: stream id → Progress (text), how far inference has come."""
        return self._key("progress")

    @property
    def state(self) -> str:
        """Hash: stream id → SavedTracks (JSON): what is under way in it, written where that changed."""
        return self._key("state")

    @property
    def memory(self) -> str:
        """Hash: stream id → SavedMemory (bytes): the recurrent state, and the entry after which it was taken."""
        return self._key("memory")

    @property
    def feed(self) -> str:
        """Stream: event transitions (opened, closed, updated, deleted) of the whole partition."""
        return self._key("feed")

    def cursor(self, role: Role) -> str:
        """String: the last entry of the feed that a follower is done with."""
        return self._key("cursor", role)

    @property
    def outbox(self) -> str:
        """Stream: what is to be delivered, an entry for each target: whom to, of which stream, what."""
        return self._key("outbox")

    @property
    def delivered(self) -> str:
        """Hash: stream id, space, label → start of the newest event that was to be delivered, in ms."""
        return self._key("delivered")

    def dead_letters(self, target_id: str) -> str:
        """Stream: what could not be delivered to a target, as it lay in the outbox, and why."""
        return self._key("dead", target_id)

    @property
    def open(self) -> str:
        """Hash: stream id → ids of its open events, with spaces between."""
        return self._key("open")

    @property
    def kept(self) -> str:
        """Hash: id of an event that people keep → Event (JSON), and id/marks → EventMarks (JSON)."""
        return self._key("kept")

    @property
    def held(self) -> str:
        """Hash: stream id → entry before which frames may go; the recorder's, and gone soon after it is."""
        return self._key("held")

    @property
    def media(self) -> str:
        """Hash: event id → MediaRecord (JSON): the event's pictures and clip, or why there are none."""
        return self._key("media")

    def frames(self, stream_id: str) -> str:
        """Stream: the frame queue."""
        return self._key("frames", stream_id)

    def scores(self, stream_id: str) -> str:
        """Stream: one entry a frame, by its id; a field of all labels joined by commas holds their scores, likewise."""
        return self._key("scores", stream_id)

    def events(self, stream_id: str) -> str:
        """Sorted set: event id by start time in ms, but for those that are kept."""
        return self._key("events", stream_id)

    def event_data(self, stream_id: str) -> str:
        """Hash: event id → Event (JSON), and id/marks → EventMarks (JSON)."""
        return self._key("eventdata", stream_id)

    def own(self, stream_id: str) -> list[str]:
        """All that is one stream's alone, in the order that scripts take it: frames, scores, events, their data."""
        return [key(stream_id) for key in (self.frames, self.scores, self.events, self.event_data)]

    def lease(self, role: Role) -> str:
        """String: the fencing token of the partition's owner for a role."""
        return self._key("lease", role)

    def fence(self, role: Role) -> str:
        """Counter that fencing tokens are drawn from."""
        return self._key("fence", role)

    def ownership(self, role: Role) -> list[str]:
        """Both, by which a script tells the owner."""
        return [self.lease(role), self.fence(role)]
