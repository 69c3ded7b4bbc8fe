"""The platform of a stack by the kind of its agent. Each is imported only when a stack has it: SDKs are large."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from agent.spec import AzureAgentSpec, DockerAgentSpec, EcsAgentSpec, KubernetesAgentSpec, LocalAgentSpec

if TYPE_CHECKING:
    from hybrid.engine.stack import Stack
    from hybrid.platforms.commands import PlatformCommands
    from hybrid.plus import PlusClient


def _no_plus() -> PlusClient:
    raise TypeError("nothing is to be asked of Dagster+ here")


def commands_of(
    stack: Stack, report: Callable[[str], None] = lambda _: None, plus: Callable[[], PlusClient] = _no_plus
) -> PlatformCommands:
    """``report`` and ``plus``: ``PlatformCommands``. Without ``plus`` what asks Dagster+ cannot be done."""
    match stack.who.settings.agent:
        case LocalAgentSpec() as spec:
            from hybrid.platforms.local import LocalCommands

            return LocalCommands(stack, report, plus, spec)
        case DockerAgentSpec() as spec:
            from hybrid.platforms.docker import DockerCommands

            return DockerCommands(stack, report, plus, spec)
        case EcsAgentSpec() as spec:
            from hybrid.platforms.ecs import EcsCommands

            return EcsCommands(stack, report, plus, spec)
        case KubernetesAgentSpec() as spec:
            from hybrid.platforms.kubernetes import KubernetesCommands

            return KubernetesCommands(stack, report, plus, spec)
        case AzureAgentSpec() as spec:
            from hybrid.platforms.azure import AzureCommands

            return AzureCommands(stack, report, plus, spec)
