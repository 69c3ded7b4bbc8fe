"""An Azure Resource Manager that has an empty subscription, all rights and no limits, for the questions before an
update; and a login. It is not Azure: it answers what is asked here, and nothing else.
"""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from hybrid.azure.ground import PROVIDERS
from tests.kubernetes.certificates import Authority

NAME: Final = "management.azure.com"
SUBSCRIPTION: Final = "00000000-1111-2222-3333-444444444444"
_ADDRESS: Final = "127.78.0.1"
_SHELL: Final = 'set -e; hosts=$1; shift; mount --bind "$hosts" /etc/hosts; exec "$@"'
_LISTS: Final = {
    "providers": [{"namespace": name, "registrationState": "Registered"} for name in PROVIDERS],
    "permissions": [{"actions": ["*"], "notActions": []}],
    "usages": [],
}


@dataclass(frozen=True)
class AnsweringAzure:
    """How a command reaches it."""

    wrapper: tuple[str, ...]
    """What goes before a command, so that Azure's name leads here for it alone. It needs Linux and root."""
    environment: dict[str, str]


class _Resources(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path = self.path.partition("?")[0].rstrip("/")
        last = path.rpartition("/")[2]
        if last in _LISTS:
            _answer(self, 200, {"value": _LISTS[last]})
        elif path == f"/subscriptions/{SUBSCRIPTION}":
            _answer(self, 200, {"subscriptionId": SUBSCRIPTION, "state": "Enabled"})
        else:
            _answer(self, 404, {"error": {"code": "ResourceNotFound", "message": "an empty subscription"}})

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody reads it."""


class _Tokens(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        _answer(self, 200, {"access_token": "of-a-benchmark", "expires_on": "4102444800", "token_type": "Bearer"})

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody reads it."""


@contextmanager
def answering_azure(folder: Path) -> Iterator[AnsweringAzure]:
    """It answers until the block ends."""
    folder.mkdir()
    authority = Authority(folder / "certificates")
    pair = authority.server("azure", NAME, _ADDRESS)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    resources, tokens = ThreadingHTTPServer((_ADDRESS, 443), _Resources), ThreadingHTTPServer(("127.0.0.1", 0), _Tokens)
    resources.socket = context.wrap_socket(resources.socket, server_side=True)
    hosts = folder / "hosts"
    hosts.write_text(f"127.0.0.1 localhost\n{_ADDRESS} {NAME}\n", encoding="utf-8")
    for server in (resources, tokens):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield AnsweringAzure(
            ("unshare", "--mount", "/bin/sh", "-c", _SHELL, "reached", str(hosts)),
            {
                "IDENTITY_ENDPOINT": f"http://127.0.0.1:{tokens.server_port}/msi/token",
                "IDENTITY_HEADER": "of-a-benchmark",
                "REQUESTS_CA_BUNDLE": str(authority.certificate),
                "NO_PROXY": "*",
            },
        )
    finally:
        for server in (resources, tokens):
            server.shutdown()
            server.server_close()


def _answer(handler: BaseHTTPRequestHandler, status: int, body: Any) -> None:
    text = json.dumps(body).encode()
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(text)))
    handler.end_headers()
    handler.wfile.write(text)
