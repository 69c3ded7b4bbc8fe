"""The launcher part of an Azure agent's ``dagster.yaml``. Pure.

Keys: dagster_cloud/workspace/aca/launcher.py and dagster_azure/container_apps/container_context.py of dagster-cloud
1.13.27. There is none for tags: what the agent makes is known by the environment that it is in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from agent.azure_spec import AzureAgentSpec, memory
from agent.dagster_yaml import AGENT_TOKEN_VARIABLE
from agent.launchers import Launcher, shared_configuration

_APPS: Final = ".azurecontainerapps.io"
"""Where Container Apps are reached: https://learn.microsoft.com/azure/container-apps/connect-apps"""


@dataclass(frozen=True)
class AzureCodePlace:
    """Where in Azure code servers and runs live."""

    subscription: str
    resource_group: str
    environment: str
    """The name of the Container Apps environment."""
    location: str
    identity_id: str
    """The user-assigned identity of code: not the agent's, whose rights are for starting and ending containers."""
    identity_client_id: str
    """By which Azure's libraries choose that identity."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """The stack's own variables for code; those of the settings go before."""


def azure_launcher(spec: AzureAgentSpec, place: AzureCodePlace) -> Launcher:
    """Dagster's own launcher: a container app for each code server, a job for each run."""
    # with values: a bare name would be taken from the agent's environment, whose identity is another one
    variables = {
        **place.variables,
        **proxy_environment(spec),
        **spec.environment,
        "AZURE_CLIENT_ID": place.identity_client_id,
    }
    config = {
        **shared_configuration(spec),
        "subscription_id": place.subscription,
        "resource_group": place.resource_group,
        "environment_name": place.environment,
        "region": place.location,
        "identity_id": place.identity_id,
        # code asks Dagster+ with the agent's token, whose value the launcher takes from the agent's environment; it
        # has no other way than plain variables of apps and jobs
        "env_vars": [AGENT_TOKEN_VARIABLE, *(f"{name}={value}" for name, value in sorted(variables.items()))],
        # the launcher's own pair, 0.5 and 2.0Gi, is none that Azure knows
        "server_resources": _size(spec.server_cpu),
        "run_resources": _size(spec.run_cpu),
        "run_job_replica_timeout": spec.run_timeout_seconds,
        "agent_metrics": {"enabled": spec.agent_metrics},
        "code_server_metrics": {"enabled": spec.code_server_metrics},
    }
    return Launcher("dagster_cloud.workspace.aca", "AcaUserCodeLauncher", config)


def proxy_environment(spec: AzureAgentSpec) -> dict[str, str]:
    """Of agent and code alike; empty without a proxy. Code servers have names below the environment's own domain."""
    return spec.proxy.environment(_APPS) if spec.proxy else {}


def _size(cpu: float) -> dict[str, str]:
    return {"cpu": f"{cpu:g}", "memory": memory(cpu)}
