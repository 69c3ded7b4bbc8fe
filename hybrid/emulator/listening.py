"""The sockets: bound and listening before anything heavy is imported, so that clients queue instead of being refused;
and the names by which clients may come.

Rests on: ``invented``.
"""

from __future__ import annotations

import errno
import ipaddress
import re
import socket
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from hybrid.emulator.errors import AddressError

HOST_OF_CONTAINERS: Final = "host.docker.internal"
"""How containers call the machine that Docker Desktop runs on."""

# Host and port of a Host header, and nothing else: URLs that are given out are made from it.
_HOST_HEADER: Final = re.compile(r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::[0-9]{1,5})?")
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


def listen_also(first: socket.socket, addresses: Sequence[str]) -> list[socket.socket]:
    """Listening sockets on further addresses of this machine, each on the port of ``first``.

    For addresses that only some can reach, such as the gateway of a container engine's network. What reaches everybody
    is refused: all addresses at once, and public ones. Raises ``AddressError``; then none of them listens.
    """
    bound, port = ipaddress.ip_address(first.getsockname()[0]), first.getsockname()[1]
    wanted = [address for address in dict.fromkeys(map(_further, addresses)) if address != bound]
    listeners: list[socket.socket] = []
    try:
        for address in wanted:
            listeners.append(_listen_further(str(address), port))
    except AddressError:
        for listener in listeners:
            listener.close()
        raise
    return listeners


def _further(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise AddressError(
            f"'{text}' is no IP address.",
            next_step="give --also-listen an address of this machine, such as 172.17.0.1; `ip address` lists them.",
        ) from None
    if address.is_unspecified or address.is_multicast:
        raise AddressError(
            f"{text} stands for more than one address.",
            why="--also-listen is for one address that containers reach; everybody could use this one.",
            next_step="give the gateway of the containers' network, such as 172.17.0.1. To serve everybody, leave "
            "--also-listen out and give --host with --allow-remote.",
        )
    if address.is_global:
        raise AddressError(
            f"{text} is a public address.",
            why="--also-listen is for addresses that only this machine, its containers and its network reach.",
            next_step="to serve everybody, leave --also-listen out and give --host with --allow-remote.",
        )
    return address


def _listen_further(address: str, port: int) -> socket.socket:
    try:
        return listen(address, port, allow_remote=True)
    except AddressError as error:
        if getattr(error.__cause__, "errno", None) != errno.EADDRNOTAVAIL:
            raise
        raise AddressError(
            f"This machine has no address {address}.",
            why="A container engine's network has its gateway only while the engine runs.",
            next_step="start the engine and run the command again; `docker network inspect bridge` shows the gateway.",
        ) from error


@dataclass(frozen=True)
class Hosts:
    """The names by which clients may come. What a Host header says goes into the URLs that are given out, and a
    stranger's name that was made to point here (DNS rebinding) must not make a browser take its page for ours.

    Loopback's own names, ``further`` addresses that are listened on, and ``host.docker.internal``. ``anybody``: served
    to others on purpose, by names that nobody here knows.
    """

    further: frozenset[str] = frozenset()
    anybody: bool = False

    @classmethod
    def of(cls, listeners: Collection[socket.socket], *, anybody: bool = False) -> Hosts:
        return cls(frozenset(str(ipaddress.ip_address(one.getsockname()[0])) for one in listeners), anybody)

    def admits(self, header: str) -> bool:
        """Whether a request with this Host header is for us."""
        found = _HOST_HEADER.fullmatch(header)
        if found is None:
            return False
        if self.anybody:
            return True
        host = (found["ipv6"] or found["name"]).lower()
        if host in ("localhost", HOST_OF_CONTAINERS):
            return True
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return address.is_loopback or str(address) in self.further


def url_of(listener: socket.socket) -> str:
    """``http://host:port`` of a listening socket; of one on all addresses, the loopback one."""
    host, port = listener.getsockname()[:2]
    address = ipaddress.ip_address(host)
    if address.is_unspecified:
        address = ipaddress.ip_address("127.0.0.1" if address.version == 4 else "::1")
    return f"http://{f'[{address}]' if address.version == 6 else address}:{port}"
