"""Registry logins: those of the provider's ``registryAuth``, else Docker's own settings (DOCKER_CONFIG)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from docker.auth import AuthConfig, load_config, resolve_repository_name


@dataclass(frozen=True)
class Logins:
    """``given``: the entries of ``registryAuth``."""

    given: list[Mapping[str, Any]] = field(default_factory=list)

    def of(self, image: str) -> dict[str, str] | None:
        """The login for the registry of ``image``, as the engine's API takes it."""
        registry, _ = resolve_repository_name(image)
        for entry in self.given:
            if _host(entry["address"]) == registry:
                return _login(entry, registry)
        found: dict[str, str] | None = load_config().resolve_authconfig(registry)
        return found


def _host(address: str) -> str:
    return address.partition("://")[2].partition("/")[0] if "://" in address else address.partition("/")[0]


def _login(entry: Mapping[str, Any], registry: str) -> dict[str, str] | None:
    if entry.get("authDisabled"):
        return None
    if entry.get("password"):
        return {"username": entry.get("username", ""), "password": entry["password"]}
    if entry.get("configFileContent"):
        config = AuthConfig(json.loads(entry["configFileContent"]))
        config["auths"] = AuthConfig.parse_auth(config.get("auths", {}))
    else:
        config = load_config(entry.get("configFile"))
    found: dict[str, str] | None = config.resolve_authconfig(registry)
    return found
