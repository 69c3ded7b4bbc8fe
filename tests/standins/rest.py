"""What both stand-ins are: a REST API in a thread, with a record of its calls and faults on demand."""

from __future__ import annotations

import json
import re
import threading
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

_LONGEST_HOLD = 60.0


@dataclass(frozen=True)
class Call:
    """One request, and what was answered."""

    method: str
    path: str
    """Below the API's address, without the query."""
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Names in lower case."""
    body: Any
    status: int = 0

    @property
    def line(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Reply:
    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class _Fault:
    method: str
    path: re.Pattern[str]
    reply: Reply | None
    has_effect: bool
    hold: threading.Event | None
    left: int


@dataclass
class _Meanwhile:
    method: str
    path: re.Pattern[str]
    action: Callable[[], object]


class RestStandIn:
    """Listens at a free port of 127.0.0.1 between ``with`` and its end. Safe for several threads."""

    name = "a forge"
    base = ""
    """The path of the API, such as ``/api/v4``."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._lock = threading.RLock()
        self._faults: list[_Fault] = []
        self._meanwhile: list[_Meanwhile] = []
        self._server: ThreadingHTTPServer | None = None

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server is not None
        for fault in self._faults:
            if fault.hold:
                fault.hold.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def site(self) -> str:
        """Where pages would be."""
        assert self._server is not None, "it listens inside of `with` only"
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        """The API's address."""
        return self.site + self.base

    @property
    def lines(self) -> list[str]:
        """Methods and paths of all calls."""
        return [call.line for call in self.calls]

    def fail(
        self,
        method: str,
        path: str,
        *,
        status: int | None = 500,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        times: int = 1,
        has_effect: bool = False,
        hold: threading.Event | None = None,
    ) -> None:
        """The next ``times`` calls whose path has ``path`` (a pattern) in it are answered with this.

        ``status`` None: the connection is closed without an answer. ``has_effect``: what was asked is done all the
        same. ``hold``: the answer waits for it, or for the end.
        """
        reply = (
            None if status is None else Reply(status, {"message": "as asked"} if body is None else body, headers or {})
        )
        with self._lock:
            self._faults.append(_Fault(method, re.compile(path), reply, has_effect, hold, times))

    def meanwhile(self, method: str, path: str, action: Callable[[], object]) -> None:
        """Before the next such call is answered, once, this happens: what somebody else does at the same time."""
        with self._lock:
            self._meanwhile.append(_Meanwhile(method, re.compile(path), action))

    def answer(self, call: Call) -> Reply:
        """What the API does; called one at a time."""
        raise NotImplementedError

    def serve(self, call: Call) -> Reply | None:
        """The answer, after whatever was asked for. None: the connection is closed."""
        with self._lock:
            action = self._take_meanwhile(call)
            if action is not None:
                action()
            fault = next((each for each in self._faults if each.left > 0 and _fits(each, call)), None)
            if fault is not None:
                fault.left -= 1
            effect = self.answer(call) if fault is None or fault.has_effect else None
        if fault is not None and fault.hold is not None:
            fault.hold.wait(_LONGEST_HOLD)
        reply = effect if fault is None else fault.reply
        with self._lock:
            self.calls.append(Call(**{**vars(call), "status": reply.status if reply else 0}))
        return reply

    def _take_meanwhile(self, call: Call) -> Callable[[], object] | None:
        for each in self._meanwhile:
            if _fits(each, call):
                self._meanwhile.remove(each)
                return each.action
        return None

    def page(self, call: Call, entries: Sequence[Any]) -> Reply:
        """One page of a list, with the links to the others: 30 entries unless ``per_page`` says more, 100 at most."""
        size = min(max(int(call.query.get("per_page", "30")), 1), 100)
        number = max(int(call.query.get("page", "1")), 1)
        last = max((len(entries) + size - 1) // size, 1)
        links = {"next": number + 1, "last": last} if number < last else {}
        written = ", ".join(
            f'<{self.url}{call.path}?{urllib.parse.urlencode({**call.query, "page": str(to)})}>; rel="{name}"'
            for name, to in links.items()
        )
        start = (number - 1) * size
        return Reply(200, entries[start : start + size], {"Link": written} if written else {})

    def __repr__(self) -> str:
        return f"<stand-in for {self.name}, not {self.name} itself>"


def _fits(asked: _Fault | _Meanwhile, call: Call) -> bool:
    return asked.method == call.method and asked.path.search(call.path) is not None


def _handler(stand_in: RestStandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        server_version = f"stand-in-for-{stand_in.name}"
        sys_version = ""

        def do_GET(self) -> None:
            parts = urllib.parse.urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            content = self.rfile.read(length) if length else b""
            call = Call(
                self.command,
                parts.path.removeprefix(stand_in.base),
                dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True)),
                {name.lower(): value for name, value in self.headers.items()},
                json.loads(content) if content else None,
            )
            reply = stand_in.serve(call)
            if reply is None:
                self.close_connection = True
                return
            self._send(reply)

        do_POST = do_PATCH = do_PUT = do_DELETE = do_GET

        def _send(self, reply: Reply) -> None:
            is_text = isinstance(reply.body, str)
            text = reply.body if is_text else json.dumps(reply.body)
            content = b"" if reply.body is None else text.encode()
            try:
                self.send_response(reply.status)
                self.send_header("Content-Type", "text/html" if is_text else "application/json")
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                if reply.status != 204:
                    self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content if reply.status != 204 else b"")
            except OSError:
                self.close_connection = True  # who asked does not wait any more

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: ``calls`` has it."""

    return Handler
