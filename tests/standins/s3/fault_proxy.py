"""Stands between a client and an S3 or a blob storage of tests, writes down each request, and has some of them fail."""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import urlsplit

_NOT_FORWARDED = {"connection", "transfer-encoding", "content-length", "server", "date"}


@dataclass(frozen=True)
class Seen:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]


@dataclass
class Trouble:
    """What befalls the requests that ``concerns`` names, ``times`` times (None: always).

    ``status`` (with S3's ``code``, ``message`` and ``region``) is answered instead of the server's answer; or, where
    ``cut`` is given, the connection ends after so many bytes of the body. ``before``: called first."""

    concerns: Callable[[Seen], bool]
    times: int | None = 1
    status: int | None = None
    code: str = ""
    message: str = "by a test"
    region: str = ""
    cut: int | None = None
    before: Callable[[], None] | None = None


@dataclass
class FaultProxy:
    """``with FaultProxy(moto.endpoint) as proxy``: ``proxy.endpoint`` is where the client goes."""

    target: str
    troubles: list[Trouble] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> FaultProxy:
        handler = type("Handler", (_Handler,), {"proxy": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def clear(self) -> None:
        with self.lock:
            self.troubles.clear()
            self.seen.clear()

    def meets(self, seen: Seen) -> Trouble | None:
        with self.lock:
            self.seen.append(seen)
            for trouble in self.troubles:
                if trouble.times != 0 and trouble.concerns(seen):
                    trouble.times = None if trouble.times is None else trouble.times - 1
                    return trouble
        return None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    proxy: ClassVar[FaultProxy]

    def log_message(self, *_: Any) -> None:
        """Nothing."""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        trouble = self.proxy.meets(Seen(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
        if trouble and trouble.before:
            trouble.before()
        with contextlib.suppress(ConnectionError):
            if trouble and trouble.status:
                self._refuse(trouble)
            else:
                self._forward(body, trouble.cut if trouble else None)

    def _refuse(self, trouble: Trouble) -> None:
        region = f"<Region>{trouble.region}</Region>" if trouble.region else ""
        said = f"<?xml version='1.0'?><Error><Code>{trouble.code}</Code><Message>{trouble.message}</Message>{region}"
        self.send_response(trouble.status or 500)
        if trouble.region:
            self.send_header("x-amz-bucket-region", trouble.region)
        if trouble.code:
            self.send_header("x-ms-error-code", trouble.code)  # where Azure says it
        self._body((said + "</Error>").encode(), None)

    def _forward(self, body: bytes, cut: int | None) -> None:
        connection = http.client.HTTPConnection(urlsplit(self.proxy.target).netloc, timeout=60)
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() != "expect":
                    connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            data = answer.read()
            self.send_response(answer.status)
            length = answer.getheader("Content-Length") if self.command == "HEAD" else None
            for name, value in answer.getheaders():
                if name.lower() not in _NOT_FORWARDED:
                    self.send_header(name, value)
            self._body(data, cut, length)
        finally:
            connection.close()

    def _body(self, data: bytes, cut: int | None, length: str | None = None) -> None:
        self.send_header("Content-Length", length or str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data if cut is None else data[:cut])
        if cut is not None:
            self.wfile.flush()
            self.close_connection = True
            self.connection.close()

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _serve
