"""The stand-in served: Azure Resource Manager by TLS on port 443 of a loopback address, and the token endpoint of
managed identities by plain HTTP, as a container app has it."""

from __future__ import annotations

import contextlib
import json
import secrets
import ssl
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from tests.standins.azure.arm import Answer, FakeArm, Place, Start, error
from tests.standins.azure.rights import Rights

NAME: Final = "management.azure.com"
_MOST: Final = 250
"""How many may stand on a machine at once, each on an address of its own."""


class AzureStandIn:
    """``with AzureStandIn(folder, place, rights, start) as azure:`` serves it until the block ends."""

    def __init__(self, folder: Path, place: Place, rights: Rights, start: Start) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        number, self._arm = _bound(self)
        self.address = f"127.76.0.{number}"
        self.arm = FakeArm(place, rights, start, apps=f"127.77.{number}")
        self.header = secrets.token_hex(8)
        self.hosts = folder / "hosts"
        self.hosts.write_text(f"127.0.0.1 localhost\n{self.address} {NAME}\n")
        self.bundle = folder / "ca.pem"
        self._key = folder / "key.pem"
        _certificate(self.bundle, self._key, self.address)
        self._servers: list[ThreadingHTTPServer] = []
        self.token_port = 0

    def __enter__(self) -> AzureStandIn:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.bundle, self._key)
        arm = self._arm
        arm.socket = context.wrap_socket(arm.socket, server_side=True)
        tokens = ThreadingHTTPServer(("127.0.0.1", 0), _token_handler(self))
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

    @property
    def environment(self) -> dict[str, str]:
        """What a container app has of Azure, and the certificate that this one needs."""
        return {
            "IDENTITY_ENDPOINT": f"http://127.0.0.1:{self.token_port}/msi/token",
            "IDENTITY_HEADER": self.header,
            "REQUESTS_CA_BUNDLE": str(self.bundle),
        }

    def resolve(self, name: str, address: str) -> None:
        """In place: the file is bound over others."""
        with self.hosts.open("a") as file:
            file.write(f"{address} {name}\n")


def _bound(azure: AzureStandIn) -> tuple[int, ThreadingHTTPServer]:
    """The first address that is free, and the server on it."""
    for number in range(1, _MOST + 1):
        with contextlib.suppress(OSError):
            return number, ThreadingHTTPServer((f"127.76.0.{number}", 443), _arm_handler(azure))
    raise OSError("no address is free for the stand-in of Azure")


def token_of(client_id: str) -> str:
    """The access token of an identity."""
    return f"stand-in-{client_id}"


def _arm_handler(azure: AzureStandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None: ...

        def _answer(self) -> None:
            split = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"null") if length else None
            who = self.headers.get("Authorization", "").removeprefix("Bearer stand-in-")
            if who.startswith("Bearer") or not who:
                answer = error(401, "AuthenticationFailed", "no token of this stand-in")
            else:
                answer = azure.arm.handle(who, self.command, split.path, dict(parse_qsl(split.query)), body)
            _write(self, answer)

        do_GET = do_PUT = do_POST = do_DELETE = do_PATCH = _answer

    return Handler


def _token_handler(azure: AzureStandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None: ...

        def do_GET(self) -> None:
            query = dict(parse_qsl(urlsplit(self.path).query))
            client = query.get("client_id")
            if self.headers.get("X-IDENTITY-HEADER") != azure.header or not client:
                # an app with user-assigned identities alone has no identity of its own to give
                _write(self, error(400, "invalid_request", "no client_id, or no header"))
                return
            until = datetime.now(UTC) + timedelta(hours=1)
            told = {"access_token": token_of(client), "expires_on": str(int(until.timestamp())), "token_type": "Bearer"}
            _write(self, Answer(200, {**told, "resource": query.get("resource"), "client_id": client}))

    return Handler


def _write(handler: BaseHTTPRequestHandler, answer: Answer) -> None:
    text = b"" if answer.body is None else json.dumps(answer.body).encode()
    handler.send_response(answer.status)
    for name, value in answer.headers.items():
        handler.send_header(name, value)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(text)))
    handler.end_headers()
    handler.wfile.write(text)


def _certificate(bundle: Path, key_file: Path, address: str) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stand-in for Azure")])
    now = datetime.now(UTC)
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
            x509.SubjectAlternativeName([x509.DNSName(NAME), x509.IPAddress(ip_address(address))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    bundle.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
