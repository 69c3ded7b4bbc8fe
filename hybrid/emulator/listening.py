"""The socket: bound and listening before anything heavy is imported, so that clients queue instead of being refused.

Rests on: ``invented``.
"""

from __future__ import annotations

import errno
import ipaddress
import socket

from hybrid.emulator.errors import AddressError

_BACKLOG = 2048


def is_loopback_address(host: str) -> bool:
    """Whether what listens on ``host`` can be reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def listen(host: str, port: int, *, allow_remote: bool) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises ``AddressError``."""
    if not is_loopback_address(host) and not allow_remote:
        raise AddressError(
            f"{host} is not a loopback address.",
            why="Whoever can reach it could use the embedded Dagster+, as far as tokens allow.",
            next_step="leave out --host, or add --allow-remote; the UI then asks for the API token.",
        )
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise AddressError(f"The address {host} cannot be used: {error}.") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # not to wait out connections of the last run
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise AddressError(
                f"Port {port} on {host} is taken.",
                next_step=f"end what listens there (`lsof -i :{port}` names it), or choose another port.",
            ) from error
        raise AddressError(f"Port {port} on {host} cannot be listened on: {error}.") from error
    return listener


def url_of(listener: socket.socket) -> str:
    """``http://host:port`` of a listening socket; of one on all addresses, the loopback one."""
    host, port = listener.getsockname()[:2]
    address = ipaddress.ip_address(host)
    if address.is_unspecified:
        address = ipaddress.ip_address("127.0.0.1" if address.version == 4 else "::1")
    return f"http://{f'[{address}]' if address.version == 6 else address}:{port}"
