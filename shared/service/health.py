"""`python -m shared.service.health URL [ROLE]`: whether this container does its work, as its engine asks now and then.

The URL must answer with 200. With a role, a worker of that role on this machine must have been heard of lately, too.
"""

import socket
import sys
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException
from typing import get_args
from urllib.parse import urlsplit

from shared.errors import AfterimageError
from shared.service.settings import ServiceSettings, read_settings
from shared.store.client import connect
from shared.store.keys import Role
from shared.store.leases import LeaseBook
from shared.words.redaction import redact

TIMEOUT_SECONDS = 4.0
USAGE = f"usage: python -m shared.service.health URL [{'|'.join(get_args(Role))}]"


class Unhealthy(AfterimageError):
    """What a healthy container does, this one does not."""


def check_answer(url: str) -> None:
    """Raises Unhealthy where the URL does not answer with 200."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", parts.path)
        reply = connection.getresponse()
        if reply.status != 200:
            raise Unhealthy(f"{url}: HTTP {reply.status}: {reply.read(300).decode(errors='replace')}")
    except (OSError, HTTPException) as err:
        raise Unhealthy(f"{url}: {err or type(err).__name__}") from err
    finally:
        connection.close()


def check_heartbeat(role: Role, settings: ServiceSettings) -> None:
    """Raises Unhealthy where no worker of this machine beats, StoreUnavailable where Redis cannot say."""
    host = socket.gethostname()
    with connect(settings.redis_url.get_secret_value(), TIMEOUT_SECONDS, retries=0) as client:
        living = LeaseBook(client, role, "", settings.lease_seconds).living()
    if not any(worker.startswith(f"{host}-") for worker in living):
        raise Unhealthy(f"no heartbeat of an {role} worker on {host}")


def main(arguments: Sequence[str]) -> int:
    """0 where all is well, 1 where something is not (one line says what), 2 for other arguments."""
    match arguments:
        case [url]:
            role: Role | None = None
        case [url, ("ingest" | "inference") as role]:
            pass
        case _:
            sys.stderr.write(f"{USAGE}\n")
            return 2
    try:
        check_answer(url)
        if role:
            check_heartbeat(role, read_settings(ServiceSettings))
    except AfterimageError as err:
        sys.stderr.write(f"{redact(str(err))}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
