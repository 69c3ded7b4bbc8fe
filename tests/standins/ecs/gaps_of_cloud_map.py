"""What moto's Cloud Map has otherwise than AWS (moto 5.2.5). Each function closes one gap and says which."""

from __future__ import annotations

import json
from typing import Any, Final

from moto.core.exceptions import JsonRESTError
from moto.servicediscovery import models, responses

from tests.standins.ecs.patching import Gap, Patch

_Backend = models.ServiceDiscoveryBackend


def services_are_listed_by_namespace(patch: Patch) -> None:
    """ListServices ignores its filters."""

    def list_services(self: Any) -> str:
        asked = json.loads(self.body or "{}").get("Filters", [])
        found = list(self.servicediscovery_backend.list_services())
        for one in asked:
            if one["Name"] == "NAMESPACE_ID":
                found = [service for service in found if service.namespace_id in one["Values"]]
        return json.dumps({"Services": [service.to_json() for service in found]})

    patch.set(responses.ServiceDiscoveryResponse, "list_services", list_services)


def a_service_with_instances_stays(patch: Patch) -> None:
    """DeleteService takes a service that has instances; AWS says ResourceInUse, on which the agent relies."""
    original = _Backend.delete_service

    def delete_service(self: Any, service_id: str) -> None:
        if self.get_service(service_id).instances:
            raise JsonRESTError(
                "ResourceInUse",
                "Service contains registered instances; delete the instances before deleting the service",
            )
        original(self, service_id)

    patch.set(_Backend, "delete_service", delete_service)


def a_namespace_with_services_stays(patch: Patch) -> None:
    """DeleteNamespace takes a namespace that has services."""
    original = _Backend.delete_namespace

    def delete_namespace(self: Any, namespace_id: str) -> str:
        if any(service.namespace_id == namespace_id for service in self.services.values()):
            raise JsonRESTError(
                "ResourceInUse", "Namespace has associated services; delete the services before deleting the namespace"
            )
        return str(original(self, namespace_id))

    patch.set(_Backend, "delete_namespace", delete_namespace)


def a_vpc_may_have_several_namespaces(patch: Patch) -> None:
    """CreatePrivateDnsNamespace takes one namespace a VPC; AWS refuses only a second one of the same name."""
    original = _Backend.create_private_dns_namespace

    def create_private_dns_namespace(self: Any, name: str, creator_request_id: str, description: str, vpc: str,
                                     **more: Any) -> str:  # fmt: skip
        everything = self.namespaces
        self.namespaces = {id_: one for id_, one in everything.items() if (one.name, one.vpc) == (name, vpc)}
        try:
            operation = original(self, name, creator_request_id, description, vpc, **more)
            everything.update(self.namespaces)
        finally:
            self.namespaces = everything
        return str(operation)

    patch.set(_Backend, "create_private_dns_namespace", create_private_dns_namespace)


GAPS: Final = tuple(
    Gap(close)
    for close in (
        services_are_listed_by_namespace,
        a_service_with_instances_stays,
        a_namespace_with_services_stays,
        a_vpc_may_have_several_namespaces,
    )
)
