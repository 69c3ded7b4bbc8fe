"""A rehearsal's containers: this machine's engine, and a registry that nobody else has."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hybrid.containers.docker import Docker
from hybrid.containers.host import address_from_containers
from hybrid.containers.labels import STACK_LABEL
from hybrid.delivery.images.reference import Reference
from hybrid.delivery.images.registry import Registry
from hybrid.errors import UsageError
from hybrid.switch.rehearsal_stack import NAMESPACE

_REPOSITORIES: Final = "rehearsal"
"""Below it the registry gets the rehearsals' images, beside whatever else it has."""
_OF_DOCKER: Final = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY", "BUILDX_BUILDER")
_ENDS_SECONDS: Final = 120.0


@dataclass(frozen=True)
class RehearsalContainers:
    """``registry`` is where images go, with a path; ``host`` this machine as containers reach it."""

    docker: Docker
    registry: str
    host: str

    @classmethod
    def found(cls, environ: Mapping[str, str], registry: str) -> RehearsalContainers:
        """Raises ``EngineAbsent`` or ``EngineTooOld``, and ``RegistryUnreachable`` when nobody answers at
        ``registry``: a build takes minutes, and is not to be in vain."""
        docker = Docker.find(environ, building=True)
        Registry(environ).digest(f"{registry}/nothing")
        return cls(docker, registry, address_from_containers(docker))

    @property
    def reached_at(self) -> tuple[str, ...]:
        """Where the rehearsal's Dagster+ listens beside the loopback address, to which Docker Desktop's name leads."""
        return (self.host,) if self.host[0].isdigit() else ()

    def variables(self, given: Mapping[str, str], config: Mapping[str, Any]) -> dict[str, str]:
        """What the commands of the rehearsal get besides: docker's own settings, by which its engine and its logins are
        found, and the build secrets that the stack names (``env:NAME``)."""
        home = Path(given.get("HOME") or Path.home())
        kept = {name: given[name] for name in (*_OF_DOCKER, *_secrets_named(config)) if name in given}
        return {**kept, "DOCKER_CONFIG": given.get("DOCKER_CONFIG") or str(home / ".docker")}

    def sweep(self, stack: str) -> None:
        """Whatever a rehearsal of the name has on the engine: containers, then what they were on. Images stay: the next
        one builds only what has changed."""
        run, label = self.docker.run, f"label={STACK_LABEL}={stack}"
        found = {each for by in (label, f"network=hybrid-{stack}") for each in self._listed("ps", "--all", by)}
        if found:
            run("rm", "--force", "--volumes", *sorted(found), seconds=_ENDS_SECONDS, check=False)
        for kind in ("network", "volume"):
            if left := self._listed(kind, "ls", label):
                run(kind, "rm", *left, check=False)

    def _listed(self, *words: str) -> list[str]:
        *command, condition = words
        return self.docker.lines(*command, "--quiet", "--filter", condition)


def name_of_rehearsal(checkout: Path, stack: str) -> str:
    """The stack's name in a rehearsal with containers: those are named by it, on an engine that may have the real stack
    and rehearsals of other checkouts. The same each time, so that what was left is found."""
    named = f"{checkout.resolve()}\n{stack}"
    return f"rehearsal-{hashlib.sha256(named.encode()).hexdigest()[:12]}"


def registry_of_rehearsal(given: str | None, config: Mapping[str, Any]) -> str:
    """``given`` by a person, as HOST:PORT, else the host of the stack's own registry; ``config`` is that of the stack
    file. Raises ``UsageError`` for one that is not on this machine: a rehearsal pushes nothing to where others pull."""
    own = config.get(f"{NAMESPACE}registry")
    named = given or str((own or {}).get("address", "") if isinstance(own, Mapping) else "")
    host = named.strip("/").partition("/")[0]
    if not host or not Reference.parse(f"{host}/{_REPOSITORIES}").is_loopback:
        raise UsageError(
            f"A rehearsal pushes images to a registry of this machine only, not to '{host}'."
            if host
            else "A rehearsal with containers needs a registry of this machine.",
            why="What it pushes is nobody's release, and the team's registry is not touched.",
            next_step="start one, `docker run --detach --publish 127.0.0.1:5000:5000 registry:2`, and give "
            "`--registry 127.0.0.1:5000`.",
        )
    return f"{host}/{_REPOSITORIES}"


def _secrets_named(config: Mapping[str, Any]) -> list[str]:
    images = config.get(f"{NAMESPACE}images")
    secrets = images.get("secrets") if isinstance(images, Mapping) else None
    sources = secrets.values() if isinstance(secrets, Mapping) else ()
    return [str(each).removeprefix("env:") for each in sources if str(each).startswith("env:")]


__all__ = ["RehearsalContainers", "name_of_rehearsal", "registry_of_rehearsal"]
