"""uvicorn on sockets that listen already, with connections that may not be kept waiting for ever."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Sequence
from functools import partial
from types import FrameType
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from hybrid.emulator.edge import HEAD_BYTES, PATIENCE_SECONDS, Edge, spare_connections
from hybrid.emulator.listening import Hosts

_TOO_LONG: Final = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class HttpServer:
    """Serves one application until it is told to end, by SIGTERM, SIGINT or ``end``.

    ``on_start`` is called in the event loop as soon as requests are taken, ``on_end`` as soon as it ends, to let go of
    who waits. ``drain_s`` is what requests under way get then. ``patience_s`` is how long a client may keep a request
    unfinished, or its answer untaken, without anything moving. ``hosts`` are the names by which clients may come.
    """

    def __init__(
        self,
        application: ASGIApp,
        *,
        on_start: Callable[[], None],
        on_end: Callable[[], None],
        keep_alive_s: int,
        drain_s: int,
        hosts: Hosts,
        patience_s: float = PATIENCE_SECONDS,
    ) -> None:
        connection: Any = partial(_Connection, patience_s=patience_s, most=spare_connections())
        self._server = _AnnouncedServer(
            uvicorn.Config(
                Edge(application, patience_s=patience_s, hosts=hosts),
                http=connection,
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

    def run(self, listeners: Sequence[socket.socket]) -> None:
        """Serve; returns when it ended. Only for the main thread."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _settled)  # uvicorn raises the signal once more when it is done
        self._server.run(sockets=list(listeners))

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


class _Connection(HttpToolsProtocol):
    """A connection that is closed when its client neither finishes a request's head nor takes its answer in time.

    uvicorn bounds only the time between an answer and the next request. The body's time is bounded by ``Edge``, which
    can still answer.
    """

    def __init__(self, *arguments: Any, patience_s: float, most: int, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._patience_s = patience_s
        self._most = most
        self._head_bytes = 0
        self._in_head = True
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self._most:
            transport.abort()
        else:
            self._expect(float(self.timeout_keep_alive))

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            if self._head_bytes == 0:
                self._expect(self._patience_s)
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > HEAD_BYTES and not self.transport.is_closing():
            self.transport.write(_TOO_LONG)
            self.transport.close()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._relax()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_head, self._head_bytes = True, 0

    def pause_writing(self) -> None:
        super().pause_writing()
        self._expect(self._patience_s)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._relax()

    def connection_lost(self, exc: Exception | None) -> None:
        self._relax()
        super().connection_lost(exc)

    def _expect(self, seconds: float) -> None:
        self._relax()
        self._deadline = self.loop.call_later(seconds, self._give_up)

    def _relax(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.abort()


def _settled(_number: int, _frame: FrameType | None) -> None:
    """The signal has had its effect already."""
