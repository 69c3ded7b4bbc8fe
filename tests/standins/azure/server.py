"""The stand-in served: Azure Resource Manager, Log Analytics and the registry by TLS on port 443 of an address of this
machine, and the token endpoint of managed identities by plain HTTP, as a container app has it."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import ssl
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import certifi

from tests.standins.azure import acr
from tests.standins.azure.answer import Answer, error
from tests.standins.azure.arm import FakeArm, Start
from tests.standins.azure.log_analytics import answered
from tests.standins.azure.rights import Rights
from tests.standins.azure.things import Place

LOGS: Final = "api.loganalytics.io"
NAMES: Final = ("management.azure.com", LOGS)
"""What it answers for."""
_MOST: Final = 250
"""How many may stand on a machine at once, each on an address of its own."""


class AzureStandIn:
    """``with AzureStandIn(folder, place, rights, start) as azure:`` serves it until the block ends.

    ``address``: of this machine; by default a loopback address that is free. ``upstream``: has the images of Azure's
    registries, if there are any.
    """

    def __init__(
        self,
        folder: Path,
        place: Place,
        rights: Rights,
        start: Start,
        address: str = "",
        upstream: acr.Upstream | None = None,
    ) -> None:
        self.upstream = upstream
        folder.mkdir(parents=True, exist_ok=True)
        self._arm = ThreadingHTTPServer((address, 443), _arm_handler(self)) if address else _bound(self)
        self.address = str(self._arm.server_address[0])
        self.arm = FakeArm(place, rights, start)
        self.bundle = folder / "ca.pem"
        """Its own certificate, and those that this machine trusts."""
        self._pair = folder / "certificate.pem", folder / "key.pem"
        self._headers: dict[str, frozenset[str]] = {}
        _certificate(*self._pair, self.address)
        trusted = Path(os.environ.get("SSL_CERT_FILE") or certifi.where())
        self.bundle.write_bytes(trusted.read_bytes() + b"\n" + self._pair[0].read_bytes())
        self._servers: list[ThreadingHTTPServer] = []
        self.token_port = 0

    def __enter__(self) -> AzureStandIn:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self._pair)
        arm = self._arm
        arm.socket = context.wrap_socket(arm.socket, server_side=True, do_handshake_on_connect=False)
        tokens = ThreadingHTTPServer((self.address, 0), _token_handler(self))
        self.token_port = tokens.server_address[1]
        self._servers = [arm, tokens]
        for server in self._servers:
            threading.Thread(target=server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.arm.end()
        for server in self._servers:
            server.shutdown()
            server.server_close()

    @property
    def endpoint(self) -> str:
        return f"https://{self.address}"

    def login(self, *clients: str) -> dict[str, str]:
        """The variables by which Azure's libraries get tokens of these identities, and of no other."""
        header = secrets.token_hex(8)
        self._headers[header] = frozenset(clients)
        endpoint = f"http://{self.address}:{self.token_port}/msi/token"
        return {"IDENTITY_ENDPOINT": endpoint, "IDENTITY_HEADER": header}

    def has_login(self, header: str | None, client: str | None) -> bool:
        return client in self._headers.get(header or "", ())


def _bound(azure: AzureStandIn) -> ThreadingHTTPServer:
    """On the first loopback address that is free."""
    for number in range(1, _MOST + 1):
        with contextlib.suppress(OSError):
            return ThreadingHTTPServer((f"127.76.0.{number}", 443), _arm_handler(azure))
    raise OSError("no address is free for the stand-in of Azure")


def token_of(client_id: str) -> str:
    """The access token of an identity."""
    return f"stand-in-{client_id}"


def _arm_handler(azure: AzureStandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None: ...

        def _answer(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("Host", "").endswith(acr.DOMAIN) and azure.upstream:
                headers = {name.title(): value for name, value in self.headers.items()}
                _write(self, acr.answered(azure.arm, azure.upstream, self.command, self.path, headers, content))
                return
            split, body = urlsplit(self.path), json.loads(content or b"null")
            who = self.headers.get("Authorization", "").removeprefix("Bearer stand-in-")
            if who.startswith("Bearer") or not who:
                answer = error(401, "AuthenticationFailed", "no token of this stand-in")
            elif self.headers.get("Host") == LOGS:
                answer = answered(azure.arm, who, split.path, body or {})
            else:
                answer = azure.arm.handle(who, self.command, split.path, dict(parse_qsl(split.query)), body)
            _write(self, answer)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_PATCH = _answer

    return Handler


def _token_handler(azure: AzureStandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None: ...

        def do_GET(self) -> None:
            query = dict(parse_qsl(urlsplit(self.path).query))
            client = query.get("client_id")
            if not client or not azure.has_login(self.headers.get("X-IDENTITY-HEADER"), client):
                # an app with user-assigned identities alone has no identity of its own to give
                _write(self, error(400, "invalid_request", "no client_id, or one that is not of this app"))
                return
            until = datetime.now(UTC) + timedelta(hours=1)
            told = {"access_token": token_of(client), "expires_on": str(int(until.timestamp())), "token_type": "Bearer"}
            _write(self, Answer(200, {**told, "resource": query.get("resource"), "client_id": client}))

    return Handler


def _write(handler: BaseHTTPRequestHandler, answer: Answer) -> None:
    raw = isinstance(answer.body, bytes)
    text = answer.body if raw else b"" if answer.body is None else json.dumps(answer.body).encode()
    handler.send_response(answer.status)
    for name, value in answer.headers.items():
        handler.send_header(name, value)
    if not raw:
        handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(text)))
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(text)


def _certificate(file: Path, key_file: Path, address: str) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stand-in for Azure")])
    now = datetime.now(UTC)
    named = (*NAMES, f"*{acr.DOMAIN}")
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([*map(x509.DNSName, named), x509.IPAddress(ip_address(address))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
