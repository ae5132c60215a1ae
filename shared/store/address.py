"""Where Redis is, as a URL says it: one server, a cluster, or a master that sentinels know."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from redis.connection import parse_url

from shared.errors import SettingsInvalid

ALLOWED = (
    "redis://, rediss:// or unix:// for a server, redis+cluster://host:port[,host:port..] (rediss+cluster:// over TLS) "
    "for a cluster, redis+sentinel://host:port[,host:port..]/master-name[/db] for a master that sentinels watch"
)
DEFAULT_PORTS = {"cluster": 6379, "sentinel": 26379}


class RedisUrlUnfit(ValueError):
    """What is wrong with a URL, in words of our own."""


@dataclass(frozen=True, slots=True)
class ManyHosts:
    """A cluster's or the sentinels' addresses; user, password and options are the data servers'."""

    kind: Literal["cluster", "sentinel"]
    addresses: tuple[tuple[str, int], ...]
    path: str
    options: dict[str, Any]

    @classmethod
    def parse(cls, url: str) -> Self | None:
        """The parts of a URL with several hosts, None for a single server's; raises ValueError."""
        parts = urlsplit(url)
        kind: Literal["cluster", "sentinel"]
        match parts.scheme:
            case "redis+cluster" | "rediss+cluster":
                kind = "cluster"
            case "redis+sentinel":
                kind = "sentinel"
            case _:
                return None
        user_info, at, hosts = parts.netloc.rpartition("@")
        parse: Callable[[str], dict[str, Any]] = parse_url
        parsed = [parse(f"redis://{user_info}{at}{host}?{parts.query}") for host in hosts.split(",")]
        addresses = tuple((each.get("host", ""), each.get("port", DEFAULT_PORTS[kind])) for each in parsed)
        if not all(host for host, _ in addresses):
            raise RedisUrlUnfit("a host is missing")
        options = {name: value for name, value in parsed[0].items() if name not in {"host", "port"}}
        if kind == "cluster" and (parts.path.strip("/") or "0") != "0":
            raise RedisUrlUnfit("a cluster has no numbered databases")
        if parts.scheme.startswith("rediss"):
            options["ssl"] = True
        return cls(kind, addresses, parts.path.strip("/"), options)

    def master(self) -> tuple[str, int]:
        """The name that sentinels know a master by, and the number of the database; raises ValueError."""
        name, _, database = self.path.partition("/")
        if not name:
            raise RedisUrlUnfit("the master's name is missing")
        return name, int(database or 0)


def addresses_of(url: str) -> tuple[tuple[str, int], ...]:
    """Host and port of every server that a URL names; none for a socket file or a URL that is not allowed."""
    try:
        if many := ManyHosts.parse(url):
            return many.addresses
        parts = urlsplit(url)
        return ((parts.hostname, parts.port or DEFAULT_PORTS["cluster"]),) if parts.hostname else ()
    except ValueError:
        return ()


def invalid(why: Exception) -> SettingsInvalid:
    """The error for a URL that is not allowed, which is not repeated: what others say of it may quote its password."""
    match why:
        case RedisUrlUnfit():
            reason = str(why)
        case TypeError():
            reason = "an option of it is not known"
        case _:
            reason = "its scheme, a port, the database or an option is not valid"
    return SettingsInvalid(f"redis_url: expected {ALLOWED} ({reason})")
