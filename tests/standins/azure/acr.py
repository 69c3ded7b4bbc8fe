"""Azure Container Registry of the stand-in: Azure's logins and rights, in front of the tests' registry."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

import httpx

from tests.standins.azure.answer import Answer, error

if TYPE_CHECKING:
    from tests.standins.azure.arm import FakeArm

DOMAIN: Final = ".azurecr.io"
_KIND: Final = "Microsoft.ContainerRegistry/registries"
PULL: Final = f"{_KIND}/pull/read"
PUSH: Final = f"{_KIND}/push/write"
_KEPT: Final = ("docker-content-digest", "content-type")
_REFRESH: Final = "refresh-stand-in-"


@dataclass(frozen=True)
class Upstream:
    """Where in truth the images lie: a registry without TLS."""

    address: str
    prefix: str
    """Before the names of all repositories."""
    username: str
    password: str

    def reference(self, image: str) -> str:
        """Where an image of Azure's registry is to be had; others are where they say."""
        host, _, rest = image.partition("/")
        return f"{self.address}/{self.prefix}/{rest}" if host.endswith(DOMAIN) else image


def may(arm: FakeArm, who: str, action: str, host: str) -> bool:
    """Whether ``who`` may ``action`` in the registry of that address, which has to be there."""
    found = [each for each in arm.resources.of_kind(_KIND) if each.body["properties"]["loginServer"] == host]
    return any(arm.rights.allows(who, action, each.address.id) for each in found)


def answered(
    arm: FakeArm, upstream: Upstream, method: str, path: str, headers: Mapping[str, str], content: bytes
) -> Answer:
    """One request to a registry; ``path`` with its query."""
    host = headers["Host"]
    given = headers.get("Authorization", "")
    if path == "/oauth2/exchange":
        token = dict(parse_qsl(content.decode())).get("access_token", "")
        who = token.removeprefix("stand-in-")
        return Answer(200, {"refresh_token": f"{_REFRESH}{who}"}) if who != token else error(401, "UNAUTHORIZED", host)
    if path.startswith("/oauth2/token"):
        password = base64.b64decode(given.removeprefix("Basic ")).decode().partition(":")[2]
        who = password.removeprefix(_REFRESH)
        return Answer(200, {"access_token": f"stand-in-{who}"}) if who != password else error(401, "UNAUTHORIZED", host)
    who = given.removeprefix("Bearer stand-in-")
    if who == given:
        challenge = {"WWW-Authenticate": f'Bearer realm="https://{host}/oauth2/token",service="{host}"'}
        return Answer(401, {"errors": [{"code": "UNAUTHORIZED"}]}, challenge)
    if not may(arm, who, PULL if method in ("GET", "HEAD") else PUSH, host):
        return error(403, "DENIED", f"{who} may not {method} in {host}")
    return _forwarded(upstream, method, path, headers, content)


def _forwarded(upstream: Upstream, method: str, path: str, headers: Mapping[str, str], content: bytes) -> Answer:
    inside = re.sub(r"^/v2/(?=.)", f"/v2/{upstream.prefix}/", path)
    sent: dict[str, Any] = {name: headers[name] for name in ("Accept", "Content-Type") if name in headers}
    login = (upstream.username, upstream.password)
    answer = httpx.request(
        method, f"http://{upstream.address}{inside}", headers=sent, content=content, auth=login, timeout=60
    )
    shown = {name.title(): answer.headers[name] for name in _KEPT if name in answer.headers}
    return Answer(answer.status_code, answer.content, shown)
