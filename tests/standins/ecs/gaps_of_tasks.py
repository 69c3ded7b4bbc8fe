"""What moto's ECS has otherwise than AWS about tasks (moto 5.2.5). Each function closes one gap and says which."""

from __future__ import annotations

import datetime
import json
from typing import Any, Final

from moto.ecs import models, responses
from moto.ecs.exceptions import EcsClientException, InvalidParameterException

from tests.standins.ecs.patching import Gap, Patch

_Backend = models.EC2ContainerServiceBackend
_OVERRIDES: Final = 8192
"""https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html"""


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def long_arns_are_a_setting_of_every_account(patch: Patch) -> None:
    """ListAccountSettings is empty until somebody set something; AWS shows what is in effect, which is long ARNs."""
    original = _Backend.list_account_settings

    def list_account_settings(self: Any, name: str | None = None, value: str | None = None) -> list[Any]:
        found = {setting.name: setting for setting in original(self, name, value)}
        for wanted in [name] if name else ["serviceLongArnFormat", "taskLongArnFormat"]:
            if wanted not in found and value in (None, "enabled"):
                found[wanted] = models.AccountSetting(wanted, "enabled")
        return list(found.values())

    patch.set(_Backend, "list_account_settings", list_account_settings)


def only_the_runner_moves_a_task(patch: Patch) -> None:
    """A task is RUNNING when it is made, and each DescribeTasks moves it on towards STOPPED."""

    def last_status(self: Any) -> str:
        return str(self._status)

    def set_last_status(self: Any, value: str) -> None:
        self._status = value

    original = models.Task.__init__

    def begin(self: Any, *args: Any, **more: Any) -> None:
        original(self, *args, **more)
        self._status = "PROVISIONING"
        self.created_at = now()
        self.stopped_reason = None
        self.health_status = "UNKNOWN"
        if not self.launch_type and self.capacity_provider_name:
            self.launch_type = "FARGATE"

    patch.set(models.Task, "__init__", begin)
    patch.set(models.Task, "advance", lambda self: None)
    patch.set(models.Task, "last_status", property(last_status, set_last_status))


def a_task_has_all_its_containers(patch: Patch) -> None:
    """A task has its first container only, which has exit code 0 and is HEALTHY while it is pending."""
    original = models.Task.__init__

    def begin(self: Any, *args: Any, **more: Any) -> None:
        original(self, *args, **more)
        definition = more.get("task_definition") or args[1]
        self.cpu, self.memory = definition.cpu, definition.memory
        self.containers = [_container(self, definition, one) for one in definition.container_definitions]

    patch.set(models.Task, "__init__", begin)


def _container(task: Any, definition: Any, one: dict[str, Any]) -> Any:
    container: Any = models.Container(definition)
    container.name, container.image = one["name"], one["image"]
    container.exitCode, container.last_status, container.health_status = None, "PENDING", "UNKNOWN"
    container.cpu, container.memory = one.get("cpu", 0), one.get("memory")
    container.task_arn = task.task_arn
    container.container_arn = f"{task.task_arn.replace(':task/', ':container/')}/{one['name']}"
    return container


def security_groups_may_be_left_out(patch: Patch) -> None:
    """RunTask and CreateService end with 500 without securityGroups; AWS takes the VPC's default group."""
    begin_task, validate = models.Task.__init__, models.Service._validate_network

    def begin(self: Any, *args: Any, **more: Any) -> None:
        _with_groups(more.get("networking_configuration"))
        begin_task(self, *args, **more)

    def _validate_network(self: Any, given: dict[str, Any]) -> Any:
        _with_groups(given)
        return validate(self, given)

    patch.set(models.Task, "__init__", begin)
    patch.set(models.Service, "_validate_network", _validate_network)


def _with_groups(network: dict[str, Any] | None) -> None:
    if network:
        network["awsvpcConfiguration"].setdefault("securityGroups", [])


def memory_may_be_the_tasks_alone(patch: Patch) -> None:
    """RunTask ends with 500 when only the task has ``memory``, which is how Dagster writes it."""

    def requirements(definition: Any) -> dict[str, Any]:
        return {"CPU": 0, "MEMORY": 0, "PORTS": [], "PORTS_UDP": []}

    patch.set(_Backend, "_calculate_task_resource_requirements", staticmethod(requirements))


def overrides_are_short(patch: Patch) -> None:
    """RunTask takes overrides of any length; AWS takes 8192 characters, in which Dagster hands a run its settings."""
    original = _Backend.run_task

    def run_task(self: Any, cluster_str: str, definition: str, count: int, overrides: Any, *more: Any) -> Any:
        if len(json.dumps(overrides or {}, separators=(",", ":"))) > _OVERRIDES:
            raise InvalidParameterException(f"Container Overrides length must be at most {_OVERRIDES}")
        return original(self, cluster_str, definition, count, overrides, *more)

    patch.set(_Backend, "run_task", run_task)


def tasks_are_listed_by_service_and_status(patch: Patch) -> None:
    """ListTasks ignores ``serviceName``, takes a cluster by a part of its ARN, and lists stopped tasks unasked."""
    original = _Backend.list_tasks

    def list_tasks(
        self: Any,
        cluster_str: str | None = None,
        container_instance: str | None = None,
        family: str | None = None,
        started_by: str | None = None,
        service_name: str | None = None,
        desiredStatus: str | None = None,
    ) -> list[Any]:
        cluster = self._get_cluster(cluster_str or "default")
        found = original(self, cluster_str, container_instance, family, started_by, None, desiredStatus or "RUNNING")
        found = [task for task in found if task.cluster_arn == cluster.arn]
        if service_name:
            found = [task for task in found if task.group == f"service:{service_name.split('/')[-1]}"]
        return found

    patch.set(_Backend, "list_tasks", list_tasks)


def a_task_that_is_not_there_is_a_failure(patch: Patch) -> None:
    """DescribeTasks leaves out what it does not find, and finds tasks of other clusters; AWS names them MISSING."""

    def describe_tasks(self: Any) -> Any:
        backend = self.ecs_backend
        cluster, asked = self._get_param("cluster", "default"), self._get_param("tasks", [])
        backend._get_cluster(cluster)
        if not asked:
            raise InvalidParameterException("Tasks cannot be empty.")
        mine = {task.id: task for task in backend.tasks.get(cluster.split("/")[-1], {}).values()}
        found = [mine[one.split("/")[-1]] for one in asked if one.split("/")[-1] in mine]
        missing = [one for one in asked if one.split("/")[-1] not in mine]
        if "TAGS" in self._get_param("include", []):
            self._include_in_response(responses.DESCRIBE_TASKS_TAGS)
        else:
            self._exclude_from_response(responses.DESCRIBE_TASKS_TAGS)
        failures = [{"arn": _task_arn(backend, cluster, one), "reason": "MISSING"} for one in missing]
        return responses.ActionResult({"tasks": found, "failures": failures})

    patch.set(responses.EC2ContainerServiceResponse, "describe_tasks", describe_tasks)


def _task_arn(backend: Any, cluster: str, one: str) -> str:
    if one.startswith("arn:"):
        return one
    return f"arn:aws:ecs:{backend.region_name}:{backend.account_id}:task/{cluster.split('/')[-1]}/{one}"


def stopping_a_task_takes_time(patch: Patch) -> None:
    """StopTask makes a task STOPPED at once, and ends with 500 for one that is not there."""

    def stop_task(self: Any, cluster_str: str, task_str: str, reason: str | None = None) -> Any:
        tasks = self.tasks.get(self._get_cluster(cluster_str).name, {})
        for task in tasks.values():
            if task.id == task_str.split("/")[-1]:
                if task.desired_status != "STOPPED":
                    task.desired_status, task.stop_code = "STOPPED", "UserInitiated"
                    task.stopped_reason = reason or "Task stopped by user"
                return task
        raise InvalidParameterException("The referenced task was not found.")

    patch.set(_Backend, "stop_task", stop_task)


_FARGATE_MIB: Final[dict[int, tuple[int, ...]]] = {
    256: (512, 1024, 2048),
    512: tuple(range(1024, 4096 + 1, 1024)),
    1024: tuple(range(2048, 8192 + 1, 1024)),
    2048: tuple(range(4096, 16384 + 1, 1024)),
    4096: tuple(range(8192, 30720 + 1, 1024)),
    8192: tuple(range(16384, 61440 + 1, 4096)),
    16384: tuple(range(32768, 122880 + 1, 8192)),
}
"""https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-cpu-memory-error.html"""


def fargate_has_its_sizes(patch: Patch) -> None:
    """RegisterTaskDefinition takes sizes that Fargate lacks, and awslogs or secrets without an execution role."""
    original = _Backend.register_task_definition

    def register_task_definition(self: Any, family: str, container_definitions: Any, **more: Any) -> Any:
        if "FARGATE" in (more.get("requires_compatibilities") or []):
            _hold_against_fargate(container_definitions, more)
        return original(self, family, container_definitions, **more)

    patch.set(_Backend, "register_task_definition", register_task_definition)


def _hold_against_fargate(containers: list[dict[str, Any]], task: dict[str, Any]) -> None:
    cpu, memory = str(task.get("cpu")), str(task.get("memory"))
    if not memory.isdigit() or int(memory) not in _FARGATE_MIB.get(int(cpu) if cpu.isdigit() else 0, ()):
        raise EcsClientException(f"No Fargate configuration exists for given values: {cpu} CPU, {memory} memory.")
    if task.get("network_mode") != "awsvpc":
        raise EcsClientException("Fargate only supports network mode ‘awsvpc’.")  # noqa: RUF001 - AWS's own quotes
    if task.get("execution_role_arn"):
        return
    for container in containers:
        if container.get("logConfiguration", {}).get("logDriver") == "awslogs":
            raise EcsClientException(
                "Fargate requires task definition to have execution role ARN to support log driver awslogs."
            )
        if container.get("secrets"):
            raise EcsClientException("When you are specifying container secrets, you must also specify a value for "
                                     "'executionRoleArn'.")  # fmt: skip


GAPS: Final = tuple(
    Gap(close)
    for close in (
        long_arns_are_a_setting_of_every_account,
        only_the_runner_moves_a_task,
        a_task_has_all_its_containers,
        security_groups_may_be_left_out,
        memory_may_be_the_tasks_alone,
        overrides_are_short,
        tasks_are_listed_by_service_and_status,
        a_task_that_is_not_there_is_a_failure,
        stopping_a_task_takes_time,
        fargate_has_its_sizes,
    )
)
