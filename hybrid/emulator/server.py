"""Starting and ending the embedded Dagster+.

The order is the point: listen first, then the control plane, which answers without Dagster, then Dagster itself in a
thread of its own. Only the standard library is imported before the socket listens.

Rests on: ``invented``; ``client`` for keeping connections longer than the 30 s between heartbeats.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final, NoReturn

from hybrid.emulator.folder import DataFolder
from hybrid.emulator.listening import Hosts, is_loopback_address, listen, listen_also, url_of
from hybrid.emulator.logs import log_to_stderr
from hybrid.emulator.serverless.options import ServerlessOptions

if TYPE_CHECKING:
    from hybrid.emulator.organization import AgentType, Organization
    from hybrid.emulator.seam import LocationDocuments, Runtime

_KEEP_ALIVE_SECONDS: Final = 75
_DRAIN_SECONDS: Final = 1  # for requests under way when it is told to end
_LAST_SECONDS: Final = 1.6  # then whatever still runs is left behind
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServeOptions:
    """``port`` 0 takes a free one, which the log names. ``host`` other than loopback needs ``allow_remote``.

    ``also_listen`` are further addresses of this machine, on the same port: the gateway of the containers' network.
    Browsers that come by one that is not loopback have to sign in.

    ``agent_type`` is the first deployment's when the organization is founded. ``serverless`` is for deployments of that
    type.
    """

    data: Path
    port: int
    host: str = "127.0.0.1"
    organization: str = "local"
    deployment: str = "prod"
    agent_type: AgentType = "HYBRID"
    allow_remote: bool = False
    also_listen: Sequence[str] = ()
    serverless: ServerlessOptions = field(default_factory=ServerlessOptions)


def serve(options: ServeOptions) -> NoReturn:
    """Serve until SIGTERM or SIGINT, then end the process within two seconds.

    For the main thread. It raises ``AddressError`` and ``DataFolderError`` (both ``HybridError``) when it cannot start.
    The exit code is 0, or 1 when Dagster could not be loaded; the log says why.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end_at_once)
    with _listening(options) as listeners, DataFolder(options.data.absolute()) as folder:
        log_to_stderr()
        from hybrid.emulator.organization import Organization  # not before the socket listens

        organization = Organization(
            folder.path, options.organization, options.deployment, options.agent_type, options.serverless
        )
        try:
            hosts = Hosts.of(listeners, anybody=not is_loopback_address(options.host))
            served = _serve_on(listeners, organization, folder.path, hosts)
        finally:
            organization.close()
    _leave(0 if served else 1)


@contextmanager
def _listening(options: ServeOptions) -> Iterator[list[socket.socket]]:
    """The sockets while they listen, the main one first."""
    with ExitStack() as closing:
        first = closing.enter_context(listen(options.host, options.port, allow_remote=options.allow_remote))
        further = [closing.enter_context(one) for one in listen_also(first, options.also_listen)]
        yield [first, *further]


def _serve_on(listeners: Sequence[socket.socket], organization: Organization, data: Path, hosts: Hosts) -> bool:
    """Serve until told to end. False when that is because Dagster could not be loaded."""
    from hybrid.emulator.api.endpoint import GraphQLEndpoint
    from hybrid.emulator.api.meter import Meter
    from hybrid.emulator.api.service import Service
    from hybrid.emulator.application import Application
    from hybrid.emulator.browser import BrowserGate
    from hybrid.emulator.http_server import HttpServer
    from hybrid.emulator.loading import RuntimeLoader
    from hybrid.emulator.rest import all_routes
    from hybrid.emulator.serverless.agents import ServerlessAgents

    url, meter, failed = url_of(listeners[0]), Meter(), threading.Event()
    signer, serverless = organization.signer, ServerlessAgents(organization, data, url)

    def documents() -> LocationDocuments:
        from hybrid.emulator.runtime import Runtime as DagsterRuntime

        return DagsterRuntime.documents()

    def begin() -> None:
        _log.info("Serving %s/%s at %s", organization.name, organization.deployment.name, url)
        for further in listeners[1:]:
            _log.info("Also at %s", url_of(further))
        loader.start()
        serverless.start()

    def wind_down() -> None:
        _leave_after(_LAST_SECONDS, 1 if failed.is_set() else 0)
        organization.requests.close()
        endpoint.close()
        serverless.close()

    def give_up() -> None:
        failed.set()
        server.end()

    loader = RuntimeLoader(lambda: _loaded(data, organization), give_up, documents)
    endpoint = GraphQLEndpoint(organization, loader, Service(organization, loader, meter))
    gate = BrowserGate(organization.tokens, open_to_loopback=not hosts.anybody)
    server = HttpServer(
        Application(organization, loader, endpoint, gate, meter, all_routes(organization, signer, data)),
        on_start=begin,
        on_end=wind_down,
        keep_alive_s=_KEEP_ALIVE_SECONDS,
        drain_s=_DRAIN_SECONDS,
        hosts=hosts,
    )
    server.run(listeners)
    loader.close()
    return not failed.is_set()


def _loaded(data: Path, organization: Organization) -> Runtime:
    from hybrid.emulator.runtime import Runtime as DagsterRuntime  # Dagster's imports: seconds of them

    runtime = DagsterRuntime.load(data, organization, organization.signer)
    _log.info("Dagster is loaded")
    for deployment in organization.deployments.all():
        for location in organization.locations.all(deployment.name):
            if location.outdated:  # the agents may not have been told before the last process ended
                runtime.location_changed(deployment.name, location.name)
    return runtime


def _end_at_once(_number: int, _frame: FrameType | None) -> NoReturn:
    """A signal before anything is served: there is nothing to wind down but the ``with`` statements."""
    raise SystemExit(0)


def _leave(exit_code: int) -> NoReturn:
    """End the process without the interpreter's own way out.

    That would take Dagster's modules apart, which can take seconds, and wait for threads that wait for an agent.
    Nothing is lost: what was acknowledged is committed.
    """
    logging.shutdown()
    os._exit(exit_code)


def _leave_after(seconds: float, exit_code: int) -> None:
    """End the process if winding down is not done by then."""
    timer = threading.Timer(seconds, _leave, (exit_code,))
    timer.daemon = True
    timer.start()
