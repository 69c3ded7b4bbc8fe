"""What must hold in Azure before an Azure stack's program makes anything."""

from __future__ import annotations

from agent.azure_names import STACK_TAG, AzureNames
from hybrid.azure.ground import Problem, Wanted, problems
from hybrid.azure.session import Azure
from hybrid.errors import SettingsError
from stacks.azure_settings import AzureSettings


def check(names: AzureNames, settings: AzureSettings) -> None:
    """Ask Azure, reading only. Raises ``SettingsError`` that names everything that stands in the way, ``AzureError``
    without a login, ``ToolchainError`` without Azure's libraries."""
    wanted = Wanted(
        group=names.resource_group,
        own_group=settings.resource_group is None,
        location=names.location,
        environment=names.environment,
        stack=names.base,
        tag=STACK_TAG,
    )
    found = problems(Azure(names.subscription, settings.tenant), wanted)
    if found:
        raise _in_the_way(found)


def _in_the_way(found: list[Problem]) -> SettingsError:
    return SettingsError(
        "The stack cannot stand in this subscription as it is. Nothing was made.",
        why="\n".join(f"  {problem.what}" for problem in found),
        next_step="\n".join(f"  {problem.next_step}" for problem in found).strip(),
    )
