"""Where Redis is, as a URL says it: one server, a cluster, or a master that sentinels know."""

import os
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from redis.connection import parse_url

from shared.errors import SettingsInvalid

ALLOWED = (
    "redis://, rediss:// or unix:// for a server, redis+cluster://host:port,host:port for a cluster, "
    "redis+sentinel://host:port,host:port/master/0 for a master that sentinels watch and its database; over TLS "
    "rediss+cluster:// and rediss+sentinel://"
)
SENTINELS = "sentinel_"
"""What their own login begins with among a URL's options, as Prefect and others have it."""
DEFAULT_PORTS = {"cluster": 6379, "sentinel": 26379}


class RedisUrlUnfit(ValueError):
    """What is wrong with a URL, in words of our own."""


@dataclass(frozen=True, slots=True)
class ManyHosts:
    """A cluster's or the sentinels' addresses; user, password and options are the data servers'.

    `asking` are the options for the sentinels: a login of their own, and TLS as for the servers.
    """

    kind: Literal["cluster", "sentinel"]
    addresses: tuple[tuple[str, int], ...]
    path: str
    options: dict[str, Any]
    asking: dict[str, Any]

    @classmethod
    def parse(cls, url: str) -> Self | None:
        """The parts of a URL with several hosts, None for a single server's; raises ValueError."""
        parts = urlsplit(url)
        kind: Literal["cluster", "sentinel"]
        match parts.scheme:
            case "redis+cluster" | "rediss+cluster":
                kind = "cluster"
            case "redis+sentinel" | "rediss+sentinel":
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
        asking = {}
        if kind == "sentinel":
            login = {name: options.pop(f"{SENTINELS}{name}", None) for name in ("username", "password")}
            tls = {name: value for name, value in options.items() if name.startswith("ssl")}
            asking = tls | {name: value for name, value in login.items() if value}
        return cls(kind, addresses, parts.path.strip("/"), options, asking)

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


def check_tls(options: Mapping[str, Any], *, is_tls: bool) -> None:
    """Raises RedisUrlUnfit where options of TLS come without it, or name files that do not serve."""
    if not is_tls and any(name.startswith("ssl") for name in options):
        raise RedisUrlUnfit("options that begin with ssl_ go with rediss://, rediss+cluster:// or rediss+sentinel://")
    authorities, certificate, key = (options.get(f"ssl_{name}") for name in ("ca_certs", "certfile", "keyfile"))
    for name, path in (("ssl_ca_certs", authorities), ("ssl_certfile", certificate), ("ssl_keyfile", key)):
        if path and not Path(path).is_file():
            raise RedisUrlUnfit(f"{name}: no such file")
        if path and not os.access(path, os.R_OK):
            raise RedisUrlUnfit(f"{name}: it may not be read")
    if authorities:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(authorities)
        except (OSError, ssl.SSLError):
            raise RedisUrlUnfit("ssl_ca_certs: the file holds no certificate") from None


def invalid(why: Exception) -> SettingsInvalid:
    """The error for a URL that is not allowed, which is not repeated: what others say of it may quote its password."""
    match why:
        case RedisUrlUnfit():
            reason = str(why)
        case TypeError():
            reason = "an option of it is not known"
        case _:
            reason = "its scheme, a port, the database or an option is not valid, or a password holds / ? or #, which "
            reason += "are written %2F %3F %23 in it"
    return SettingsInvalid(f"redis_url: expected {ALLOWED} ({reason})")
