"""Places for clients: so many in all, and of these so many for one client."""

from collections import Counter

from starlette.requests import HTTPConnection


class Door:
    """Counts who is in; used by the event loop's thread alone."""

    def __init__(self, what: str, most: int, most_per_client: int) -> None:
        """`what` names in the plural what is counted, for people."""
        self._what = what
        self._most = most
        self._most_per_client = most_per_client
        self._present: Counter[str] = Counter()
        self.total = 0

    def enter(self, holder: str) -> str | None:
        """Takes a place, which is to be left; or says why there is none."""
        if self.total >= self._most:
            return f"there are {self._most} {self._what} already"
        if self._present[holder] >= self._most_per_client:
            return f"there are {self._most_per_client} {self._what} of this client already"
        self.total += 1
        self._present[holder] += 1
        return None

    def leave(self, holder: str) -> None:
        """Gives the place back."""
        self.total -= 1
        self._present[holder] -= 1
        if not self._present[holder]:
            del self._present[holder]


def holder_of(connection: HTTPConnection) -> str:
    """What a client's places are counted under: its key, or its address where it needs none."""
    caller = getattr(connection.state, "caller", None)
    if caller is not None and caller.key_id is not None:
        return f"key {caller.key_id}"
    return connection.client.host if connection.client else ""
