"""Logins to registries: as docker itself has them in its config file and its credential helpers, and for registries of
AWS and Azure as these give them for some hours."""

from __future__ import annotations

import base64
import contextlib
import json
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybrid.aws.registry import EcrAddress, ecr_login
from hybrid.azure.registry import acr_login, is_acr
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
    """The logins by registry: those that ``docker login`` left, AWS's own for registries of ECR, which are asked for
    with the credentials of the AWS tools, and Azure's own for registries of Azure where docker has none. Each is asked
    once; ``forget`` lets one be asked again, since what it gave may lapse."""

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
        address = EcrAddress.parse(registry)
        if address is not None:
            return self._of_ecr(address, registry)
        return self._of_docker(registry) or (self._of_acr(registry) if is_acr(registry) else None)

    def _of_acr(self, registry: str) -> Login:
        from hybrid.errors import HybridError

        try:
            return Login(*acr_login(registry))
        except HybridError as error:
            raise LoginRefused(
                f"There is no login for {registry}.",
                why=f"{error.what}\n{error.why}" if error.why else error.what,
                next_step=f"{error.next_step} Or `az acr login --name {registry.partition('.')[0]}`.",
            ) from None

    def _of_ecr(self, address: EcrAddress, registry: str) -> Login:
        from hybrid.aws.errors import AwsError

        try:
            user, password = ecr_login(address)
        except AwsError as error:
            own = self._of_docker(registry)  # somebody without AWS credentials may have logged docker in
            if own is not None:
                return own
            raise LoginRefused(
                f"There is no login for {registry}.",
                why=f"{error.what}\n{error.why}" if error.why else error.what,
                next_step=error.next_step,
            ) from None
        return Login(user, password)

    def _of_docker(self, registry: str) -> Login | None:
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
        return _docker_folder(self._environ) / "config.json"


def is_cloud_registry(registry: str) -> bool:
    """Whether AWS or Azure gives logins to it, by a login of theirs."""
    return EcrAddress.parse(registry) is not None or is_acr(registry)


@contextlib.contextmanager
def logged_in(environ: Mapping[str, str], logins: Logins, registries: set[str]) -> Iterator[Mapping[str, str]]:
    """``environ`` for docker commands that need logins which docker does not have: to those of ``registries`` that are
    AWS's or Azure's. Without any of these it is ``environ`` itself.

    The logins stand in a folder of their own, readable to this user alone and removed at the end, beside the user's
    other settings: contexts, builders, plug-ins, other logins. The user's own file is never written. Raises
    ``LoginRefused``.
    """
    wanted = {registry: logins.of(registry) for registry in sorted(registries) if is_cloud_registry(registry)}
    if not wanted:
        yield environ
        return
    own = _docker_folder(environ)
    document = _document(own / "config.json")
    for registry, login in wanted.items():
        if login is not None:
            _put(document, registry, login)
    with tempfile.TemporaryDirectory(prefix="hybrid-docker-") as name:
        folder = Path(name)
        for entry in own.iterdir() if own.is_dir() else ():
            if entry.name != "config.json":
                (folder / entry.name).symlink_to(entry.resolve())
        file = folder / "config.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps(document), encoding="utf-8")
        yield {**environ, "DOCKER_CONFIG": str(folder)}


def _docker_folder(environ: Mapping[str, str]) -> Path:
    folder = environ.get("DOCKER_CONFIG")
    return Path(folder) if folder else Path(environ.get("HOME") or Path.home()) / ".docker"


def _document(file: Path) -> dict[str, Any]:
    try:
        document = json.loads(file.read_bytes() or b"{}") if file.is_file() else {}
    except (OSError, ValueError) as error:
        document = error
    if not isinstance(document, dict):
        raise LoginRefused(
            f"Docker's settings in {file} cannot be read.",
            why=redact(str(document)) if isinstance(document, Exception) else "They are no JSON object.",
            next_step="correct the file, or set DOCKER_CONFIG to another folder.",
        )
    return document


def _put(document: dict[str, Any], registry: str, login: Login) -> None:
    given = base64.b64encode(f"{login.user}:{login.password.reveal()}".encode()).decode()
    document["auths"] = {**(document.get("auths") or {}), registry: {"auth": given}}
    if document.get("credsStore") or document.get("credHelpers"):
        # A login that stands in the file counts only where no helper is named, and an empty name is none. Source:
        # github.com/docker/cli, cli/config/configfile/file.go
        document["credHelpers"] = {**(document.get("credHelpers") or {}), registry: ""}


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
