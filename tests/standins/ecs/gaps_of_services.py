"""What moto's ECS has otherwise than AWS about services and clusters (moto 5.2.5). Each function closes one gap and
says which."""

from __future__ import annotations

from typing import Any, Final

from moto.core.exceptions import JsonRESTError
from moto.ecs import models, responses
from moto.ecs.exceptions import InvalidParameterException

from tests.standins.ecs import deployments
from tests.standins.ecs.gaps_of_tasks import now
from tests.standins.ecs.patching import Gap, Patch

_Backend = models.EC2ContainerServiceBackend
_KEPT: Final = {
    "deploymentConfiguration": "deployment_configuration",
    "enableExecuteCommand": "enable_execute_command",
    "enableECSManagedTags": "enable_ecs_managed_tags",
    "healthCheckGracePeriodSeconds": "health_check_grace_period_seconds",
    "capacityProviderStrategy": "capacity_provider_strategy",
    "availabilityZoneRebalancing": "availability_zone_rebalancing",
    "serviceConnectConfiguration": "service_connect_configuration",
}
_BEGINS_A_DEPLOYMENT: Final = (
    "task_definition",
    "network_configuration",
    "capacity_provider_strategy",
    "platform_version",
    "service_registries",
    "enable_execute_command",
    "force_new_deployment",
)


def a_service_keeps_its_settings(patch: Patch) -> None:
    """CreateService drops the deployment configuration, ECS Exec and more, which DescribeServices shows on AWS."""
    original = responses.EC2ContainerServiceResponse.create_service

    def create_service(self: Any) -> Any:
        given = original(self)
        service = given.result["service"]
        for theirs, ours in _KEPT.items():
            if (value := self._get_param(theirs)) is not None:
                setattr(service, ours, value)
        if getattr(service, "deployment_configuration", None) is None:
            service.deployment_configuration = {"maximumPercent": 200, "minimumHealthyPercent": 100}
        return given

    patch.set(responses.EC2ContainerServiceResponse, "create_service", create_service)


def a_service_begins_with_nothing_running(patch: Patch) -> None:
    """A service has no time of creation, and counts from an environment variable rather than from tasks."""
    original = models.Service.__init__

    def begin(self: Any, *args: Any, **more: Any) -> None:
        original(self, *args, **more)
        self.created_at = now()
        self.running_count, self.pending_count = 0, 0

    patch.set(models.Service, "__init__", begin)


def a_name_is_one_services(patch: Patch) -> None:
    """CreateService replaces a service of the same name; AWS refuses while it is active or draining."""
    original = _Backend.create_service

    def create_service(self: Any, cluster_str: str, service_name: str, *args: Any, **more: Any) -> Any:
        there = self.services.get(f"{self._get_cluster(cluster_str).name}:{service_name}")
        if there and there.status == "ACTIVE":
            raise InvalidParameterException("Creation of service was not idempotent.")
        if there and there.status == "DRAINING":
            raise InvalidParameterException("Unable to Start a service that is still Draining.")
        return original(self, cluster_str, service_name, *args, **more)

    patch.set(_Backend, "create_service", create_service)


def an_update_is_a_deployment(patch: Patch) -> None:
    """UpdateService sets runningCount to desiredCount, keeps the task definition as it was spelt, begins no deployment
    and updates services that were deleted."""
    original = _Backend.update_service

    def update_service(self: Any, properties: dict[str, Any]) -> Any:
        service = self._get_service(properties.get("cluster", "default"), properties["service"])
        if service.status != "ACTIVE":
            raise JsonRESTError("ServiceNotActiveException", "Service was not ACTIVE.")
        begins = any(properties.get(name) for name in _BEGINS_A_DEPLOYMENT)
        properties.pop("force_new_deployment", None)  # it would rename the deployment that is there
        counts = service.running_count, service.pending_count
        original(self, properties)
        service.running_count, service.pending_count = counts
        if service.task_definition:
            service.task_definition = self.describe_task_definition(service.task_definition).arn
        if begins:
            deployments.begin(service)
        deployments.primary(service)["desiredCount"] = service.desired_count
        return service

    patch.set(_Backend, "update_service", update_service)


def a_deleted_service_drains(patch: Patch) -> None:
    """DeleteService makes a service INACTIVE while its tasks run, and ListServices goes on listing it."""
    remove, listed = _Backend.delete_service, _Backend.list_services

    def delete_service(self: Any, cluster_name: str, service_name: str, force: bool) -> Any:
        service = remove(self, cluster_name, service_name, force)
        service.status, service.desired_count = "DRAINING", 0
        return service

    def list_services(self: Any, *args: Any, **more: Any) -> list[str]:
        active = {service.arn for service in self.services.values() if service.status == "ACTIVE"}
        return [arn for arn in listed(self, *args, **more) if arn in active]

    patch.set(_Backend, "delete_service", delete_service)
    patch.set(_Backend, "list_services", list_services)


def a_cluster_in_use_stays(patch: Patch) -> None:
    """DeleteCluster takes a cluster with services and tasks."""
    original = _Backend.delete_cluster

    def delete_cluster(self: Any, cluster_str: str) -> Any:
        cluster = self._get_cluster(cluster_str)
        if any(one.cluster_name == cluster.name and one.status == "ACTIVE" for one in self.services.values()):
            raise JsonRESTError(
                "ClusterContainsServicesException", "The Cluster cannot be deleted while Services are active."
            )
        if any(task.last_status != "STOPPED" for task in self.tasks.get(cluster.name, {}).values()):
            raise JsonRESTError(
                "ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active."
            )
        return original(self, cluster_str)

    patch.set(_Backend, "delete_cluster", delete_cluster)


GAPS: Final = tuple(
    Gap(close)
    for close in (
        a_service_keeps_its_settings,
        a_service_begins_with_nothing_running,
        a_name_is_one_services,
        an_update_is_a_deployment,
        a_deleted_service_drains,
        a_cluster_in_use_stays,
    )
)
