"""Logins to registries, as docker itself has them: its config file and its credential helpers."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hybrid.delivery.images.errors import LoginRefused
from hybrid.delivery.images.reference import HUB
from hybrid.redaction import Token, redact

if TYPE_CHECKING:
    from docker.auth import AuthConfig  # type: ignore[import-untyped]


@dataclass(frozen=True)
class Login:
    """A user and a password; ``is_identity``: the password is a refresh token and there is no user."""

    user: str
    password: Token
    is_identity: bool = False


class Logins:
    """The logins that ``docker login`` left, by registry. Helpers are asked once; ``forget`` lets one be asked again,
    since what it gave may lapse."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = dict(environ)
        self._found: dict[str, Login | None] = {}
        self._lock = threading.Lock()

    def of(self, registry: str) -> Login | None:
        """The login for ``registry``, or None to go without. Raises ``LoginRefused`` when a helper fails."""
        with self._lock:
            if registry not in self._found:
                self._found[registry] = self._look_up(registry)
            return self._found[registry]

    def forget(self, registry: str) -> None:
        with self._lock:
            self._found.pop(registry, None)

    def _look_up(self, registry: str) -> Login | None:
        file = self._file()
        if not file.is_file():
            return None
        plain = _plain(file, registry)
        return plain or self._by_docker(registry, file)

    def _by_docker(self, registry: str, file: Path) -> Login | None:
        # it imports the whole client, as much work as all other imports of a command that asks a registry
        import docker.auth  # type: ignore[import-untyped]
        import docker.errors  # type: ignore[import-untyped]

        try:
            json.loads(file.read_bytes() or b"{}")  # docker-py takes what is no JSON for a file without logins
            configuration: AuthConfig = docker.auth.load_config(config_path=str(file), credstore_env=self._environ)
            entry = configuration.resolve_authconfig(None if registry == HUB else registry)
        except (docker.errors.DockerException, ValueError, OSError) as error:
            raise LoginRefused(
                f"The login for {registry} cannot be read.",
                why=redact(str(error)),
                next_step=f"`docker login {registry}`, or correct the credential helper in docker's config.json.",
            ) from None
        if not entry:
            return None
        identity = entry.get("IdentityToken") or entry.get("identitytoken")
        if identity:
            return Login("", Token(identity), is_identity=True)
        user, password = entry.get("username") or entry.get("Username"), entry.get("password") or entry.get("Password")
        return Login(user, Token(password)) if user and password else None

    def _file(self) -> Path:
        home = Path(self._environ.get("HOME") or Path.home())
        folder = self._environ.get("DOCKER_CONFIG")
        return (Path(folder) if folder else home / ".docker") / "config.json"


def _plain(file: Path, registry: str) -> Login | None:
    """The login that stands in the file itself, under the registry's plain name and with no helper that could know
    better; None when it takes docker-py to tell."""
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        entry = document["auths"][registry]
        if document.get("credsStore") or document.get("credHelpers") or "identitytoken" in entry:
            return None
        user, _, password = base64.b64decode(entry["auth"]).decode().partition(":")
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
    return Login(user, Token(password)) if user and password else None
