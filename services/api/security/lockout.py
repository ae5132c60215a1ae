"""Who guesses keys is made to wait: failures are counted by address and by the key that was guessed at."""

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final

from services.api.protocol.errors import ApiError

WINDOW_SECONDS: Final = 60.0
MAX_OF_ADDRESS: Final = 10
MAX_OF_KEY: Final = 30
MAX_KNOWN: Final = 4096


class Failures:
    """Counts by something, within a minute from its first failure; the oldest are forgotten when there are too many."""

    def __init__(self, most: int, clock: Callable[[], float]) -> None:
        self._most = most
        self._clock = clock
        self._known: OrderedDict[Hashable, tuple[float, int]] = OrderedDict()
        """When the minute began, and how many there were since"""

    def add(self, whose: Hashable) -> None:
        """Counts one."""
        began, count = self._known.pop(whose, (self._clock(), 0))
        if self._clock() - began >= WINDOW_SECONDS:
            began, count = self._clock(), 0
        self._known[whose] = began, count + 1
        if len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)

    def wait_seconds(self, whose: Hashable) -> float:
        """How long no more is tried; 0 where there were few."""
        began, count = self._known.get(whose, (0.0, 0))
        return max(0.0, began + WINDOW_SECONDS - self._clock()) if count >= self._most else 0.0


class Lockout:
    """Of this process alone. A key that was right from an address before goes on there, whoever guesses beside it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._by_address = Failures(MAX_OF_ADDRESS, clock)
        self._by_key = Failures(MAX_OF_KEY, clock)
        self._right: OrderedDict[tuple[str, str], None] = OrderedDict()

    def check(self, address: str, key_id: str | None, digest: str | None) -> None:
        """Raises ApiError (429) where nothing is tried now."""
        place = _place(address)
        if digest and (place, digest) in self._right:
            return
        seconds = max(self._by_address.wait_seconds(place), self._by_key.wait_seconds(key_id))
        if seconds:
            error = ApiError(429, "too_many_failures", f"too many wrong keys; try again in {math.ceil(seconds)} s")
            error.headers = {"Retry-After": str(math.ceil(seconds))}
            raise error

    def failed(self, address: str, key_id: str | None, digest: str | None) -> None:
        """A key was wrong; `key_id` is whose it would have been."""
        place = _place(address)
        self._by_address.add(place)
        if key_id:
            self._by_key.add(key_id)
        if digest:
            self._right.pop((place, digest), None)

    def succeeded(self, address: str, digest: str) -> None:
        """A key was right."""
        self._right[_place(address), digest] = None
        self._right.move_to_end((_place(address), digest))
        if len(self._right) > MAX_KNOWN:
            self._right.popitem(last=False)


def _place(address: str) -> str:
    """An address, or the network that it may choose its address from."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address) and not parsed.ipv4_mapped:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)
