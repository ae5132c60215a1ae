"""TCP ports to listen on."""

import socket

from shared.errors import SettingsInvalid


def usable_port(host: str, port: int = 0) -> int:
    """The port, or a free one for 0, once it is known that nobody listens there; raises SettingsInvalid otherwise."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            return int(probe.getsockname()[1])
    except OSError as err:
        raise SettingsInvalid(f"address {host}:{port}: {err.strerror}; choose another (port 0: any free one)") from err
