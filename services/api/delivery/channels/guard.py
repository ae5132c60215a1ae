"""Where a library makes its own connections: the address of each is checked at the moment it is used.

That is what a check of the name beforehand cannot do: the name may have another address by then, or a receiver may
redirect elsewhere. Python says of every connection before it is made (PEP 578), and whoever listens may stop it.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from ipaddress import ip_address
from typing import Any, Final

from shared.errors import SourceFailed
from shared.network.addresses import DEFAULT_PORTS, AddressPolicy, resolve
from shared.words.urls import URL, split_rest

EVENTS: Final = frozenset({"socket.connect", "socket.sendto"})
NO_NUMBER: Final = "the address is refused: it is none in numbers, so nobody can say where it leads"


def check_url(policy: AddressPolicy, url: str, timeout_seconds: float) -> None:
    """Raises SourceFailed where a URL leads to what is refused; one whose host has no address now leads nowhere."""
    found = URL.fullmatch(url)
    parts = split_rest(found["rest"]) if found else None
    if not found or not parts:
        return
    port = int(parts.port or DEFAULT_PORTS.get(found["scheme"].lower(), 443))
    try:
        addresses = resolve(parts.host.strip("[]"), port, timeout_seconds)
    except SourceFailed:
        return
    for address in addresses:
        policy.check(address, port)


@dataclass(frozen=True, slots=True)
class Guard:
    """Holds for a task and the threads that it hands work to; `refused` is why connections were stopped."""

    policy: AddressPolicy
    refused: list[str] = field(default_factory=list)

    def check(self, address: object) -> None:
        """Raises PermissionError where nothing may be sent to an address as sockets take it."""
        try:
            match address:
                case (str(host), int(port), *_):
                    self.policy.check(str(ip_address(host.partition("%")[0])), port)
                case _:
                    raise ValueError
        except (SourceFailed, ValueError) as err:
            self.refused.append(str(err) if isinstance(err, SourceFailed) else NO_NUMBER)
            raise PermissionError(self.refused[-1]) from err


_guard: ContextVar[Guard | None] = ContextVar("guard", default=None)


@contextmanager
def guarded(policy: AddressPolicy) -> Iterator[Guard]:
    """Lets connections that are made within, by this task or threads with its context, go where the policy allows."""
    _listen()
    guard = Guard(policy)
    token = _guard.set(guard)
    try:
        yield guard
    finally:
        _guard.reset(token)


@cache
def _listen() -> None:
    """Once a process: such a listener stays."""
    sys.addaudithook(_hear)


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if event in EVENTS and (guard := _guard.get()) is not None:
        guard.check(arguments[1])
