"""What a stack needs whose agent runs containers: an engine that answers, a client that builds, a registry that takes
the login. Nothing is changed; the registry is asked one thing, read-only."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Final

from hybrid.containers.docker import Docker
from hybrid.errors import HybridError
from hybrid.toolchain.doctor import Finding
from hybrid.toolchain.pulumi import Pulumi

ENGINE: Final = "docker engine"
BUILDER: Final = "docker builds"
REGISTRY: Final = "registry"
PLUGIN: Final = "docker plugin"

Ask = Callable[[str], object]
"""Asks a registry for an image by its reference, with docker's login; raises ``HybridError`` when it is refused."""

# a repository that every stack with images has, and a tag that none has
_PROBE: Final = "hybrid-agent:asked-by-doctor"


def check_containers(environ: Mapping[str, str], address: str | None, ask: Ask) -> list[Finding]:
    """``environ`` is the person's; ``address`` the stack's ``hybrid:registry``, None: it has none."""
    return [_engine(environ), _builder(environ), *([] if address is None else [_registry(address, ask)])]


def check_plugin(environ: Mapping[str, str], pulumi: Pulumi | None) -> Finding:
    """Pulumi's docker plugin, which stands up network, volume and the agent's container."""
    return plugin_finding("docker", PLUGIN, version("pulumi-docker"), environ, pulumi)


def plugin_finding(
    plugin: str, name: str, wanted: str, environ: Mapping[str, str], pulumi: Pulumi | None, *, built_by: str = ""
) -> Finding:
    """One of Pulumi's plugins; ``name`` is the finding's, ``built_by`` the command of ours that builds it. Where Pulumi
    was downloaded it gets its plugins itself; where it had to be built nothing can be downloaded from its servers."""
    program = f"pulumi-resource-{plugin}"
    if (on_path := shutil.which(program, path=environ.get("PATH"))) is not None:
        return Finding(name, "ok", f"{on_path}, from PATH")
    if pulumi is not None and (beside := shutil.which(program, path=str(pulumi.bin_folder))) is not None:
        return Finding(name, "ok", f"{beside}, built here")
    kept = Path(environ.get("PULUMI_HOME") or Path.home() / ".pulumi") / "plugins"
    prefix = f"resource-{plugin}-v"
    found = sorted(path.name for path in kept.glob(f"{prefix}*") if path.is_dir())
    if found:
        return Finding(name, "ok", found[-1].removeprefix(prefix))
    if pulumi is None or pulumi.origin != "build":
        return Finding(name, "ok", "got by Pulumi on first use")
    return Finding(
        name,
        "missing",
        "Pulumi's servers, from which it comes, were out of reach when Pulumi was built here",
        f"{f'`{built_by}`; or, ' if built_by else ''}where they can be reached: "
        f"pulumi plugin install resource {plugin} {wanted}",
    )


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
