"""Every ``dagster.yaml`` of an agent in Azure is loaded by Dagster's own instance code and its stock launcher.

It proves that keys and types are the agent's, and that the launcher reads the values meant. Nothing is asked of Azure.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from dagster import DagsterInstance
from dagster._core.storage.noop_compute_log_manager import NoOpComputeLogManager
from dagster_azure.blob import AzureBlobComputeLogManager
from dagster_azure.container_apps.container_context import AcaContainerContext
from dagster_cloud.instance import DagsterCloudAgentInstance
from dagster_cloud.storage.compute_logs import CloudComputeLogManager
from dagster_cloud.workspace.aca import AcaUserCodeLauncher
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as some

from agent.azure_launcher import AzureCodePlace
from agent.azure_spec import AzureAgentSpec
from agent.azure_task import AzureAgentText, LogsContainer, dagster_yaml
from agent.dagster_yaml import AGENT_TOKEN_VARIABLE

pytestmark = pytest.mark.contracts

TOKEN = "agent:acme:" + "5" * 32
PLACE = AzureCodePlace(
    subscription="00000000-1111-2222-3333-444444444444",
    resource_group="hybrid-prod",
    environment="hybrid-prod",
    location="westeurope",
    identity_id="/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/code",
    identity_client_id="c0de",
)
SAID = AzureAgentText(
    "hybrid-prod", "prod", "https://acme.agent.dagster.cloud", "a6e47", logs=LogsContainer("acmevalues", "logs")
)
CPUS = some.integers(1, 16).map(lambda quarters: quarters / 4)
CHOICES: dict[str, some.SearchStrategy[Any]] = {
    "branchDeployments": some.booleans(),
    "allowedLocations": some.just(["orders"]),
    "queues": some.just({"additional": ["gpu"]}),
    "serverTtl": some.just({"fullDeployments": {"enabled": True, "ttlSeconds": 600}}),
    "startupTimeoutSeconds": some.integers(60, 600),
    "serverCpu": CPUS,
    "runCpu": CPUS,
    "runTimeoutSeconds": some.integers(60, 86400),
    "environment": some.just({"STAGE": "prod"}),
    "isolated": some.booleans(),
    "computeLogs": some.sampled_from(["dagster-plus", "container", "off"]),
    "proxy": some.just({"url": "http://proxy.acme.example:3128", "exceptFor": ["acme.example"]}),
    "agentMetrics": some.booleans(),
    "codeServerMetrics": some.booleans(),
}
REACHED = {
    "subscription_id", "resource_group", "environment_name", "region", "identity_id", "env_vars", "server_resources",
    "run_resources", "run_job_replica_timeout", "server_process_startup_timeout", "agent_metrics",
    "code_server_metrics", "server_ttl", "direct_snapshot_uploads", "upload_snapshots_on_startup",
}  # fmt: skip
NOT_REACHED = {
    "requires_healthcheck": "it makes the agent write a file that a probe of Azure cannot look for",
    "defer_job_snapshots": "Dagster has done away with it",
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(AGENT_TOKEN_VARIABLE, TOKEN)
    return tmp_path


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.generate],
)
@given(spec=some.fixed_dictionaries({}, optional=CHOICES).map(AzureAgentSpec.model_validate))
def test_dagster_loads_every_rendering_and_reads_what_was_meant(home: Path, spec: AzureAgentSpec) -> None:
    (home / "dagster.yaml").write_text(dagster_yaml(spec, PLACE, SAID), encoding="utf-8")
    with DagsterInstance.from_config(str(home)) as instance:
        assert isinstance(instance, DagsterCloudAgentInstance)
        launcher: Any = instance.user_code_launcher
        assert type(launcher) is AcaUserCodeLauncher, "Dagster+ knows agents by the stock launcher's name"
        assert instance.dagster_cloud_agent_token == TOKEN
        assert launcher._server_process_startup_timeout == spec.startup_timeout_seconds
        assert (launcher._subscription_id, launcher._resource_group) == (PLACE.subscription, PLACE.resource_group)
        assert (launcher._environment_name, launcher._region) == (PLACE.environment, PLACE.location)
        assert launcher._identity_id == PLACE.identity_id
        assert launcher._run_job_replica_timeout == spec.run_timeout_seconds
        assert launcher.agent_metrics_enabled is spec.agent_metrics
        assert launcher.code_server_metrics_enabled is spec.code_server_metrics
        resources = launcher._server_resources(_context(launcher))
        assert (resources.cpu, resources.memory) == (spec.server_cpu, f"{spec.server_cpu * 2:g}Gi")
        variables = _context(launcher).get_environment_dict()
        assert variables[AGENT_TOKEN_VARIABLE] == TOKEN, "code has no other way to it"
        assert variables["AZURE_CLIENT_ID"] == "c0de"
        assert set(spec.environment) <= set(variables)
        if spec.proxy is not None:
            assert variables["HTTPS_PROXY"] == spec.proxy.url
            assert ".azurecontainerapps.io" in variables["NO_PROXY"].split(","), "code servers ask each other directly"
            assert "http_proxy" not in {name for name in variables if name.islower()}, "gRPC reads the small ones"
            assert instance.dagster_cloud_api_proxies == {"http": spec.proxy.url, "https": spec.proxy.url}
        kinds = {"container": AzureBlobComputeLogManager, "off": NoOpComputeLogManager}
        manager: Any = instance.compute_log_manager
        assert type(manager) is kinds.get(spec.compute_logs, CloudComputeLogManager)
        if isinstance(manager, AzureBlobComputeLogManager):
            assert (manager._storage_account, manager._container) == ("acmevalues", "logs")


def _context(launcher: Any) -> AcaContainerContext:
    return AcaContainerContext(
        env_vars=launcher.env_vars,
        run_resources=launcher.run_resources,
        server_resources=launcher.server_resources,
        identity_id=launcher._identity_id,
        run_job_replica_timeout=launcher._run_job_replica_timeout,
    )


def test_every_key_of_the_launcher_is_reached_by_the_settings_or_left_out_with_a_reason() -> None:
    spec = AzureAgentSpec.model_validate({"serverTtl": {"fullDeployments": {"enabled": True}}})
    said = set(yaml.safe_load(dagster_yaml(spec, PLACE, SAID))["user_code_launcher"]["config"])
    known = set(AcaUserCodeLauncher.config_type())
    assert said == REACHED, "what is rendered"
    assert known - said == set(NOT_REACHED), "a key of a new release is offered, or left out with a reason"


def test_the_agents_own_variables_win_over_a_locations() -> None:
    """A finding about the launcher, which docs/azure.md tells: on other platforms it is the other way round."""
    agents = AcaContainerContext(
        env_vars=["STAGE=agent"], run_resources={}, server_resources={}, identity_id=None, run_job_replica_timeout=None
    )
    merged = agents.merge(AcaContainerContext.create_from_config({"aca": {"env_vars": ["STAGE=location"]}}))
    assert merged.get_environment_dict()["STAGE"] == "agent"
