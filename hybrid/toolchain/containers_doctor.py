"""What a stack needs whose agent runs containers: an engine that answers, a client that builds, a registry that takes
the login. Nothing is changed; the registry is asked one thing, read-only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from hybrid.containers.docker import Docker
from hybrid.errors import HybridError
from hybrid.toolchain.doctor import Finding

ENGINE: Final = "docker engine"
BUILDER: Final = "docker builds"
REGISTRY: Final = "registry"

Ask = Callable[[str], object]
"""Asks a registry for an image by its reference, with docker's login; raises ``HybridError`` when it is refused."""

# a repository that every stack with images has, and a tag that none has
_PROBE: Final = "hybrid-agent:asked-by-doctor"


def check_containers(environ: Mapping[str, str], address: str | None, ask: Ask) -> list[Finding]:
    """``environ`` is the person's; ``address`` the stack's ``hybrid:registry``, None: it has none."""
    return [_engine(environ), _builder(environ), *([] if address is None else [_registry(address, ask)])]


def _engine(environ: Mapping[str, str]) -> Finding:
    try:
        info = Docker.find(environ).info()
    except HybridError as error:
        return _missing(ENGINE, error)
    where = environ.get("DOCKER_HOST") or "docker's own default address"
    return Finding(ENGINE, "ok", f"{info.version} ({info.architecture}) at {where}")


def _builder(environ: Mapping[str, str]) -> Finding:
    try:
        docker = Docker.find(environ, building=True)
    except HybridError as error:
        return _missing(BUILDER, error)
    how = "with buildx" if docker.has_buildx else "with the BuildKit of the engine"
    return Finding(BUILDER, "ok", f"{docker.executable}, {how}")


def _registry(address: str, ask: Ask) -> Finding:
    try:
        ask(f"{address}/{_PROBE}")
    except HybridError as error:
        return _missing(REGISTRY, error)
    return Finding(
        REGISTRY, "ok", f"{address} answers and lets this login read; whether it may push is seen by pushing"
    )


def _missing(name: str, error: HybridError) -> Finding:
    return Finding(name, "missing", " ".join(filter(None, (error.what, error.why))), error.next_step)
