"""STAND-IN: a door before an embedded Dagster+ that lets questions through and refuses every change, and remembers
what it refused."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
from graphql import OperationType, parse


@dataclass
class Door:
    """``url`` takes the place of the organization's; ``refused`` are the names of mutations, and requests that are no
    question in GraphQL."""

    url: str = ""
    writable: bool = False
    """Whether changes go through for the time being."""
    asked: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


@contextmanager
def reading_only(upstream: str) -> Iterator[Door]:
    """While the block runs."""
    door = Door()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(upstream, door))
    door.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield door
    finally:
        server.shutdown()
        server.server_close()


def _handler(upstream: str, door: Door) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            name, writes = _what(body)
            if writes and not door.writable:
                door.refused.append(name)
                self._answer(403, json.dumps({"errors": [{"message": "this door is for reading"}]}).encode())
                return
            door.asked.append(name)
            kept = {key: value for key, value in self.headers.items() if key.lower() not in {"host", "content-length"}}
            answer = httpx.post(upstream + self.path, content=body, headers=kept, timeout=60)
            self._answer(answer.status_code, answer.content)

        def do_GET(self) -> None:
            self._answer(404, b"{}")

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    return Handler


def _what(body: bytes) -> tuple[str, bool]:
    """The operation's name, and whether it changes something; what is no document in GraphQL counts as a change."""
    try:
        said: dict[str, Any] = json.loads(body)
        operations = [each for each in parse(said["query"]).definitions if hasattr(each, "operation")]
    except Exception:  # whatever it is
        return "what is no GraphQL", True
    names = ", ".join(str(each.name.value) for each in operations if each.name)
    return names, any(each.operation is not OperationType.QUERY for each in operations)
