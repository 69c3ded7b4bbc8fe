"""The Docker engine as a lab uses it: everything with the lab's label, and gone by it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from docker.errors import APIError, NotFound

from tests.containers.lab_engine import LabEngine, LabNetwork, exit_code, explained
from tests.standins.ecs import reasons
from tests.standins.ecs.place import GATEWAY, LABEL, NETWORK, SUBNET, TASK_LABEL
from tests.standins.ecs.task_containers import TaskContainer, docker_health_check

_NETWORK: Final = LabNetwork(NETWORK, SUBNET, GATEWAY, LABEL)
"""Its gateway, this machine, is the address at which tasks ask for credentials."""
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


class Engine(LabEngine):
    """A client of its own: give each thread one."""

    def __init__(self) -> None:
        super().__init__(_NETWORK)

    def pull(self, image: str, shown: str, architecture: str) -> None:
        """Pull ``image``, as Fargate does each time; ``shown`` is its name in the task definition.

        Raises CannotStartError when it cannot be had, or is for another processor than ``architecture`` (ECS's word).
        """
        if said := self.pull_fault(image):
            raise reasons.pull(shown, said)
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
            raise reasons.container(one.name, explained(error)) from error
        return str(made["Id"])

    def of_its_own(self, hostname: str, alias: str | None) -> dict[str, Any]:
        """An address of its own, and ``alias`` as a name that the other containers resolve."""
        return {"mode": NETWORK, "hostname": hostname, "config": self.joined(*([alias] if alias else []))}

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
            raise reasons.container(name, explained(error)) from error

    def seen(self, container: str) -> Seen:
        """A container that is not there was killed."""
        state = self.state(container)
        if state is None:
            return Seen(False, 137, "UNKNOWN", False)
        health = {"healthy": "HEALTHY", "unhealthy": "UNHEALTHY"}.get(state.get("Health", {}).get("Status"), "UNKNOWN")
        return Seen(state["Running"], exit_code(state), health, bool(state.get("OOMKilled")))

    def log(self, container: str) -> Iterator[bytes]:
        """Its output, line by line as it comes, to its end."""
        rest = b""
        for chunk in self.output(container, follow=True):
            *lines, rest = (rest + chunk).split(b"\n")
            yield from lines
        if rest:
            yield rest


def joined(container: str) -> dict[str, Any]:
    """The network of another container: what the containers of a task share."""
    return {"mode": f"container:{container}"}
