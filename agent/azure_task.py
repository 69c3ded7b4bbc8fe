"""The agent's own container in Azure Container Apps: a stock image, to which its settings come as text and its token
from Key Vault. Pure.

Keys: `properties.template` of a container app, https://learn.microsoft.com/azure/templates/microsoft.app/containerapps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from agent.azure_launcher import AzureCodePlace, azure_launcher, proxy_environment
from agent.azure_spec import AzureAgentSpec, memory
from agent.compute_logs import in_container, in_dagster_plus, nowhere
from agent.dagster_yaml import AGENT_TOKEN_VARIABLE, render

CONTAINER: Final = "agent"
TOKEN_SECRET: Final = "agent-token"  # noqa: S105 - the secret's name
"""In the app, and in Key Vault."""

SETTINGS_VARIABLE: Final = "HYBRID_DAGSTER_YAML"
GENERATION_VARIABLE: Final = "HYBRID_GENERATION"

_HOME: Final = "/tmp/dagster"  # noqa: S108 - the image's user may write nowhere else
_SENTINELS: Final = "/tmp/dagster-sentinels"  # noqa: S108
_START: Final = (
    "set -eu; umask 077; "
    'mkdir -p "$DAGSTER_HOME" "$DAGSTER_CLOUD_AGENT_SENTINEL_DIR"; '
    f'printf \'%s\' "${SETTINGS_VARIABLE}" > "$DAGSTER_HOME/dagster.yaml"; unset {SETTINGS_VARIABLE}; '
    'exec dagster-cloud agent run "$DAGSTER_HOME"'
)


@dataclass(frozen=True)
class LogsContainer:
    """A blob container and its storage account."""

    account: str
    name: str


@dataclass(frozen=True)
class AzureAgentText:
    """What the agent is told, beside its settings."""

    label: str
    deployment: str
    url: str
    """Where Dagster+ answers agents."""
    identity_client_id: str
    """Of the agent's own identity. An app with user-assigned identities alone gets a token of none without it."""
    token_version: str = ""
    """Another one starts the agent anew: a secret of an app that changes does not."""
    locations: int = 1
    """How many it serves, for its time-outs."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Further variables of the agent alone."""
    logs: LogsContainer | None = None
    """Where the output of steps goes, if `computeLogs` is `container`."""


def dagster_yaml(spec: AzureAgentSpec, place: AzureCodePlace, said: AzureAgentText) -> str:
    """The agent's settings. The token is not in them."""
    return render(
        spec,
        azure_launcher(spec, place),
        url=said.url,
        label=said.label,
        deployment=said.deployment,
        compute_logs=_compute_logs(spec, said),
        full_deployment=spec.full_deployment,
        proxies=spec.proxy.to_dagster_plus if spec.proxy else None,
    )


def _compute_logs(spec: AzureAgentSpec, said: AzureAgentText) -> dict[str, Any]:
    match spec.compute_logs:
        case "container":
            if said.logs is None:
                raise TypeError("an agent whose logs go to a container is told which")
            return in_container(said.logs.account, said.logs.name, spec.log_upload_interval_seconds)
        case "off":
            return nowhere()
    return in_dagster_plus(spec.log_upload_interval_seconds)


def agent_container(spec: AzureAgentSpec, place: AzureCodePlace, said: AzureAgentText) -> dict[str, Any]:
    """The container, in the words of Azure Resource Manager. It has no probe: Azure's are HTTP and TCP, of which the
    agent answers neither. Whether it works, Dagster+ tells."""
    environment = {
        "AZURE_CLIENT_ID": said.identity_client_id,
        "DAGSTER_HOME": _HOME,
        "DAGSTER_CLOUD_AGENT_SENTINEL_DIR": _SENTINELS,  # the launcher has no default for it
        "PYTHONUNBUFFERED": "1",
        "DAGSTER_CLOUD_AGENT_CPU_LIMIT": f"{spec.cpu:g}",
        "DAGSTER_CLOUD_AGENT_MEMORY_LIMIT": memory(spec.cpu),
        **spec.timing(said.locations).environment(),
        **({GENERATION_VARIABLE: generation} if (generation := _generation(spec, said)) else {}),
        **said.environment,
        **proxy_environment(spec),
        **spec.environment,
        SETTINGS_VARIABLE: dagster_yaml(spec, place, said),
    }
    variables: list[dict[str, str]] = [{"name": name, "value": value} for name, value in sorted(environment.items())]
    return {
        "name": CONTAINER,
        "image": spec.image,
        "command": ["/bin/sh", "-c"],
        "args": [_START],
        "env": [*variables, {"name": AGENT_TOKEN_VARIABLE, "secretRef": TOKEN_SECRET}],
        "resources": {"cpu": spec.cpu, "memory": memory(spec.cpu)},
    }


def _generation(spec: AzureAgentSpec, said: AzureAgentText) -> str:
    counted = f"restart {spec.restarts}" if spec.restarts else ""
    return ", ".join(part for part in (counted, f"token {said.token_version}" if said.token_version else "") if part)
