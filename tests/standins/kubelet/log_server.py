"""A kubelet's port, as far as the API server asks it for the logs of containers."""

from __future__ import annotations

import contextlib
import datetime
import ssl
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.standins.kubelet.engine import Engine

Find = Callable[[str, str, str, bool], str | None]
"""Docker's id by namespace, Pod, container, and whether the container before is meant."""


class LogServer:
    """Answers who has a certificate of the cluster's authority: the API server."""

    def __init__(self, address: str, find: Find, *, certificate: str, key: str, authority: str) -> None:
        handler = type("Handler", (_Handler,), {"find": staticmethod(find)})
        self._server = ThreadingHTTPServer((address, 0), handler)
        self._server.daemon_threads = True
        trusted = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority)
        trusted.verify_mode = ssl.CERT_REQUIRED
        trusted.load_cert_chain(certificate, key)
        self._server.socket = trusted.wrap_socket(self._server.socket, server_side=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    find: Find

    def do_GET(self) -> None:
        place = urlsplit(self.path)
        parts = place.path.strip("/").split("/")
        asked = {name: values[-1] for name, values in parse_qs(place.query).items()}
        if len(parts) != 4 or parts[0] != "containerLogs":
            self.send_error(501, "this double of a kubelet has logs only")
            return
        _, namespace, pod, container = parts
        id_ = type(self).find(namespace, pod, container, asked.get("previous") == "true")
        if id_ is None:
            self.send_error(400, f"container {container} in pod {pod} is waiting to start, or there was none before")
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        since = int(time.time()) - int(asked["sinceSeconds"]) if "sinceSeconds" in asked else None
        if "sinceTime" in asked:
            since = int(datetime.datetime.fromisoformat(asked["sinceTime"]).timestamp())
        left = int(asked["limitBytes"]) if "limitBytes" in asked else None
        with contextlib.suppress(OSError):
            for piece in Engine().log(
                id_, follow=asked.get("follow") == "true", since=since, stamps=asked.get("timestamps") == "true",
                tail=int(asked["tailLines"]) if "tailLines" in asked else None,
            ):  # fmt: skip
                piece = piece if left is None else piece[:left]
                left = None if left is None else left - len(piece)
                self.wfile.write(piece)
                self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        return
