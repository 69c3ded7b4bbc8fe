"""A registry on a loopback port with a password made at run time."""

from __future__ import annotations

import base64
import json
import os
import secrets
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.containers import client
from tests.containers.home import ContainersError, Home, end, process_of, write
from tests.containers.packages import need, obtainable, which
from tests.ports import free_port

IMAGE: Final = "registry:2"
CONTAINER: Final = "dagster-hybrid-test-registry"
_USER: Final = "hybrid"
_SECONDS: Final = 30.0
_LOOK: Final = 0.05


@dataclass(frozen=True)
class Registry:
    """Images are named ``{address}/…``."""

    address: str
    username: str
    password: str
    way: str
    """``process`` of Debian's docker-registry, or ``container`` of registry:2."""

    def answers(self) -> bool:
        return self.status("/v2/") == 200

    def status(self, path: str, method: str = "GET") -> int:
        """The code of an answer; 0 when nobody answers."""
        login = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        accepted = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.index.v1+json"
        request = urllib.request.Request(
            f"http://{self.address}{path}",
            method=method,
            headers={"Authorization": f"Basic {login}", "Accept": accepted},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=5) as answer:
                code: int = answer.status
                return code
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0


def start(home: Home, docker: str, environ: Mapping[str, str], port: int | None) -> Registry:
    """Start a registry, on ``port`` when it is still free: what it holds keeps its name."""
    folder = home.path / "registry"
    folder.mkdir(exist_ok=True)
    stop(home, docker, environ)
    address = f"127.0.0.1:{_free(port)}"
    if obtainable(environ):
        need(["docker-registry", "htpasswd"], environ)
    way = "process" if which("docker-registry", environ) else "container"
    registry = Registry(address, _USER, secrets.token_urlsafe(18), way)
    write(folder / "htpasswd", _hashed(registry, docker, environ))
    if way == "process":
        _start_process(folder, registry, environ)
    else:
        _start_container(folder, registry, docker, environ)
    _write_login(home, registry, environ)
    until = time.monotonic() + _SECONDS
    while not registry.answers():
        if time.monotonic() > until:
            raise ContainersError(f"The registry does not answer at {address}; its log is {folder / 'registry.log'}.")
        time.sleep(_LOOK)
    return registry


def stop(home: Home, docker: str, environ: Mapping[str, str]) -> None:
    """End the registry that was started here."""
    folder = home.path / "registry"
    if running := process_of(folder / "registry.pid", str(folder / "config.json")):
        end(running, 10)
    (folder / "registry.pid").unlink(missing_ok=True)
    if home.notes().get("registry", {}).get("way") == "container":
        client.run(docker, environ, "rm", "--force", "--volumes", CONTAINER)


def _free(port: int | None) -> int:
    """``port`` if nobody listens there, else another."""
    if port is None:
        return free_port()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a server that just ended leaves it in TIME_WAIT
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return free_port()
    return port


def _start_process(folder: Path, registry: Registry, environ: Mapping[str, str]) -> None:
    settings = {
        "version": 0.1,
        "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}, "delete": {"enabled": True}},
        "http": {"addr": registry.address},
        "auth": {"htpasswd": {"realm": "hybrid tests", "path": str(folder / "htpasswd")}},
    }
    write(folder / "config.json", json.dumps(settings, indent=2))  # JSON is YAML, which it reads
    with (folder / "registry.log").open("ab") as log:
        process = subprocess.Popen(
            [which("docker-registry", environ) or "docker-registry", "serve", str(folder / "config.json")],
            env={"PATH": environ.get("PATH", os.defpath)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
        )
    write(folder / "registry.pid", str(process.pid))


def _start_container(folder: Path, registry: Registry, docker: str, environ: Mapping[str, str]) -> None:
    """As a container: the password file is copied in, because a remote engine mounts no folder of ours."""
    variables = {
        "REGISTRY_STORAGE_DELETE_ENABLED": "true",
        "REGISTRY_AUTH_HTPASSWD_REALM": "hybrid tests",
        "REGISTRY_AUTH_HTPASSWD_PATH": "/etc/docker/registry/htpasswd",
    }
    given = [part for name, value in variables.items() for part in ("--env", f"{name}={value}")]
    port = registry.address.partition(":")[2]
    client.run(
        docker,
        environ,
        "create",
        "--name",
        CONTAINER,
        "--publish",
        f"127.0.0.1:{port}:5000",
        *given,
        IMAGE,
        seconds=300,
    )
    client.run(docker, environ, "cp", str(folder / "htpasswd"), f"{CONTAINER}:/etc/docker/registry/htpasswd")
    client.run(docker, environ, "start", CONTAINER)


def _hashed(registry: Registry, docker: str, environ: Mapping[str, str]) -> str:
    """A line of an htpasswd file. The password goes by standard input: arguments are seen by everybody."""
    arguments = ["-n", "-i", "-B", registry.username]
    tool = which("htpasswd", environ)
    if tool is None:
        return client.run(
            docker, environ, "run", "--rm", "-i", "--entrypoint", "htpasswd", "httpd:2", *arguments,
            said=registry.password, seconds=300,
        )  # fmt: skip
    done = subprocess.run([tool, *arguments], input=registry.password, capture_output=True, text=True, check=True)
    return done.stdout.strip() + "\n"


def _write_login(home: Home, registry: Registry, environ: Mapping[str, str]) -> None:
    """Docker's settings with the login. They replace the user's, whose plugins (buildx) are still found."""
    home.docker_config.mkdir(mode=0o700, exist_ok=True)
    auth = base64.b64encode(f"{registry.username}:{registry.password}".encode()).decode()
    own = Path(environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "cli-plugins"
    settings: dict[str, object] = {"auths": {registry.address: {"auth": auth}}}
    if own.is_dir() and own.parent != home.docker_config:
        settings["cliPluginsExtraDirs"] = [str(own)]
    write(home.docker_config / "config.json", json.dumps(settings, indent=2))
