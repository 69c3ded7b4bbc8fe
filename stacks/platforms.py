"""The platform of a stack, by the kind of its agent. Each is imported only when a stack has it: SDKs are large."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module

from agent.azure_spec import AzureAgentSpec
from agent.docker_spec import DockerAgentSpec
from agent.ecs_spec import EcsAgentSpec
from agent.kubernetes_spec import KubernetesAgentSpec
from agent.spec import LocalAgentSpec
from hybrid.azure.libraries import require_libraries
from hybrid.delivery.catalog import CodeLocationFolder
from hybrid.workspace import Workspace
from stacks.identity import StackIdentity
from stacks.platform import Platform
from stacks.standby import standing_by


def platform_of(who: StackIdentity, workspace: Workspace, folders: tuple[CodeLocationFolder, ...]) -> Platform:
    """Raises the platform's own errors, such as a Docker engine that does not answer, or credentials of another AWS
    account, and ``ToolchainError`` for an SDK that is not installed."""
    who = _as_it_stands(who)
    match who.settings.agent:
        case LocalAgentSpec() as spec:
            from stacks.local import LocalPlatform

            return LocalPlatform(who, workspace, spec)
        case DockerAgentSpec() as spec:
            from stacks.docker import DockerPlatform

            return DockerPlatform.of(who, workspace, spec)
        case EcsAgentSpec() as spec:
            from stacks.ecs import EcsPlatform

            return EcsPlatform.of(who, workspace, spec, folders)
        case KubernetesAgentSpec():
            from stacks.kubernetes import KubernetesPlatform

            return KubernetesPlatform.of(who, workspace, folders)
        case AzureAgentSpec() as spec:
            require_libraries()
            from stacks.azure import AzurePlatform

            return AzurePlatform.of(who, workspace, spec, folders)


def load(kind: str) -> None:
    """Import the module of the platform of agents of this ``kind``, with its SDK, before ``platform_of`` does."""
    import_module(f"stacks.{kind}")


def _as_it_stands(who: StackIdentity) -> StackIdentity:
    """With the agent that is to be made, so that no platform can make another."""
    settings = who.settings
    if not settings.stands_by:
        return who
    return replace(who, settings=settings.model_copy(update={"agent": standing_by(settings.agent)}))
