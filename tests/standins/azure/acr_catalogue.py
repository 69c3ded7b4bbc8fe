"""A STAND-IN for Azure Container Registry on a loopback port: tokens by scope, the lists of repositories and manifests
in pages, manifests by digest, deletion. Answers have the form that azure-sdk-for-js recorded of the real one
(sdk/containerregistry/container-registry/recordings); which right a scope needs is Azure's to say, and is not here."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
PASSWORD = "refresh-token-of-a-test"
USER = "00000000-0000-0000-0000-000000000000"


@dataclass
class Image:
    content: bytes
    media_type: str
    tags: list[str]
    created: datetime
    changed: datetime
    deletable: bool = True

    @property
    def digest(self) -> str:
        return f"sha256:{hashlib.sha256(self.content).hexdigest()}"

    def told(self) -> dict[str, Any]:
        text = {name: f"{at:%Y-%m-%dT%H:%M:%S}.1234567Z" for name, at in self.times.items()}
        tags = {"tags": self.tags} if self.tags else {}
        return {
            "digest": self.digest,
            "imageSize": 528,
            **text,
            "mediaType": self.media_type,
            **tags,
            "changeableAttributes": {"deleteEnabled": self.deletable, "writeEnabled": True},
        }

    @property
    def times(self) -> dict[str, datetime]:
        return {"createdTime": self.created, "lastUpdateTime": self.changed}


@dataclass
class AcrStandIn:
    """``with AcrStandIn() as acr:`` serves ``repositories``. ``page``: how many entries one answer has at most;
    ``refused``: scopes for which no token is given; ``seen``: method and path of each request but those for tokens."""

    repositories: dict[str, list[Image]] = field(default_factory=dict)
    page: int = 2
    refused: set[str] = field(default_factory=set)
    seen: list[str] = field(default_factory=list)
    link_to: str | None = None
    """Where a page says that the next one is, instead of here."""

    def __enter__(self) -> AcrStandIn:
        stand_in = self

        class Bound(_Handler):
            acr = stand_in

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Bound)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def docker_config(self) -> dict[str, Any]:
        login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        return {"auths": {self.host: {"auth": login}}}

    def push(self, repository: str, tag: str | None, at: datetime, parts: tuple[str, ...] = ()) -> str:
        """One image, or an index over ``parts``; its digest."""
        kind = INDEX if parts else MANIFEST
        said: dict[str, Any] = {"schemaVersion": 2, "mediaType": kind, "x": [repository, tag, at.isoformat()]}
        if parts:
            said["manifests"] = [{"digest": part, "mediaType": MANIFEST, "size": 1} for part in parts]
        image = Image(json.dumps(said).encode(), kind, [tag] if tag else [], at, at)
        self.repositories.setdefault(repository, []).append(image)
        return image.digest

    def tags(self, repository: str) -> set[str]:
        return {tag for image in self.repositories.get(repository, ()) for tag in (image.tags or ["?"])}


class _Handler(BaseHTTPRequestHandler):
    acr: AcrStandIn

    def log_message(self, *_: object) -> None:
        return None

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/oauth2/token":
            self._token(parse_qs(parts.query))
        elif parts.path == "/acr/v1/_catalog":
            self._listed("registry:catalog:*", "repositories", sorted(self.acr.repositories))
        elif parts.path.startswith("/acr/v1/") and parts.path.endswith("/_manifests"):
            name = parts.path.removeprefix("/acr/v1/").removesuffix("/_manifests")
            images = self.acr.repositories.get(name)
            told = None if images is None else [image.told() for image in images]
            self._listed(f"repository:{name}:metadata_read", "manifests", told)
        else:
            self._manifest("pull")

    def do_DELETE(self) -> None:
        self._manifest("delete")

    def _manifest(self, action: str) -> None:
        name, _, digest = urlsplit(self.path).path.removeprefix("/v2/").partition("/manifests/")
        if not self._allowed(f"repository:{name}:{action}"):
            return
        images = self.acr.repositories.get(name, [])
        image = next((image for image in images if image.digest == digest), None)
        if image is None:
            self._answer(404, {"errors": [{"code": "MANIFEST_UNKNOWN"}]})
        elif action == "pull":
            self._answer(200, image.content, {"Content-Type": image.media_type, "Docker-Content-Digest": digest})
        elif not image.deletable:
            self._answer(405, {"errors": [{"code": "UNSUPPORTED", "message": "The operation is unsupported."}]})
        else:
            images.remove(image)
            self._answer(202, b"")

    def _listed(self, scope: str, key: str, found: list[Any] | None) -> None:
        if not self._allowed(scope):
            return
        if found is None:
            self._answer(404, {"errors": [{"code": "NAME_UNKNOWN"}]})
            return
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        start = int(query.get("last", ["0"])[0])
        following = start + self.acr.page
        target = self.acr.link_to or f"{path}?last={following}&n={self.acr.page}"
        headers = {"Link": f'<{target}>; rel="next"'} if following < len(found) else {}
        self._answer(200, {"registry": self.acr.host, key: found[start:following] or None}, headers)

    def _allowed(self, scope: str) -> bool:
        self.acr.seen.append(f"{self.command} {self.path}")
        if self.headers.get("Authorization") == f"Bearer token of {scope}":
            return True
        realm = f'Bearer realm="http://{self.acr.host}/oauth2/token",service="{self.acr.host}",scope="{scope}"'
        self._answer(401, {"errors": [{"code": "UNAUTHORIZED"}]}, {"WWW-Authenticate": realm})
        return False

    def _token(self, query: dict[str, list[str]]) -> None:
        login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        scope = query.get("scope", [""])[0]
        if self.headers.get("Authorization") != f"Basic {login}" or scope in self.acr.refused:
            self._answer(401, {"errors": [{"code": "UNAUTHORIZED"}]})
        else:
            self._answer(200, {"access_token": f"token of {scope}"})

    def _answer(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
