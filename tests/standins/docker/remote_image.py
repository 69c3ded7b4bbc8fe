"""docker:index/remoteImage:RemoteImage."""

from __future__ import annotations

from typing import Any

import docker.errors
from hybrid.provider.properties import Properties
from tests.standins.docker.kind import Found, Kind, PluginError, Session
from tests.standins.docker.shape import EACH, Property


class RemoteImage(Kind):
    """An image that the engine has, pulled when it is missing: as the plugin, one that is there is not pulled again."""

    token = "docker:index/remoteImage:RemoteImage"
    properties = {
        "name": Property(str, required=True),
        "keepLocally": Property(bool, in_place=True, default=False),
        "forceRemove": Property(bool, in_place=True, default=False),
        "pullTriggers": Property([str], unordered=True),
        "triggers": Property({EACH: str}),
        "platform": Property(str),
    }
    computed = ("imageId", "repoDigest")
    named = False

    def create(self, session: Session, inputs: Properties) -> Found:
        return _found(inputs["name"], image_of(session, inputs["name"], inputs.get("platform")))

    def read(self, session: Session, id: str, inputs: Properties) -> Found | None:
        name = inputs.get("name") or id
        try:
            seen = session.client.api.inspect_image(name)
        except docker.errors.NotFound:
            return None
        return _found(name, seen, {} if inputs else {"name": name})

    def update(self, session: Session, id: str, old: Properties, inputs: Properties) -> Found:
        return self.create(session, inputs)

    def delete(self, session: Session, id: str, inputs: Properties) -> None:
        if inputs.get("keepLocally"):
            return
        try:
            session.client.api.remove_image(inputs["name"], force=inputs.get("forceRemove", False))
        except docker.errors.NotFound:
            return


def image_of(session: Session, name: str, platform: str | None) -> dict[str, Any]:
    """The image ``name``: a name with tag or digest, or an ID that the engine has."""
    try:
        seen: dict[str, Any] = session.client.api.inspect_image(name)
    except docker.errors.NotFound:
        if name.startswith("sha256:"):
            raise PluginError(f"the engine has no image {name}") from None
        _pull(session, name, platform)
        seen = session.client.api.inspect_image(name)
    return seen


def _pull(session: Session, name: str, platform: str | None) -> None:
    last = name.rpartition("/")[2]
    tag = None if "@" in last or ":" in last else "latest"
    login = session.logins.of(name) or {}
    for line in session.client.api.pull(name, tag=tag, auth_config=login, platform=platform, stream=True, decode=True):
        if "error" in line:
            raise PluginError(f"unable to find or pull image {name}: {line['error']}")


def _found(name: str, seen: dict[str, Any], inputs: Properties | None = None) -> Found:
    digests = seen.get("RepoDigests") or [""]
    return Found(seen["Id"] + name, {"imageId": seen["Id"], "repoDigest": digests[0]}, inputs or {})
