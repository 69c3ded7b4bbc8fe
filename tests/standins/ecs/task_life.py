"""The life of one task, in a thread of its own: from PROVISIONING to STOPPED, as its containers have it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Mapping
from typing import Any, Final

from tests.standins.ecs import engine, reasons, world
from tests.standins.ecs.engine import Engine
from tests.standins.ecs.execution_role import ExecutionRole
from tests.standins.ecs.gaps_of_tasks import now
from tests.standins.ecs.log_shipping import LogShipper
from tests.standins.ecs.place import ENDPOINT, Place
from tests.standins.ecs.record import Lines
from tests.standins.ecs.task_containers import TaskContainer, containers_of

_LOOK: Final = 0.25
_DEPENDENCY_SECONDS: Final = 120.0


class TaskLife:
    """Runs moto's ``task`` to its end."""

    def __init__(self, task: Any, definition: Any, place: Place, events: Lines) -> None:
        self.task = task
        self.definition = definition
        self._place, self._events = place, events
        self._containers: dict[str, str] = {}
        """Docker's id by name; the one that only holds the network is ``""``."""
        self._shippers: list[LogShipper] = []
        self._volumes: dict[str, str] = {}
        self._registered: Any = None

    @property
    def task_role(self) -> str | None:
        """RunTask may name another one than the definition does; so it may the execution role."""
        found: str | None = self.task.overrides.get("taskRoleArn") or self.definition.task_role_arn
        return found

    @property
    def execution_role(self) -> str | None:
        found: str | None = self.task.overrides.get("executionRoleArn") or self.definition.execution_role_arn
        return found

    def start(self) -> None:
        threading.Thread(target=self._run, daemon=True, name=f"task {self.task.id}").start()

    def _run(self) -> None:
        self._engine = Engine()
        began = time.monotonic()
        try:
            self._start()
            self._say("task running", seconds=round(time.monotonic() - began, 2))
            self._live()
        except reasons.CannotStartError as error:
            self._stop_because("TaskFailedToStart", str(error))
        except Exception as error:
            self._stop_because("TaskFailedToStart", f"InternalError: the lab failed: {type(error).__name__}: {error}")
        finally:
            self._end()

    def _start(self) -> None:
        task, definition = self.task, self.definition
        with world.CHANGED:
            task.last_status = "PENDING"
            task.checked = any(one.get("healthCheck") for one in definition.container_definitions)
            for given in {self.task_role, self.execution_role}:
                if given is not None and not world.is_taken_by_tasks(given, task.task_arn, task.region_name):
                    raise reasons.role(given)
        role = ExecutionRole(self.execution_role, task.id, task.region_name)
        containers = containers_of(definition, task.overrides)
        secrets = {one.name: {name: role.secret(where) for name, where in one.secrets.items()} for one in containers}
        images = {one.name: role.pull_permission(one.image, self._place.registry) for one in containers}
        clients = {one.name: role.log_stream(one.log, self._stream(one)) for one in containers if one.log is not None}
        architecture = (definition.runtime_platform or {}).get("cpuArchitecture") or "X86_64"
        for image, shown in {images[one.name]: one.image for one in containers}.items():
            self._engine.pull(image, shown, architecture)
        self._make_volumes()
        first = self._hold_network(containers)
        for one in containers:
            self._start_container(
                one, images[one.name], secrets[one.name], first or self._alone(), clients.get(one.name)
            )
        self._is_running()

    def _hold_network(self, containers: list[TaskContainer]) -> Mapping[str, Any] | None:
        """Several containers share the network of one that does nothing else; one has its own."""
        if len(containers) == 1:
            return None
        pause = TaskContainer(
            name="pause", image=self._place.pause_image, essential=True, environment={}, secrets={},
            command=["infinity"], entry_point=["sleep"], health_check=None, stop_timeout=0, memory=None, log=None,
            depends_on={}, mounts={},
        )  # fmt: skip
        held = self._engine.create(
            pause, pause.image, name=f"{self._name}-pause", task_id=self.task.id, environment={},
            network=self._alone(), volumes={}, memory=None,
        )  # fmt: skip
        self._containers[""] = held
        self._engine.start(held, "pause")
        return engine.joined(held)

    def _start_container(
        self, one: TaskContainer, image: str, secrets: Mapping[str, str], network: Mapping[str, Any], logs: Any
    ) -> None:
        for other, condition in one.depends_on.items():
            self._wait_for(other, condition)
        id_ = self._engine.create(
            one,
            image,
            name=f"{self._name}-{one.name}",
            task_id=self.task.id,
            environment={**one.environment, **secrets, **self._given_environment(one.name)},
            network=network,
            volumes=self._volumes,
            memory=one.memory or (int(self.definition.memory) if self.definition.memory else None),
        )
        self._containers[one.name] = id_
        self._engine.start(id_, one.name)
        if logs is not None and one.log is not None:
            shipper = LogShipper(logs, one.log["awslogs-group"], self._stream(one), id_)
            shipper.start()
            self._shippers.append(shipper)

    def _wait_for(self, other: str, condition: str) -> None:
        until = time.monotonic() + _DEPENDENCY_SECONDS
        while time.monotonic() < until:
            seen = self._engine.seen(self._containers[other])
            if condition == "START" or (condition == "HEALTHY" and seen.health == "HEALTHY"):
                return
            if seen.exit_code is not None and condition == "COMPLETE":
                return
            if seen.exit_code is not None and condition == "SUCCESS" and seen.exit_code == 0:
                return
            if seen.exit_code is not None or self.task.desired_status == "STOPPED":
                break
            time.sleep(_LOOK)
        raise reasons.container(other, f"dependency did not become {condition}")

    def _make_volumes(self) -> None:
        for volume in self.definition.volumes or []:
            shared = (volume.get("efsVolumeConfiguration") or {}).get("fileSystemId")
            name = f"ecs-lab-{shared}" if shared else f"{self._name}-{volume['name']}"
            self._engine.make_volume(name)
            self._volumes[volume["name"]] = name

    def _is_running(self) -> None:
        task = self.task
        address = self._engine.address(next(iter(self._containers.values())))
        with world.CHANGED:
            for attachment in task.attachments:
                for detail in attachment["details"]:
                    if detail["name"] == "privateIPv4Address":
                        detail["value"] = address
            for container in task.containers:
                container.last_status = "RUNNING"
                container.runtime_id = self._containers[container.name]
                container.network_interfaces = [{"privateIpv4Address": address}]
            task.last_status, task.started_at, task.connectivity = "RUNNING", now(), "CONNECTED"
            self._register(address)
            world.CHANGED.notify_all()

    def _live(self) -> None:
        essential = {one["name"] for one in self.definition.container_definitions if one.get("essential", True)}
        while self.task.desired_status == "RUNNING":
            seen = {name: self._engine.seen(id_) for name, id_ in self._containers.items() if name}
            with world.CHANGED:
                self._take_in(seen)
                ended = [name for name in essential if seen[name].exit_code is not None]
                if ended and self.task.desired_status == "RUNNING":
                    self._stop_because("EssentialContainerExited", "Essential container in task exited")
                world.CHANGED.notify_all()
            time.sleep(_LOOK)

    def _take_in(self, seen: Mapping[str, engine.Seen]) -> None:
        checked = {one["name"] for one in self.definition.container_definitions if one.get("healthCheck")}
        for container in self.task.containers:
            state = seen[container.name]
            if state.exit_code is not None:
                container.last_status, container.exitCode = "STOPPED", state.exit_code
                if state.out_of_memory:
                    container.reason = "OutOfMemoryError: Container killed due to memory usage"
            if container.name in checked:
                container.health_status = state.health
        of_checked = {seen[name].health for name in checked}
        if of_checked:
            worst = "UNHEALTHY" if "UNHEALTHY" in of_checked else "UNKNOWN" if "UNKNOWN" in of_checked else "HEALTHY"
            self.task.health_status = worst

    def _stop_because(self, code: str, reason: str) -> None:
        with world.CHANGED:
            if self.task.desired_status != "STOPPED":
                self.task.desired_status, self.task.stop_code, self.task.stopped_reason = "STOPPED", code, reason
            world.CHANGED.notify_all()

    def _end(self) -> None:
        task = self.task
        began = time.monotonic()
        with world.CHANGED:
            task.last_status, task.stopping_at = "DEACTIVATING", now()
            self._deregister()
            task.last_status = "STOPPING"
            world.CHANGED.notify_all()
        timeouts = {one.name: one.stop_timeout for one in containers_of(self.definition, task.overrides)}
        stopping = [
            threading.Thread(target=Engine().stop, args=(id_, timeouts[name]), daemon=True)
            for name, id_ in self._containers.items()
            if name
        ]
        for one in stopping:
            one.start()
        for one in stopping:
            one.join()
        for shipper in self._shippers:
            shipper.join(10)
        seen = {name: self._engine.seen(id_) for name, id_ in self._containers.items() if name}
        for id_ in reversed(list(self._containers.values())):
            self._engine.remove(id_)
        for volume, name in self._volumes.items():
            if name == f"{self._name}-{volume}":
                self._engine.remove_volume(name)
        self._is_stopped(seen)
        self._say("task stopped", seconds=round(time.monotonic() - began, 2), code=task.stop_code,
                  reason=task.stopped_reason, exits={name: one.exit_code for name, one in seen.items()})  # fmt: skip

    def _is_stopped(self, seen: Mapping[str, engine.Seen]) -> None:
        task = self.task
        with world.CHANGED:
            for container in task.containers:
                container.last_status = "STOPPED"
                if container.name in seen:
                    container.exitCode = seen[container.name].exit_code
            for attachment in task.attachments:
                attachment["status"] = "DELETED"
                details = {detail["name"]: detail["value"] for detail in attachment["details"]}
                with contextlib.suppress(Exception):  # whoever deleted the subnet took it with it
                    world.ec2(task.region_name).delete_network_interface(details["networkInterfaceId"])
            task.last_status, task.stopped_at, task.execution_stopped_at = "STOPPED", now(), now()
            world.CHANGED.notify_all()

    def _register(self, address: str) -> None:
        for service_id, _ in self._registries():
            attributes = {"AWS_INSTANCE_IPV4": address}
            world.cloud_map(self.task.region_name).register_instance(service_id, self.task.id, "", attributes)
            self._registered = service_id

    def _deregister(self) -> None:
        if self._registered is not None:
            with contextlib.suppress(Exception):  # the agent deregisters instances too
                world.cloud_map(self.task.region_name).deregister_instance(self._registered, self.task.id)

    def _registries(self) -> list[tuple[str, str]]:
        """Cloud Map's service and the name that it gives the task, for each registry of its ECS service."""
        service = getattr(self.task, "service", None)
        cloud_map = world.cloud_map(self.task.region_name)
        found = []
        for registry in service.service_registries if service else []:
            entry = cloud_map.get_service(registry["registryArn"].split("/")[-1])
            found.append((entry.id, f"{entry.name}.{cloud_map.get_namespace(entry.namespace_id).name}"))
        return found

    def _alone(self) -> dict[str, Any]:
        with world.CHANGED:
            alias = next((name for _, name in self._registries()), None)
        return self._engine.of_its_own(self._name, alias)

    def _given_environment(self, container: str) -> dict[str, str]:
        """What Fargate sets; and the endpoint, which only a lab needs."""
        region = self.task.region_name
        given = {
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
            "ECS_CONTAINER_METADATA_URI_V4": f"{ENDPOINT}/v4/{self.task.id}/{container}",
            "AWS_ENDPOINT_URL": ENDPOINT,
        }
        if self.task_role:
            given["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = f"/v2/credentials/{self.task.id}"
        return given

    def _stream(self, one: TaskContainer) -> str:
        prefix = (one.log or {}).get("awslogs-stream-prefix", "")
        return f"{prefix}/{one.name}/{self.task.id}"

    @property
    def _name(self) -> str:
        return f"ecs-lab-{self.task.id[:13]}"

    def _say(self, what: str, **more: Any) -> None:
        self._events.event(what, task=self.task.id, family=self.definition.family, group=self.task.group, **more)
