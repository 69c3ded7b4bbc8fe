"""uvicorn on a socket that listens already."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
from starlette.types import ASGIApp


class HttpServer:
    """Serves one application until it is told to end, by SIGTERM, SIGINT or ``end``.

    ``on_start`` is called in the event loop as soon as requests are taken, ``on_end`` as soon as it ends, to let go of
    who waits. ``drain_s`` is what requests under way get then.
    """

    def __init__(
        self,
        application: ASGIApp,
        *,
        on_start: Callable[[], None],
        on_end: Callable[[], None],
        keep_alive_s: int,
        drain_s: int,
    ) -> None:
        self._server = _AnnouncedServer(
            uvicorn.Config(
                application,
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="off",
                timeout_keep_alive=keep_alive_s,
                timeout_graceful_shutdown=drain_s,
            ),
            on_start,
            on_end,
        )

    def run(self, listener: socket.socket) -> None:
        """Serve; returns when it ended. Only for the main thread."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _settled)  # uvicorn raises the signal once more when it is done
        self._server.run(sockets=[listener])

    def end(self) -> None:
        """End as if by a signal; from any thread."""
        self._server.should_exit = True


class _AnnouncedServer(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_start: Callable[[], None], on_end: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_start = on_start
        self._on_end = on_end

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._on_end()
        await super().shutdown(sockets)


def _settled(_number: int, _frame: FrameType | None) -> None:
    """The signal has had its effect already."""
