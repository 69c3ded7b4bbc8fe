"""Every ``dagster.yaml`` that can be rendered is loaded by Dagster's own instance code and launcher.

It proves that keys and types are the agent's, and that the agent reads the values meant. It does not prove what the
agent then does with them: that takes a running one. Loading an instance opens no connection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from dagster import DagsterInstance
from dagster._core.errors import DagsterInvalidConfigError
from dagster_cloud.instance import DagsterCloudAgentInstance
from dagster_cloud.storage.compute_logs import CloudComputeLogManager
from dagster_cloud.workspace.user_code_launcher import ProcessUserCodeLauncher
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from agent.dagster_yaml import AGENT_TOKEN_VARIABLE, render
from agent.process_launcher import ProcessUserCodeLauncher as WatchingLauncher
from agent.spec import LocalAgentSpec

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


def specs() -> some.SearchStrategy[LocalAgentSpec]:
    keys: dict[str, some.SearchStrategy[Any]] = {
        "queues": queues(),
        "branchDeployments": some.booleans(),
        "isolated": some.booleans(),
        "allowedLocations": some.none() | some.lists(LOCATIONS, unique=True, max_size=3),
        "startupTimeoutSeconds": SECONDS,
        "waitForProcesses": some.booleans(),
        "serverTtl": some.none() | time_to_live(),
        "directSnapshotUploads": some.booleans(),
        "uploadSnapshotsOnStartup": some.booleans(),
        "logUploadIntervalSeconds": some.none() | SECONDS,
        "apiTimeoutSeconds": SECONDS,
        "apiRetries": some.integers(0, 12),
        "agentMetrics": some.booleans(),
        "codeServerMetrics": some.booleans(),
    }
    return some.fixed_dictionaries({}, optional=keys).map(LocalAgentSpec.model_validate)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(AGENT_TOKEN_VARIABLE, TOKEN)
    return tmp_path


@contextmanager
def loaded(home: Path, text: str) -> Iterator[DagsterCloudAgentInstance]:
    """The instance that the agent would make of ``text``."""
    (home / "dagster.yaml").write_text(text, encoding="utf-8")
    with DagsterInstance.from_config(str(home)) as instance:
        assert isinstance(instance, DagsterCloudAgentInstance)
        yield instance


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(spec=specs(), label=LABELS, url=some.sampled_from([None, "http://127.0.0.1:3939"]), folder=some.booleans())
def test_dagster_loads_every_rendering_and_reads_what_was_meant(
    home: Path, spec: LocalAgentSpec, label: str, url: str | None, folder: bool
) -> None:
    own = home / "folder" if folder else None
    folders = dict.fromkeys(("compute_logs_folder", "storage_folder", "run_workers_folder"), own)
    text = render(spec, label=label, deployment="prod", url=url, **folders)
    with loaded(home, text) as instance:
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
        assert_launcher(instance, spec)
        assert isinstance(instance.user_code_launcher, WatchingLauncher) is folder
        assert isinstance(instance.compute_log_manager, CloudComputeLogManager)
        assert instance.compute_log_manager.upload_interval == spec.log_upload_interval_seconds
        if own:
            assert instance.storage_directory().startswith(str(own))


def assert_allowed(instance: DagsterCloudAgentInstance, spec: LocalAgentSpec) -> None:
    names = spec.allowed_locations
    for branch in (False, True):
        expected = names is None or "other" in names
        if not branch or spec.branch_deployments:
            assert instance.is_location_allowed("prod", "other", branch) is expected


def assert_launcher(instance: DagsterCloudAgentInstance, spec: LocalAgentSpec) -> None:
    launcher = instance.user_code_launcher
    assert isinstance(launcher, ProcessUserCodeLauncher)
    assert launcher._server_process_startup_timeout == spec.startup_timeout_seconds
    assert launcher._wait_for_processes is spec.wait_for_processes
    assert launcher.agent_metrics_enabled is spec.agent_metrics
    assert launcher.code_server_metrics_enabled is spec.code_server_metrics
    if spec.server_ttl is not None:
        assert launcher._server_ttl_config["max_servers"] == spec.server_ttl.max_servers
        assert launcher._server_ttl_config["full_deployments"] == spec.server_ttl.full_deployments.model_dump()


def test_the_same_settings_give_the_same_bytes() -> None:
    texts = {render(LocalAgentSpec(), label="one", deployment="prod") for _ in range(2)}
    assert len(texts) == 1, "a rendering that changes by itself would restart the agent at every update"


def test_the_token_is_read_from_the_environment_and_nowhere_in_the_file(home: Path) -> None:
    text = render(LocalAgentSpec(), label="one", deployment="prod")
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
    document = yaml.safe_load(render(LocalAgentSpec(), label="one", deployment="prod"))
    spoil(document)
    with pytest.raises(DagsterInvalidConfigError), loaded(home, yaml.safe_dump(document)) as instance:
        _ = instance.user_code_launcher, instance.compute_log_manager
