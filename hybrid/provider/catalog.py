"""All resource types of this provider, by token."""

from __future__ import annotations

from hybrid.provider.agent_drain import AgentDrain
from hybrid.provider.agent_ready import AgentReady
from hybrid.provider.agent_token import AgentTokenResource
from hybrid.provider.alert_policy import AlertPolicy
from hybrid.provider.build_file import BuildFile
from hybrid.provider.code_location import CodeLocation
from hybrid.provider.connection import Clients
from hybrid.provider.container_state import ContainerState
from hybrid.provider.container_sweep import ContainerSweep
from hybrid.provider.deployment_settings import DeploymentSettings
from hybrid.provider.environment_variable import EnvironmentVariableResource
from hybrid.provider.location_check import LocationCheck
from hybrid.provider.location_image import Images, LocationImage
from hybrid.provider.process import Process
from hybrid.provider.published_image import PublishedImage
from hybrid.provider.resource import Resource
from hybrid.provider.virtual_environment import VirtualEnvironment


def resources() -> dict[str, Resource]:
    """The types by token."""
    clients = Clients()
    images = Images()
    listed: tuple[Resource, ...] = (
        Process(),
        VirtualEnvironment(),
        AgentTokenResource(clients),
        CodeLocation(clients),
        EnvironmentVariableResource(clients),
        DeploymentSettings(clients),
        AlertPolicy(clients),
        BuildFile(),
        LocationCheck(),
        LocationImage(images),
        PublishedImage(images),
        AgentReady(clients),
        AgentDrain(clients),
        ContainerSweep(),
        ContainerState(),
    )
    return {resource.definition.token: resource for resource in listed}
