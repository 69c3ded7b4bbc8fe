"""The Docker engine as the stand-ins for platforms use it (`tests/standins/ecs`, `kubelet`, `azure`): everything that a
lab makes has the lab's label, and is gone by it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import docker
from docker.errors import APIError, ImageNotFound, NotFound

_SECONDS: Final = 180


@dataclass(frozen=True)
class LabNetwork:
    """Where the containers of a lab are; its gateway is this machine."""

    name: str
    subnet: str
    gateway: str
    label: str
    """On each container, network and volume of the lab."""


class LabEngine:
    """A client of its own: give each thread one. ``environ`` has DOCKER_HOST where this process's has it not."""

    def __init__(self, network: LabNetwork, environ: Mapping[str, str] | None = None) -> None:
        self._network = network
        self._api = docker.from_env(timeout=_SECONDS, environment=None if environ is None else dict(environ)).api

    def clear(self) -> None:
        """Remove whatever a lab has left, and nothing else."""
        mine = {"label": self._network.label}
        for found in self._api.containers(all=True, filters=mine):
            self.remove(found["Id"])
        for found in self._api.networks(filters=mine):
            with contextlib.suppress(NotFound):
                self._api.remove_network(found["Id"])
        for found in self._api.volumes(filters=mine)["Volumes"] or []:
            with contextlib.suppress(NotFound):
                self._api.remove_volume(found["Name"], force=True)

    def make_network(self) -> None:
        pool = docker.types.IPAMPool(subnet=self._network.subnet, gateway=self._network.gateway)
        ipam = docker.types.IPAMConfig(pool_configs=[pool])
        self._api.create_network(self._network.name, driver="bridge", ipam=ipam, labels={self._network.label: "1"})

    def joined(self, *names: str) -> Any:
        """The ``networking_config`` of a container with an address of its own, which others resolve by ``names``."""
        endpoint = self._api.create_endpoint_config(aliases=list(names))
        return self._api.create_networking_config({self._network.name: endpoint})

    def address(self, container: str) -> str:
        found = self._api.inspect_container(container)["NetworkSettings"]["Networks"][self._network.name]
        return str(found["IPAddress"])

    def pull_fault(self, image: str, login: Mapping[str, str] | None = None) -> str:
        """Pull ``image``; what the registry said if it could not be had. ``login``: None takes this machine's, an empty
        one none."""
        name, tag = _parts(image)
        auth = {} if login is None else {"auth_config": dict(login)}
        try:
            for line in self._api.pull(name, tag=tag, stream=True, decode=True, **auth):
                if "error" in line:
                    return str(line["error"])
        except (APIError, ImageNotFound) as error:
            return explained(error)
        return ""

    def state(self, container: str) -> dict[str, Any] | None:
        """Docker's; None for a container that is not there, which was killed."""
        try:
            state: dict[str, Any] = self._api.inspect_container(container)["State"]
        except NotFound:
            return None
        return state

    def stop(self, container: str, seconds: int) -> None:
        """SIGTERM, and SIGKILL after ``seconds``."""
        with contextlib.suppress(NotFound, APIError):
            self._api.stop(container, timeout=seconds)

    def remove(self, container: str) -> None:
        with contextlib.suppress(NotFound, APIError):
            self._api.remove_container(container, force=True, v=True)

    def output(self, container: str, **how: Any) -> Iterable[bytes]:
        """Its output in pieces; ``how``: what docker's ``logs`` takes. Nothing of one that is not there."""
        with contextlib.suppress(NotFound, APIError):
            pieces: Iterator[bytes] = self._api.logs(container, stream=True, **how)
            yield from pieces


def exit_code(state: Mapping[str, Any] | None) -> int | None:
    """None while it has not ended."""
    if state is None:
        return 137
    return int(state["ExitCode"]) if state["Status"] in ("exited", "dead") else None


def explained(error: APIError) -> str:
    return str(error.explanation or error)


def _parts(image: str) -> tuple[str, str]:
    if "@" in image:
        name, _, digest = image.partition("@")
        return re.sub(r":[^/:]+$", "", name), digest
    name, colon, tag = image.rpartition(":")
    return (name, tag) if colon and "/" not in tag else (image, "latest")
