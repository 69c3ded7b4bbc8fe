"""Every ``dagster.yaml`` that can be rendered is loaded by Dagster's own instance code and launcher.

It proves that keys and types are the agent's, and that the agent reads the values meant. It does not prove what the
agent then does with them: that takes a running one. Loading an instance opens no connection.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from dagster._core.errors import DagsterInvalidConfigError
from dagster_cloud.instance import DagsterCloudAgentInstance
from dagster_cloud.storage.compute_logs import CloudComputeLogManager
from dagster_cloud.workspace.docker import DockerUserCodeLauncher
from dagster_cloud.workspace.user_code_launcher import ProcessUserCodeLauncher
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from agent.any_spec import AnyAgentSpec
from agent.dagster_yaml import AGENT_TOKEN_VARIABLE, render
from agent.docker_spec import DockerAgentSpec
from agent.launchers import docker_launcher, process_launcher, stock_process_launcher
from agent.process_launcher import ProcessUserCodeLauncher as WatchingLauncher
from agent.spec import LocalAgentSpec
from tests.contracts.agent_instance import loaded

pytestmark = pytest.mark.contracts

TOKEN = "agent:acme:" + "5" * 32
LABELS = some.from_regex(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,62}", fullmatch=True)
QUEUES = some.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
LOCATIONS = some.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True)
SECONDS = some.integers(min_value=60, max_value=600)


def queues() -> some.SearchStrategy[dict[str, Any]]:
    names = some.lists(QUEUES, unique=True, max_size=3)
    return some.builds(lambda default, more: {"includeDefault": default or not more, "additional": more},
                       some.booleans(), names)  # fmt: skip


def time_to_live() -> some.SearchStrategy[dict[str, Any]]:
    return some.fixed_dictionaries(
        {},
        optional={
            "fullDeployments": some.fixed_dictionaries({"enabled": some.booleans()}, optional={"ttlSeconds": SECONDS}),
            "branchDeployments": some.fixed_dictionaries({}, optional={"ttlSeconds": SECONDS}),
            "maxServers": some.integers(1, 1000),
        },
    )


SHARED: dict[str, some.SearchStrategy[Any]] = {
    "queues": queues(),
    "branchDeployments": some.booleans(),
    "isolated": some.booleans(),
    "allowedLocations": some.none() | some.lists(LOCATIONS, unique=True, max_size=3),
    "startupTimeoutSeconds": SECONDS,
    "serverTtl": some.none() | time_to_live(),
    "directSnapshotUploads": some.booleans(),
    "uploadSnapshotsOnStartup": some.booleans(),
    "logUploadIntervalSeconds": some.none() | SECONDS,
    "apiTimeoutSeconds": SECONDS,
    "apiRetries": some.integers(0, 12),
}
OF_PROCESSES = {"waitForProcesses": some.booleans(), "agentMetrics": some.booleans(),
                "codeServerMetrics": some.booleans()}  # fmt: skip
OF_CONTAINERS: dict[str, some.SearchStrategy[Any]] = {
    "environment": some.dictionaries(some.from_regex(r"[A-Z_][A-Z0-9_]{0,9}", fullmatch=True), some.text(max_size=9)),
    "containerKwargs": some.fixed_dictionaries(
        {},
        optional={"mem_limit": some.just("1g"), "labels": some.just({"team": "data"}), "volumes": some.just(["a:/b"])},
    ),
    "logMaxSize": some.sampled_from(["10m", "1g"]),
    "logMaxFiles": some.integers(1, 100),
    "finishedRunContainersKeptSeconds": some.integers(0, 86_400),
}


def specs() -> some.SearchStrategy[LocalAgentSpec]:
    return some.fixed_dictionaries({}, optional=SHARED | OF_PROCESSES).map(LocalAgentSpec.model_validate)


def docker_specs() -> some.SearchStrategy[DockerAgentSpec]:
    return some.fixed_dictionaries({}, optional=SHARED | OF_CONTAINERS).map(DockerAgentSpec.model_validate)


def rendered(spec: LocalAgentSpec) -> str:
    return render(spec, stock_process_launcher(spec), label="one", deployment="prod")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(AGENT_TOKEN_VARIABLE, TOKEN)
    return tmp_path


@pytest.fixture
def docker_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home beside which the launcher of the agent's image can be imported, as in the image."""
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "agent" / "image"))
    return home


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(spec=specs(), label=LABELS, url=some.sampled_from([None, "http://127.0.0.1:3939"]), folder=some.booleans())
def test_dagster_loads_every_rendering_and_reads_what_was_meant(
    home: Path, spec: LocalAgentSpec, label: str, url: str | None, folder: bool
) -> None:
    own = home / "folder" if folder else None
    launcher = process_launcher(spec, own) if own else stock_process_launcher(spec)
    text = render(spec, launcher, label=label, deployment="prod", url=url, compute_logs_folder=own, storage_folder=own)
    with loaded(home, text) as instance:
        assert_shared(instance, spec, label=label, url=url)
        assert_launcher(instance, spec)
        assert isinstance(instance.user_code_launcher, WatchingLauncher) is folder
        if own:
            assert instance.storage_directory().startswith(str(own))


def assert_shared(instance: DagsterCloudAgentInstance, spec: AnyAgentSpec, *, label: str, url: str | None) -> None:
    assert instance.dagster_cloud_agent_token == TOKEN
    assert instance.dagster_cloud_url == (url or "https://acme.agent.dagster.cloud")
    assert instance.deployment_names == ["prod"]
    assert instance.dagster_cloud_api_agent_label == label
    assert instance.dagster_cloud_api_timeout == spec.api_timeout_seconds
    assert instance.dagster_cloud_api_retries == spec.api_retries
    assert instance.includes_branch_deployments is spec.branch_deployments
    served = {*spec.queues.additional, *([None] if spec.queues.include_default else [])}
    assert set(instance.agent_queues_config.queues) == served
    assert_allowed(instance, spec)
    launcher = instance.user_code_launcher
    assert launcher._server_process_startup_timeout == spec.startup_timeout_seconds
    if spec.server_ttl is not None:
        assert launcher._server_ttl_config["max_servers"] == spec.server_ttl.max_servers
        assert launcher._server_ttl_config["full_deployments"] == spec.server_ttl.full_deployments.model_dump()
    assert isinstance(instance.compute_log_manager, CloudComputeLogManager)
    assert instance.compute_log_manager.upload_interval == spec.log_upload_interval_seconds


def assert_allowed(instance: DagsterCloudAgentInstance, spec: AnyAgentSpec) -> None:
    names = spec.allowed_locations
    for branch in (False, True):
        expected = names is None or "other" in names
        if not branch or spec.branch_deployments:
            assert instance.is_location_allowed("prod", "other", branch) is expected


def assert_launcher(instance: DagsterCloudAgentInstance, spec: LocalAgentSpec) -> None:
    launcher = instance.user_code_launcher
    assert isinstance(launcher, ProcessUserCodeLauncher)
    assert launcher._wait_for_processes is spec.wait_for_processes
    assert launcher.agent_metrics_enabled is spec.agent_metrics
    assert launcher.code_server_metrics_enabled is spec.code_server_metrics


def of_docker(spec: DockerAgentSpec, label: str = "one", url: str | None = None) -> str:
    launcher = docker_launcher(spec, stack="s", network="hybrid-s", storage_volume="v", storage_folder="/opt/storage")
    return render(spec, launcher, label=label, deployment="prod", url=url, storage_folder=Path("/opt/storage"))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(spec=docker_specs(), label=LABELS, url=some.sampled_from([None, "http://172.17.0.1:3939"]))
def test_dagster_loads_every_rendering_for_docker_with_the_images_launcher(
    docker_home: Path, spec: DockerAgentSpec, label: str, url: str | None
) -> None:
    with loaded(docker_home, of_docker(spec, label, url)) as instance:
        assert_shared(instance, spec, label=label, url=url)
        launcher: Any = instance.user_code_launcher
        assert isinstance(launcher, DockerUserCodeLauncher), "Dagster+ knows agents by the stock launcher's name"
        assert type(launcher).__name__ == DockerUserCodeLauncher.__name__
        assert launcher._networks == ["hybrid-s"]
        assert launcher._requires_healthcheck is True, "without it the agent never says that it has loaded"
        assert launcher._containers.stack == "s"
        assert launcher._kept_seconds == spec.finished_run_containers_kept_seconds
        assert set(spec.environment) <= set(launcher.env_vars), "variables of the agent reach code by name"
        log = {"max-size": spec.log_max_size, "max-file": str(spec.log_max_files)}
        assert launcher.container_kwargs == {
            "log_config": {"type": "json-file", "config": log},
            **spec.container_kwargs,
        }


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(spec=docker_specs())
def test_the_stock_launcher_takes_all_that_is_not_our_launchers_own(home: Path, spec: DockerAgentSpec) -> None:
    document = yaml.safe_load(of_docker(spec))
    launcher = document["user_code_launcher"]
    launcher["module"] = "dagster_cloud.workspace.docker"
    for ours in ("stack", "storage", "finished_run_containers_kept_seconds"):
        del launcher["config"][ours]
    with loaded(home, yaml.safe_dump(document)) as instance:
        assert type(instance.user_code_launcher) is DockerUserCodeLauncher


@pytest.mark.parametrize(
    "key", ["stack", "storage", "finished_run_containers_kept_seconds", "networks", "env_vars", "container_kwargs"]
)
def test_the_judge_refuses_a_misspelt_key_of_the_docker_launcher(docker_home: Path, key: str) -> None:
    document = yaml.safe_load(of_docker(DockerAgentSpec()))
    config = document["user_code_launcher"]["config"]
    config[f"{key}x"] = config.pop(key)
    with pytest.raises(DagsterInvalidConfigError), loaded(docker_home, yaml.safe_dump(document)) as instance:
        _ = instance.user_code_launcher


def test_the_same_settings_give_the_same_bytes() -> None:
    texts = {rendered(LocalAgentSpec()) + of_docker(DockerAgentSpec()) for _ in range(2)}
    assert len(texts) == 1, "a rendering that changes by itself would restart the agent at every update"


def test_the_token_is_read_from_the_environment_and_nowhere_in_the_file(home: Path) -> None:
    text = rendered(LocalAgentSpec())
    assert yaml.safe_load(text)["dagster_cloud_api"]["agent_token"] == {"env": AGENT_TOKEN_VARIABLE}
    assert TOKEN not in text


def misspelt_at_the_top(document: dict[str, Any]) -> None:
    document["isolated_agent"] = document.pop("isolated_agents")


def misspelt_in_the_api(document: dict[str, Any]) -> None:
    document["dagster_cloud_api"]["agent_lable"] = "one"


def misspelt_in_the_launcher(document: dict[str, Any]) -> None:
    document["user_code_launcher"]["config"]["wait_for_process"] = True


def misspelt_in_the_queues(document: dict[str, Any]) -> None:
    document["agent_queues"]["additional_queue"] = []


def misspelt_in_the_logs(document: dict[str, Any]) -> None:
    document["compute_logs"]["config"]["local_directory"] = "x"


def of_the_wrong_type(document: dict[str, Any]) -> None:
    document["user_code_launcher"]["config"]["server_process_startup_timeout"] = "soon"


@pytest.mark.parametrize(
    "spoil",
    [
        misspelt_at_the_top,
        misspelt_in_the_api,
        misspelt_in_the_launcher,
        misspelt_in_the_queues,
        misspelt_in_the_logs,
        of_the_wrong_type,
    ],
    ids=lambda spoil: spoil.__name__,
)
def test_the_judge_refuses_a_key_that_is(home: Path, spoil: Callable[[dict[str, Any]], None]) -> None:
    document = yaml.safe_load(rendered(LocalAgentSpec()))
    spoil(document)
    with pytest.raises(DagsterInvalidConfigError), loaded(home, yaml.safe_dump(document)) as instance:
        _ = instance.user_code_launcher, instance.compute_log_manager
