"""The settings of an agent in Azure Container Apps; each of its code servers is a container app, each run a job.

What the launcher can be told was read in dagster_cloud/workspace/aca/launcher.py and
dagster_azure/container_apps/{launcher,container_context}.py of dagster-cloud 1.13.27, where it is called beta.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Final, Literal

from pydantic import AfterValidator, Field, model_validator

from agent.any_spec import DAY, AnyAgentSpec
from agent.azure_timing import AzureTiming, timing
from agent.docker_spec import ImageReference
from agent.proxy import PROXY_VARIABLES, Proxy

AGENT_VERSION: Final = "1.13.27"
"""The dagster-cloud of the default agent image: the one that this project's tests hold its settings against."""

AGENT_IMAGE: Final = f"docker.io/dagster/dagster-cloud-agent:{AGENT_VERSION}"

LONGEST_STOP: Final = 600
"""The longest that Container Apps waits after SIGTERM, in seconds:
https://learn.microsoft.com/azure/container-apps/application-lifecycle-management"""

_FOR_THE_CONTAINER: Final = {
    "dagster-azure": "by it runs write the output of steps, as `hybrid:agent.computeLogs` is `container`"
}
_STEP: Final = 0.25
_NOT_ON_AZURE: Final = {
    "replicas": "Azure runs one; a second one would start all code servers again",
    "memoryMib": "Azure fixes the memory by the processors: 2 GiB each; say `cpu`",
    "serverResources": "say `serverCpu`; the memory is 2 GiB a processor",
    "runResources": "say `runCpu`; the memory is 2 GiB a processor",
    "secrets": "the launcher knows no secrets of Key Vault; code reads them by its identity, or takes them from "
    "environment variables of Dagster+",
    "codeArchitecture": "Container Apps run amd64 alone",
}
_OURS: Final = {
    "DAGSTER_CLOUD_AGENT_TOKEN": "the token comes from Key Vault",
    "DAGSTER_HOME": "the stack decides where the agent lives in its container",
    "HYBRID_DAGSTER_YAML": "it is the agent's settings, which the stack writes",
    "HTTP_PROXY": "use `proxy`",
    "HTTPS_PROXY": "use `proxy`",
    "NO_PROXY": "use `proxy`",
    "AZURE_CLIENT_ID": "the stack says by which identity the agent and code speak to Azure",
}


def _is_a_size(cpu: float) -> float:
    if cpu % _STEP:
        raise ValueError("Container Apps have processors by quarters: 0.25, 0.5, 0.75, 1, … 4")
    return cpu


Cpu = Annotated[float, Field(ge=_STEP, le=4), AfterValidator(_is_a_size)]


def memory(cpu: float) -> str:
    """What Azure pairs with so many processors, as it spells it: ``1Gi`` for 0.5. Other pairs are refused on the
    Consumption profile, which is where the launcher's apps and jobs are:
    https://learn.microsoft.com/azure/container-apps/containers#allocations"""
    return f"{cpu * 2:g}Gi"


class AzureAgentSpec(AnyAgentSpec):
    """An agent in Azure Container Apps; its code servers are container apps, its runs are jobs."""

    makes_registry: ClassVar[bool] = True
    makes_bucket: ClassVar[bool] = True
    needs_organization: ClassVar[bool] = True
    cloud: ClassVar[str | None] = "azure"
    no_reader: ClassVar[str | None] = (
        "In Azure no identity that only reads can preview it: whoever may read container apps reads the agent's token "
        "in them, and a preview asks for the key of the workspace that logs go to."
    )
    image_platforms: ClassVar[tuple[str, ...]] = ("linux/amd64",)

    not_here: ClassVar[Mapping[str, str]] = _NOT_ON_AZURE
    own_variables: ClassVar[Mapping[str, str]] = _OURS

    kind: Literal["azure"] = "azure"
    """The platform on which the agent lives. `azure`: Azure Container Apps."""

    image: ImageReference = AGENT_IMAGE
    """The agent's image, for amd64, with `dagster-cloud[aca]` in it. One in the stack's registry is pulled by the
    agent's identity; others must be public. Default: Dagster's own, of the release that the settings are made for."""

    cpu: Cpu = 0.5
    """Processors of the agent, by quarters; the memory is 2 GiB a processor. Default 0.5: with 1 GiB, of which the
    agent takes about 200 MB."""

    server_cpu: Cpu = 0.5
    """Processors of each code server; the memory is 2 GiB a processor. Default 0.5; a location says its own in
    `container_context.aca.server_resources`, with `cpu` and `memory`."""

    run_cpu: Cpu = 1.0
    """Processors of each run; the memory is 2 GiB a processor. Default 1; a location says its own in
    `container_context.aca.run_resources`, with `cpu` and `memory`."""

    run_timeout_seconds: int = Field(default=DAY, ge=60, le=30 * DAY)
    """How long a run may take before Azure ends its job, in seconds. Default 86400, a day, which is Dagster's own;
    Azure knows no job without an end."""

    stop_timeout_seconds: int = Field(default=120, ge=10, le=LONGEST_STOP)
    """How long the agent may take to stop before it is killed, in seconds. Default 120: it deletes its code servers
    first. Killed, it leaves them to its successor, or to `down`."""

    restarts: int = Field(default=0, ge=0)
    """Raise it to start the agent anew without another change; every location is redeployed. Default 0."""

    isolated: bool = True
    """Whether requests are bound to the agent that started them (Dagster's `isolated_agents`). Default true: while
    Azure replaces the agent, two are up, and each answers for its own code servers alone."""

    full_deployment: bool = True
    """Whether the agent serves the stack's full deployment. Default true; false, with `branchDeployments`, makes an
    agent for branch deployments alone."""

    compute_logs: Literal["dagster-plus", "container", "off"] = "dagster-plus"
    """Where the output of steps goes. Default dagster-plus, where people read it; `container` keeps it in a container
    of its own of the stack's storage account (`azure.storage.logsContainer`) and shows its address, and needs
    dagster-azure in every location's image; `off` captures none, so that it is in the Log Analytics workspace alone."""

    proxy: Proxy | None = None
    """A proxy to the outside, for agent, code servers and runs. Default: none."""

    agent_metrics: bool = False
    """Whether the agent's processor and memory use goes with its heartbeats. Default false, which is Dagster's own."""

    code_server_metrics: bool = False
    """Whether each code server's processor and memory use is sent too. Default false, which is Dagster's own."""

    @property
    def code_platform(self) -> str | None:
        return self.image_platforms[0]

    def timing(self, locations: int = 1) -> AzureTiming:
        """All time-outs of an agent with ``locations`` locations."""
        return timing(server_start=self.startup_timeout_seconds, locations=locations)

    def locations_ready_seconds(self, locations: int) -> int:
        return self.timing(locations).locations_ready

    @property
    def variable_names(self) -> frozenset[str]:
        return frozenset({*self.environment, *(PROXY_VARIABLES if self.proxy else ())})

    @property
    def packages(self) -> Mapping[str, str]:
        return _FOR_THE_CONTAINER if self.compute_logs == "container" else {}

    @model_validator(mode="after")
    def _serves_something(self) -> AzureAgentSpec:
        if not self.full_deployment and not self.branch_deployments:
            raise ValueError(
                "the agent would serve no deployment; set `branchDeployments: true` or leave `fullDeployment` true"
            )
        return self
