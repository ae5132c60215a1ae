"""Which streams are there for a caller: a key may be for some groups alone, and sees nothing of the others."""

from collections.abc import Collection

from services.api.protocol.errors import refused
from services.api.security.doorkeeper import Doorkeeper
from services.api.security.keys import Caller
from shared.errors import StreamUnknown
from shared.store.registry import Registry


def check_groups(caller: Caller, wanted: Collection[str], present: Collection[str] = ()) -> None:
    """Refuses (422) what would take a stream out of a caller's sight, or put it into groups that are not its own, or
    out of such.
    """
    strangers = (set(wanted) ^ set(present)) - caller.groups
    if caller.groups and (strangers or not caller.sees(wanted)):
        own = ", ".join(sorted(caller.groups))
        problem = f"this key is for some groups: name one of them at least, change no other; allowed are {own}"
        raise refused("groups", next(iter(sorted(strangers)), None), problem)


def see(caller: Caller, registry: Registry, stream_ids: Collection[str]) -> list[str]:
    """The ids, each once, where those streams are there for a caller; raises StreamUnknown, and StoreUnavailable."""
    wanted = list(dict.fromkeys(stream_ids))
    seen = {record.spec.id for record in registry.records(wanted) if caller.sees(record.spec.groups)}
    if missing := [stream_id for stream_id in wanted if stream_id not in seen]:
        raise StreamUnknown(f"no stream has the id {missing[0]!r}")
    return wanted


class FeedSight:
    """What one caller may see of the feed, stream by stream; a stream that is removed is seen to its end."""

    def __init__(self, caller: Caller, doorkeeper: Doorkeeper) -> None:
        self._caller = caller
        self._doorkeeper = doorkeeper
        self._known: dict[str, bool] = {}

    async def sees(self, stream_id: str) -> bool:
        """Whether a stream is there for the caller. Raises StoreUnavailable."""
        if not self._caller.groups:
            return True
        groups = await self._doorkeeper.groups_of(stream_id)
        if groups is None:
            return self._known.get(stream_id, False)
        self._known[stream_id] = self._caller.sees(groups)
        return self._known[stream_id]
