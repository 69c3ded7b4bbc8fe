"""Standing everything up, and taking it away."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.containers import base_image, client, engine, registry
from tests.containers.home import Home


@dataclass(frozen=True)
class Containers:
    """What stands, and how to reach it."""

    environ: Mapping[str, str]
    """The environment for programs that use it: DOCKER_HOST, DOCKER_CONFIG, PATH, HYBRID_TEST_…"""
    docker: Path
    """A docker command that has BuildKit and reaches the engine."""
    engine: str
    """The engine's version."""
    started: bool
    """Whether the engine was started for tests."""
    registry: str
    """Host and port."""
    username: str
    password: str
    python_image: str
    certificates: Path | None

    def run(self, *arguments: str, seconds: float = 300) -> str:
        """What ``docker arguments`` prints. Raises ContainersError with what it complained of."""
        return client.run(str(self.docker), self.environ, *arguments, seconds=seconds)

    def names(self, *filters: str) -> list[str]:
        """The containers, running or not, that each of ``filters`` (``label=…``, ``network=…``) takes."""
        given = [part for text in filters for part in ("--filter", text)]
        return sorted(self.run("ps", "--all", "--format", "{{.Names}}", *given).split())

    def exported(self) -> dict[str, str]:
        """The variables that `up --export` prints."""
        return {name: self.environ[name] for name in _EXPORTED}


_EXPORTED = (
    "DOCKER_HOST",
    "DOCKER_CONFIG",
    "PATH",
    "HYBRID_TEST_REGISTRY",
    "HYBRID_TEST_PYTHON_IMAGE",
    "HYBRID_TEST_CERTIFICATES",
)


def up(home: Home, environ: Mapping[str, str], *, user: int | None = None) -> Containers:
    """Stand up what is missing. Idempotent, and safe from several processes at once.

    Args:
        user: the process of a session of tests that uses it. Without one it stays until `down`.
    """
    with home.locked():
        notes = home.notes()
        if user is not None:
            home.join(user)
        running = engine.find(home, environ) or engine.start(home, environ)
        notes["engine"] = asdict(running)
        notes["kept"] = bool(notes.get("kept")) or user is None
        home.note(notes)
        reached = {**environ, "DOCKER_HOST": running.host}
        docker = client.building(reached)
        served = _registry(home, docker, reached, notes)
        notes["registry"] = asdict(served)
        image = f"{served.address}/python:{base_image.VERSION}"
        reached["DOCKER_CONFIG"] = str(home.docker_config)
        _python_image(docker, reached, served, image, notes)
        notes["docker"] = docker
        home.note(notes)
        return _containers(home, reached, notes)


def standing(home: Home, environ: Mapping[str, str]) -> Containers | None:
    """What stands, as it was noted; None when an engine or a registry does not answer."""
    notes = home.notes()
    if not all(name in notes for name in ("engine", "registry", "docker", "image")):
        return None
    found = _containers(home, {**environ, "DOCKER_HOST": notes["engine"]["host"]}, notes)
    if not client.answers(str(found.docker), found.environ) or not registry.Registry(**notes["registry"]).answers():
        return None
    return found


def down(home: Home, environ: Mapping[str, str], *, purge: bool = False) -> list[str]:
    """Remove what was stood up, and nothing else. Returns what that was; safe to repeat.

    Args:
        purge: also what would be quick to use again: the engine's data, the registry's images.
    """
    with home.locked():
        return _down(home, environ, purge)


def leave(home: Home, environ: Mapping[str, str], user: int) -> None:
    """A session of tests ends: the last of them takes away what a session stood up."""
    if not home.has(user):
        return
    with home.locked():
        home.leave(user)
        if home.notes() and not home.notes().get("kept") and not home.others():
            _down(home, environ, purge=False)


def _down(home: Home, environ: Mapping[str, str], purge: bool) -> list[str]:
    notes = home.notes()
    host = notes.get("engine", {}).get("host")
    reached = {**environ, "DOCKER_HOST": host} if host else dict(environ)
    docker = notes.get("docker", "docker")
    removed = []
    if host and client.answers(docker, reached):
        removed += _emptied(docker, reached, notes)
        registry.stop(home, docker, reached)
    elif "registry" in notes:
        registry.stop(home, docker, {**reached, "DOCKER_HOST": f"unix://{home.path}/none"})
    if "registry" in notes:
        removed.append(f"registry {notes['registry']['address']}")
    if notes.get("engine", {}).get("started", True):
        engine.stop(home)
        removed += [f"engine {notes['engine']['version']}"] if "engine" in notes else []
    shutil.rmtree(home.docker_config, ignore_errors=True)
    home.note(None)
    if purge:
        for name in ("data", "registry", "bin"):
            shutil.rmtree(home.path / name, ignore_errors=True)
    return removed


def _emptied(docker: str, environ: Mapping[str, str], notes: Mapping[str, Any]) -> list[str]:
    """Of our own engine, every container and network; of another's, only images under our registry's address."""
    removed = []
    if notes["engine"]["started"]:
        if found := client.run(docker, environ, "ps", "--all", "--quiet").split():
            client.run(docker, environ, "rm", "--force", "--volumes", *found, seconds=120)
            removed.append(f"{len(found)} containers")
        if found := client.run(docker, environ, "network", "ls", "--quiet", "--filter", "type=custom").split():
            client.run(docker, environ, "network", "rm", *found)
            removed.append(f"{len(found)} networks")
    elif "registry" in notes:
        pattern = f"reference={notes['registry']['address']}/*"
        deeper = f"reference={notes['registry']['address']}/*/*"
        names = ["image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "--filter", pattern, "--filter", deeper]
        found = [name for name in client.run(docker, environ, *names).split() if not name.endswith(":<none>")]
        if found:
            client.run(docker, environ, "image", "rm", "--force", *found, seconds=120)
            removed.append(f"{len(found)} images")
    return removed


def _registry(home: Home, docker: str, environ: Mapping[str, str], notes: Mapping[str, Any]) -> registry.Registry:
    noted = notes.get("registry")
    if noted and registry.Registry(**noted).answers() and (home.docker_config / "config.json").exists():
        return registry.Registry(**noted)
    last = home.path / "registry" / "port"
    port = int(last.read_text()) if last.exists() else None
    started = registry.start(home, docker, environ, port)
    last.write_text(started.address.partition(":")[2])
    return started


def _python_image(
    docker: str, environ: Mapping[str, str], served: registry.Registry, image: str, notes: dict[str, Any]
) -> None:
    made = {"reference": image, "made_of": base_image.fingerprint()}
    path = f"/v2/python/manifests/{base_image.VERSION}"
    if notes.get("image") != made or served.status(path, "HEAD") != 200 or not _has(docker, environ, image):
        base_image.ensure(docker, environ, image)
    notes["image"] = made


def _has(docker: str, environ: Mapping[str, str], image: str) -> bool:
    return bool(client.run(docker, environ, "image", "ls", "--quiet", image))


def _containers(home: Home, environ: Mapping[str, str], notes: Mapping[str, Any]) -> Containers:
    bundle = base_image.certificates(environ)
    docker = notes["docker"]
    folder = home.path / "bin"
    folder.mkdir(exist_ok=True)
    path = environ.get("PATH", os.defpath)
    if os.path.realpath(shutil.which("docker", path=path) or "") != docker:
        _link(folder / "docker", docker)
        path = os.pathsep.join([str(folder), path])
    variables = {
        "DOCKER_CONFIG": str(home.docker_config),
        "PATH": path,
        "HYBRID_TEST_REGISTRY": notes["registry"]["address"],
        "HYBRID_TEST_PYTHON_IMAGE": notes["image"]["reference"],
        "HYBRID_TEST_CERTIFICATES": str(bundle or ""),
    }
    kept = {name: value for name, value in environ.items() if name != "DOCKER_CONTEXT"}  # it would win over DOCKER_HOST
    return Containers(
        environ={**kept, **variables},
        docker=Path(docker),
        engine=notes["engine"]["version"],
        started=notes["engine"]["started"],
        registry=notes["registry"]["address"],
        username=notes["registry"]["username"],
        password=notes["registry"]["password"],
        python_image=notes["image"]["reference"],
        certificates=bundle,
    )


def _link(link: Path, target: str) -> None:
    part = link.with_name(f".{link.name}.{os.getpid()}")
    part.symlink_to(target)
    part.replace(link)


def official_docker_plugin(environ: Mapping[str, str]) -> str | None:
    """The version of Pulumi's own docker plugin, where it is installed."""
    folder = Path(environ.get("PULUMI_HOME") or Path.home() / ".pulumi") / "plugins"
    found = sorted(folder.glob("resource-docker-v*/pulumi-resource-docker*"))
    return found[-1].parent.name.removeprefix("resource-docker-v") if found else None
