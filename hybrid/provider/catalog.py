"""All resource types of this provider, by token. Each module is imported when the engine first speaks of its type:
what a stack does not use costs no start-up."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, Final

from hybrid.provider.definition import PACKAGE
from hybrid.provider.resource import Resource

_CLIENTS: Final = ("connection", "Clients")
_IMAGES: Final = ("location_image", "Images")
_DOORS: Final = ("ecs_place", "Doors")
_AZURE: Final = ("azure_place", "AzureDoors")
_LAUNCHING: Final = ("ecs_launch_check", "Launching")
_CLUSTERS: Final = ("kubernetes_place", "Doors")
_CLUSTER_LAUNCHING: Final = ("kubernetes_launch_check", "Launching")

# The type's name in its token, its module here, its class, and what the resources of an update share.
_LISTED: Final[tuple[tuple[str, str, str, tuple[str, str] | None], ...]] = (
    ("Process", "process", "Process", None),
    ("VirtualEnvironment", "virtual_environment", "VirtualEnvironment", None),
    ("AgentToken", "agent_token", "AgentTokenResource", _CLIENTS),
    ("CodeLocation", "code_location", "CodeLocation", _CLIENTS),
    ("EnvironmentVariable", "environment_variable", "EnvironmentVariableResource", _CLIENTS),
    ("DeploymentSettings", "deployment_settings", "DeploymentSettings", _CLIENTS),
    ("AlertPolicy", "alert_policy", "AlertPolicy", _CLIENTS),
    ("BuildFile", "build_file", "BuildFile", None),
    ("LocationCheck", "location_check", "LocationCheck", None),
    ("LocationImage", "location_image", "LocationImage", _IMAGES),
    ("PublishedImage", "published_image", "PublishedImage", _IMAGES),
    ("AgentReady", "agent_ready", "AgentReady", _CLIENTS),
    ("AgentDrain", "agent_drain", "AgentDrain", _CLIENTS),
    ("ContainerSweep", "container_sweep", "ContainerSweep", None),
    ("ContainerState", "container_state", "ContainerState", None),
    ("EcsServiceState", "ecs_service_state", "EcsServiceState", _DOORS),
    ("EcsDrain", "ecs_drain", "EcsDrain", _DOORS),
    ("EcsLaunchCheck", "ecs_launch_check", "EcsLaunchCheck", _LAUNCHING),
    ("KubernetesAgentState", "kubernetes_agent_state", "KubernetesAgentState", _CLUSTERS),
    ("KubernetesDrain", "kubernetes_drain", "KubernetesDrain", _CLUSTERS),
    ("KubernetesLaunchCheck", "kubernetes_launch_check", "KubernetesLaunchCheck", _CLUSTER_LAUNCHING),
    ("AzureDrain", "azure_drain", "AzureDrain", _AZURE),
    ("AzureLaunchCheck", "azure_launch_check", "AzureLaunchCheck", _IMAGES),
)


def resources() -> Mapping[str, Resource]:
    """The types by token."""
    return _Catalog()


class _Catalog(Mapping[str, Resource]):
    def __init__(self) -> None:
        self._listed = {f"{PACKAGE}:index:{name}": (module, kind, shared) for name, module, kind, shared in _LISTED}
        self._made: dict[str, Resource] = {}
        self._shared: dict[tuple[str, str], object] = {}
        self._lock = threading.Lock()

    def __getitem__(self, token: str) -> Resource:
        with self._lock:
            if token not in self._made:
                module, kind, shared = self._listed[token]
                given = () if shared is None else (self._share(*shared),)
                self._made[token] = _of(module, kind)(*given)
            return self._made[token]

    def __iter__(self) -> Iterator[str]:
        return iter(self._listed)

    def __len__(self) -> int:
        return len(self._listed)

    def __contains__(self, token: object) -> bool:
        return token in self._listed

    def _share(self, module: str, name: str) -> object:
        if (module, name) not in self._shared:
            self._shared[module, name] = _of(module, name)()
        return self._shared[module, name]


def _of(module: str, name: str) -> Any:
    return getattr(import_module(f"hybrid.provider.{module}"), name)
