"""The Docker engine as a lab uses it: everything with the lab's label, and gone by it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import docker
from docker.errors import APIError, ImageNotFound, NotFound

from tests.standins.ecs import reasons
from tests.standins.ecs.place import GATEWAY, LABEL, NETWORK, SUBNET, TASK_LABEL
from tests.standins.ecs.task_containers import TaskContainer, docker_health_check

_MIB: Final = 1024 * 1024
_ARCHITECTURES: Final = {"X86_64": "amd64", "ARM64": "arm64"}


@dataclass(frozen=True)
class Seen:
    """A container's state."""

    running: bool
    exit_code: int | None
    health: str
    """``UNKNOWN``, ``HEALTHY`` or ``UNHEALTHY``."""
    out_of_memory: bool


class Engine:
    """A client of its own: give each thread one."""

    def __init__(self) -> None:
        self._api = docker.from_env(timeout=180).api

    def clear(self) -> None:
        """Remove whatever a lab has left, and nothing else."""
        mine = {"label": LABEL}
        for found in self._api.containers(all=True, filters=mine):
            with contextlib.suppress(NotFound):
                self._api.remove_container(found["Id"], force=True, v=True)
        for found in self._api.networks(filters=mine):
            with contextlib.suppress(NotFound):
                self._api.remove_network(found["Id"])
        for found in self._api.volumes(filters=mine)["Volumes"] or []:
            with contextlib.suppress(NotFound):
                self._api.remove_volume(found["Name"], force=True)

    def make_network(self) -> None:
        """The network whose gateway, this machine, is the credentials address."""
        pool = docker.types.IPAMPool(subnet=SUBNET, gateway=GATEWAY)
        ipam = docker.types.IPAMConfig(pool_configs=[pool])
        self._api.create_network(NETWORK, driver="bridge", ipam=ipam, labels={LABEL: "1"})

    def pull(self, image: str, shown: str, architecture: str) -> None:
        """Pull ``image``, as Fargate does each time; ``shown`` is its name in the task definition.

        Raises CannotStartError when it cannot be had, or is for another processor than ``architecture`` (ECS's word).
        """
        name, tag = _parts(image)
        try:
            for line in self._api.pull(name, tag=tag, stream=True, decode=True):
                if "error" in line:
                    raise reasons.pull(shown, line["error"])
        except (APIError, ImageNotFound) as error:
            raise reasons.pull(shown, _explained(error)) from error
        wanted = _ARCHITECTURES.get(architecture, architecture.lower())
        if self._api.inspect_image(image)["Architecture"] != wanted:
            raise reasons.architecture(wanted)

    def create(
        self,
        one: TaskContainer,
        image: str,
        *,
        name: str,
        task_id: str,
        environment: Mapping[str, str],
        network: Mapping[str, Any],
        volumes: Mapping[str, str],
        memory: int | None,
    ) -> str:
        """Create a task's container. ``network``: what ``joined`` or ``of_its_own`` says. ``memory``: MiB."""
        host = self._api.create_host_config(
            network_mode=network["mode"],
            mem_limit=memory * _MIB if memory else None,
            binds=[f"{volumes[volume]}:{path}:{'ro' if ro else 'rw'}" for path, (volume, ro) in one.mounts.items()],
            read_only=one.read_only,
            init=one.init or None,
            cap_add=list(one.capabilities) or None,
            cap_drop=list(one.dropped) or None,
        )
        try:
            made = self._api.create_container(
                image=image,
                name=name,
                command=list(one.command) if one.command else None,
                entrypoint=list(one.entry_point) if one.entry_point else None,
                environment=dict(environment),
                labels={**one.labels, LABEL: "1", TASK_LABEL: task_id},
                healthcheck=docker_health_check(one.health_check),
                hostname=network.get("hostname"),
                networking_config=network.get("config"),
                host_config=host,
                user=one.user,
                working_dir=one.working_directory,
            )
        except APIError as error:
            raise reasons.container(one.name, _explained(error)) from error
        return str(made["Id"])

    def of_its_own(self, hostname: str, alias: str | None) -> dict[str, Any]:
        """An address of its own, and ``alias`` as a name that the other containers resolve."""
        endpoint = self._api.create_endpoint_config(aliases=[alias] if alias else [])
        return {
            "mode": NETWORK,
            "hostname": hostname,
            "config": self._api.create_networking_config({NETWORK: endpoint}),
        }

    def make_volume(self, name: str) -> None:
        """A volume of the lab; one that is there stays as it is."""
        self._api.create_volume(name, labels={LABEL: "1"})

    def remove_volume(self, name: str) -> None:
        with contextlib.suppress(NotFound):
            self._api.remove_volume(name, force=True)

    def start(self, container: str, name: str) -> None:
        try:
            self._api.start(container)
        except APIError as error:
            raise reasons.container(name, _explained(error)) from error

    def address(self, container: str) -> str:
        found = self._api.inspect_container(container)["NetworkSettings"]["Networks"][NETWORK]
        return str(found["IPAddress"])

    def seen(self, container: str) -> Seen:
        """A container that is not there was killed."""
        try:
            state = self._api.inspect_container(container)["State"]
        except NotFound:
            return Seen(False, 137, "UNKNOWN", False)
        health = {"healthy": "HEALTHY", "unhealthy": "UNHEALTHY"}.get(state.get("Health", {}).get("Status"), "UNKNOWN")
        ended = state["Status"] in ("exited", "dead")
        return Seen(state["Running"], state["ExitCode"] if ended else None, health, bool(state.get("OOMKilled")))

    def stop(self, container: str, seconds: int) -> None:
        with contextlib.suppress(NotFound, APIError):
            self._api.stop(container, timeout=seconds)

    def remove(self, container: str) -> None:
        with contextlib.suppress(NotFound, APIError):
            self._api.remove_container(container, force=True, v=True)

    def log(self, container: str) -> Iterator[bytes]:
        """Its output, line by line as it comes, to its end."""
        rest = b""
        with contextlib.suppress(NotFound, APIError):
            for chunk in self._api.logs(container, stream=True, follow=True):
                *lines, rest = (rest + chunk).split(b"\n")
                yield from lines
        if rest:
            yield rest


def joined(container: str) -> dict[str, Any]:
    """The network of another container: what the containers of a task share."""
    return {"mode": f"container:{container}"}


def _parts(image: str) -> tuple[str, str]:
    if "@" in image:
        name, _, digest = image.partition("@")
        return re.sub(r":[^/:]+$", "", name), digest
    name, colon, tag = image.rpartition(":")
    return (name, tag) if colon and "/" not in tag else (image, "latest")


def _explained(error: APIError) -> str:
    return str(error.explanation or error)
